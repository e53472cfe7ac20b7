"""Bins of Visium HD: which there are, their places in the array by their barcodes, larger ones from smaller.

A barcode is ``s_008um_RRRRR_CCCCC-1``: width of the bin, row and column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix

from prestige.data.platforms.space_ranger.folder import unpacked_first
from prestige.data.platforms.space_ranger.pitch import Lie
from prestige.data.platforms.space_ranger.positions import Positions
from prestige.errors import DataError
from prestige.text import some

USUAL_UM = 8
"""The width that is read where none is asked for, as the makers advise."""

_FOLDER = re.compile(r"square_([0-9]{3})um")
_BARCODE = re.compile(r"s_([0-9]{3})um_([0-9]{5})_([0-9]{5})-[0-9]+")
_FORM = b"s_000um_00000_00000-0"
_DIGITS = np.frombuffer(_FORM, dtype=np.uint8) == ord("0")
_MOST_ROWS = 1 << 20


@dataclass(frozen=True)
class Binned:
    """Bins of one width, and of which there are made.

    Attributes
    ----------
    folder
        ``square_NNNum`` that is read.
    of_um, bin_um
        Width of its bins, and of those that are made of them, in micrometres.
    """

    folder: Path
    of_um: int
    bin_um: int

    @property
    def per_side(self) -> int:
        """How many of its bins make one, along each side."""
        return self.bin_um // self.of_um

    @property
    def pitch_um(self) -> tuple[float, float]:
        """Distance of neighbouring rows and columns of its bins."""
        return float(self.of_um), float(self.of_um)


def folders_of(path: Path) -> dict[int, Path]:
    """Return the folders of bins below an output folder (or the one that is named), by their width in um."""
    if found := _FOLDER.fullmatch(path.name):
        return {int(found[1]): path}
    places = [one for outs in (path, path / "outs") if outs.is_dir() for one in (outs, *_binned_in(outs))]
    entries = [one for place in places for one in sorted(place.iterdir()) if one.is_dir()]
    widths = [(found, one) for one in entries if (found := _FOLDER.fullmatch(one.name))]
    return {int(found[1]): one for found, one in reversed(widths) if int(found[1])}


def is_binned(path: Path) -> bool:
    """Say whether a folder is an output with bins, or one of bins, whichever of them are there."""
    return bool(folders_of(path)) or any(_binned_in(one) for one in (path, path / "outs") if one.is_dir())


def _binned_in(outs: Path) -> list[Path]:
    """Return the folders of bins of an output, which may bear the name of the sample before theirs."""
    return [one for one in sorted(outs.iterdir()) if one.name.endswith("binned_outputs") and one.is_dir()]


def binned(folders: Mapping[int, Path], bin_um: int | None, path: Path) -> Binned:
    """Return what is read for bins of a width: their own folder, else the widest whose bins make them.

    Parameters
    ----------
    bin_um
        None for bins of 8 um where they can be had, else the narrowest that are there.

    Raises
    ------
    DataError
        When there are no bins, or none that make these.
    """
    if not folders:
        raise DataError(
            "has no folder binned_outputs/square_NNNum",
            where=path,
            expected="the output of Visium HD",
            remedy=_remedy(path),
        )
    asked = bin_um or (USUAL_UM if any(USUAL_UM % one == 0 for one in folders) else min(folders))
    parts = [one for one in folders if asked % one == 0]
    if not parts:
        there = ", ".join(map(str, sorted(folders)))
        raise DataError(
            f"has no bins of {asked} um, and none that make them: those of {there} um are there",
            where=path,
            expected=f"bin_um: a multiple of {min(folders)}",
            remedy=f"write bin_um: {min(folders, key=lambda one: abs(one - asked))}",
        )
    return Binned(folders[max(parts)], max(parts), asked)


def _remedy(path: Path) -> str:
    if path.name == "segmented_outputs":
        return "write cells: true, or name the folder above it"
    otherwise = "name the folder 'outs' of Space Ranger; spots of Visium are source: visium"
    return unpacked_first([one.name for one in sorted(path.iterdir())]) or otherwise


def places_of(barcodes: np.ndarray, of_um: int, path: Path) -> Int[np.ndarray, "n 2"]:
    """Return row and column of bins in their array, by their barcodes.

    Parameters
    ----------
    barcodes
        Bytes or texts.
    of_um
        Width of the bins by their folder.

    Raises
    ------
    DataError
        When they are no barcodes of such bins.
    """
    if barcodes.dtype.kind == "S" and barcodes.dtype.itemsize == len(_FORM) and len(barcodes):
        letters = np.ascontiguousarray(barcodes).view(np.uint8).reshape(len(barcodes), -1)
        form = np.frombuffer(_FORM, dtype=np.uint8)
        digits = letters - ord("0")  # others become large
        sound = bool((letters[:, ~_DIGITS] == form[~_DIGITS]).all()) and bool((digits[:, _DIGITS] < 10).all())
        widths, rows, columns = (
            _number(digits[:, piece]) for piece in (slice(2, 5), slice(8, 13), slice(14, 19))
        )
        if sound and (widths == of_um).all():
            return np.column_stack([rows, columns])
    texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in barcodes]
    found = [_BARCODE.fullmatch(text) for text in texts]
    wrong = [text for text, one in zip(texts, found, strict=True) if one is None or int(one[1]) != of_um]
    if wrong:
        raise DataError(
            f"barcodes that are not those of bins of {of_um} um: {some(wrong)}",
            where=path,
            expected=f"s_{of_um:03d}um_RRRRR_CCCCC-1",
            remedy="take matrix and folder from one run",
        )
    return np.array([(int(one[2]), int(one[3])) for one in found if one], dtype=np.int64).reshape(-1, 2)


def name_of(width_um: int, row: int, column: int) -> str:
    """Return the barcode of a bin, as Space Ranger writes it."""
    return f"s_{width_um:03d}um_{row:05d}_{column:05d}-1"


def _number(digits: np.ndarray) -> Int[np.ndarray, " n"]:
    out = np.zeros(len(digits), dtype=np.int64)
    for column in digits.T:
        out = 10 * out + column
    return out


def rows_of(places: Int[np.ndarray, "n 2"], positions: Positions) -> Int[np.ndarray, " n"]:
    """Return the row of each bin among the positions, -1 where there is none."""
    known, asked = _keys(positions.array), _keys(places)
    order = None if (np.diff(known) > 0).all() else np.argsort(known, kind="stable")
    ordered = known if order is None else known[order]
    at = np.minimum(np.searchsorted(ordered, asked), len(ordered) - 1)
    found = np.where(ordered[at] == asked, at, -1)
    return found if order is None else np.where(found < 0, -1, order[found])


def _keys(array: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, " n"]:
    return array[:, 0] * _MOST_ROWS + array[:, 1]


@dataclass(frozen=True, eq=False)
class Pooled:
    """Bins made of smaller ones.

    Attributes
    ----------
    ids
        Their barcodes, as Space Ranger would write them.
    array
        (m, 2) row and column.
    counts
        (m, G) sums.
    xy_px
        (m, 2) their centres in pixels of the full-resolution image.
    """

    ids: pd.Index
    array: Int[np.ndarray, "m 2"]
    counts: csr_matrix
    xy_px: Float[np.ndarray, "m 2"]


def pooled(
    array: Int[np.ndarray, "n 2"],
    xy_px: Float[np.ndarray, "n 2"],
    counts: csr_matrix,
    lie: Lie,
    bins: Binned,
) -> Pooled:
    """Return larger bins, those that hold any of the given ones, with the sums of their counts.

    A centre is that of the whole bin, of which some parts may not be given: where the array lies regularly,
    plus the mean by which the given parts deviate from it.
    """
    per_side = bins.per_side
    keys, first, of = np.unique(_keys(array // per_side), return_index=True, return_inverse=True)
    places = array[first] // per_side
    n = len(keys)
    sums = csr_matrix((np.ones(len(of), np.float32), (of, np.arange(len(of)))), shape=(n, len(of))) @ counts
    sums.sort_indices()
    apart = xy_px - lie.xy_px(array.astype(np.float64))
    size = np.bincount(of, minlength=n)
    mean = np.column_stack([np.bincount(of, apart[:, axis], n) / size for axis in (0, 1)])
    middle = places * per_side + (per_side - 1) / 2
    ids = [name_of(bins.bin_um, *place) for place in places.tolist()]
    return Pooled(pd.Index(ids, dtype=object), places, csr_matrix(sums), lie.xy_px(middle) + mean)

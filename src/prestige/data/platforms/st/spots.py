"""Spots of classic Spatial Transcriptomics: their names, where they lie, the pitch of their array."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree

from prestige.data.columns.measured import yes_or_no
from prestige.data.platforms.flat import as_floats, read_flat
from prestige.errors import DataError

EXPECTED = "the spot file of the aligner: columns x, y, new_x, new_y, pixel_x, pixel_y, selected"
NEEDED = ("x", "y", "pixel_x", "pixel_y")

PITCH_UM = {"1k": 200.0, "2k": 141.0}
"""Distance of neighbours' centres on the two arrays that there were, of 33 x 35 and of about 2,000 spots."""

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_NAMES = (
    re.compile(
        rf"(?:(.{{1,80}}?)[_-])??X?{_NUMBER}x{_NUMBER}(?:[_-](.{{1,80}}))?"
    ),  # R puts an X before a digit
    re.compile(rf"()X?{_NUMBER}[_:-]{_NUMBER}()"),
)
_OF_SEVERAL = re.compile(rf"(.{{1,80}}?)[_x-]X?{_NUMBER}x{_NUMBER}")
_MOST_OF_1K = 36  # places of an array of 33 x 35, counted from 0 or 1
_NEAR = 0.05  # parts of the pitch: two files round one place otherwise
_LEAST_SPOTS = 8
_MOST_OFF = 0.25  # parts of the pitch


@dataclass(frozen=True, eq=False)
class Spots:
    """The spots of a section.

    Attributes
    ----------
    array
        (n, 2) whole places x, y on the array, from which the names of spots are made.
    measured
        (n, 2) the places as they were measured on the image, in the same unit; ``array`` where nobody did.
    xy_px
        (n, 2) centres in pixels.
    selected
        (n,) whether each lies under tissue.
    """

    array: Int[np.ndarray, "n 2"]
    measured: Float[np.ndarray, "n 2"]
    xy_px: Float[np.ndarray, "n 2"]
    selected: Bool[np.ndarray, " n"]

    @property
    def names(self) -> list[str]:
        """Names such as "10x14"."""
        return [f"{x}x{y}" for x, y in self.array.tolist()]


def places_in(names: Sequence[str]) -> Float[np.ndarray, "n 2"] | None:
    """Return the places on the array that names of spots state ("10x14", "9.98x14.03"); None if one does not.

    The two numbers may also be parted by another sign, and one word, the name of the section mostly, may
    stand before or behind all of them.

    Examples
    --------
    >>> places_in(["10x14", "X9.98x14.03"]).tolist()
    [[10.0, 14.0], [9.98, 14.03]]
    >>> places_in(["A1_10x14", "A1_11x14"]).tolist(), places_in(["10_14"]).tolist()
    ([[10.0, 14.0], [11.0, 14.0]], [[10.0, 14.0]])
    """
    for form in _NAMES:
        found = [one for one in map(form.fullmatch, names) if one is not None]
        if found and len(found) == len(names) and len({(one[1] or "", one[4] or "") for one in found}) == 1:
            return np.array([[float(one[2]), float(one[3])] for one in found])
    return None


def sections_in(names: Sequence[str]) -> list[str]:
    """Return the words before places on the array in names of spots of several sections; [] in others.

    Examples
    --------
    >>> sections_in(["1x10x14", "2x10x14"]), sections_in(["10x14"]), sections_in(["S1_10x14", "S2_3x2"])
    (['1', '2'], [], ['S1', 'S2'])
    """
    found = [one for one in map(_OF_SEVERAL.fullmatch, names) if one is not None]
    sections = sorted({one[1] for one in found})
    return sections if len(found) == len(names) and len(sections) > 1 else []


def is_spot_file(names: Sequence[str]) -> bool:
    """Return whether columns of these names are those of a spot file."""
    return set(NEEDED) <= {name.lower() for name in names}


def read_spots(path: Path) -> Spots:
    """Read a spot file; one without the column ``selected`` names the selected spots alone.

    Raises
    ------
    DataError
        When a column is missing or no numbers, or a place on the array stands there twice.
    """
    where = str(path)

    def chosen(names: list[str]) -> list[str]:
        there = {name.lower(): name for name in names}
        missing = [name for name in NEEDED if name not in there]
        if missing:
            raise DataError(
                f"has no column {', '.join(repr(name) for name in missing)}, only "
                + ", ".join(repr(name) for name in names[:8]),
                where=where,
                expected=EXPECTED,
                remedy="name the file that the aligner wrote (spots:)",
            )
        return [there[name] for name in (*NEEDED, "new_x", "new_y", "selected") if name in there]

    table = read_flat(path, expected=EXPECTED, choose=chosen).rename(columns=str.lower)
    numbers = {name: as_floats(table[name], where=where) for name in table.columns if name != "selected"}
    x_y = np.column_stack([numbers["x"], numbers["y"]])
    if not len(x_y) or not (np.abs(x_y) < 1e6).all():
        what = "has no spots" if not len(x_y) else "has spots without x and y"
        raise DataError(what, where=where, expected=EXPECTED, remedy="name the file that the aligner wrote")
    array = np.rint(x_y).astype(np.int64)
    twice = pd.DataFrame(array).duplicated().to_numpy(dtype=bool)
    if twice.any():
        x, y = array[twice][0].tolist()
        raise DataError(
            f"names the spot {x}x{y} twice", where=where, expected="every spot once", remedy="take one off"
        )
    measured = x_y
    if "new_x" in numbers and "new_y" in numbers:
        new = np.column_stack([numbers["new_x"], numbers["new_y"]])
        measured = np.where(np.isfinite(new).all(axis=1, keepdims=True), new, x_y)
    selected = np.ones(len(array), dtype=bool)
    if "selected" in table:
        selected = yes_or_no(table["selected"].set_axis([f"{x}x{y}" for x, y in array.tolist()]), where=where,
                             column="selected")  # fmt: skip
    return Spots(array, measured, np.column_stack([numbers["pixel_x"], numbers["pixel_y"]]), selected)


def rows_of(spots: Spots, wanted: Float[np.ndarray, "m 2"]) -> Int[np.ndarray, " m"]:
    """Return which spot each place on the array is, -1 where there is none.

    Whole places are names.  Others, as old files have them, are the measured places, which two files round
    otherwise.
    """
    if (wanted == np.rint(wanted)).all():
        named, asked = (pd.MultiIndex.from_arrays([*xy.T]) for xy in (spots.array, wanted.astype(np.int64)))
        return named.get_indexer(asked)
    distance, row = KDTree(spots.measured).query(wanted, distance_upper_bound=_NEAR)
    return np.where(np.isfinite(distance), row, -1).astype(np.int64)


@dataclass(frozen=True)
class Pitch:
    """The pitch of an array on an image.

    Attributes
    ----------
    px
        Distance of neighbours in pixels.
    kind
        "1k" or "2k"; None for an array that is neither.
    mirrored
        Whether the array lies mirrored on the image.
    """

    px: float
    kind: str | None
    mirrored: bool


def pitch_of(spots: Spots, *, where: str) -> Pitch | None:
    """Return the pitch of the array, from the affine map (least squares) of its places to pixels.

    On an array of 2k spots every other place of a line is empty: its neighbours lie across, and x + y of all
    its spots is even (or odd).

    Returns
    -------
    None where there are too few spots, or they lie on one line.

    Raises
    ------
    DataError
        When the pixels do not follow the places on the array.
    """
    known = np.isfinite(spots.xy_px).all(axis=1)
    array, places, xy_px = spots.array[known], spots.measured[known], spots.xy_px[known]
    design = np.column_stack([places, np.ones(len(places))])
    if len(places) < _LEAST_SPOTS or np.linalg.matrix_rank(design - [*places.mean(axis=0), 0]) < 3:
        return None
    solution = np.linalg.lstsq(design, xy_px, rcond=None)[0]
    across = len(set((array.sum(axis=1) % 2).tolist())) == 1
    steps = np.array([[1, 1], [1, -1]]) if across else np.eye(2)
    px = float(np.linalg.norm(steps @ solution[:2], axis=1).mean())
    off = float(np.median(np.linalg.norm(design @ solution - xy_px, axis=1)))
    if not px > 0 or off > _MOST_OFF * px:
        raise DataError(
            f"pixel_x and pixel_y do not follow the places on the array (off by {off:,.0f} px; its pitch "
            f"would be {px:,.0f} px)",
            where=where,
            expected=EXPECTED,
            remedy="name the spot file as the aligner wrote it",
        )
    small = bool((array.max(axis=0) <= _MOST_OF_1K).all())
    kind = "2k" if across else "1k" if small else None
    return Pitch(px, kind, bool(np.linalg.det(solution[:2]) < 0))

"""The table of a sample from the files of an export: spots, bins or cells, their counts and their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix

from prestige.data.columns.mismatch import both_sides
from prestige.data.platforms.matrix_10x import files_of
from prestige.data.platforms.space_ranger.bins import Binned, name_of, places_of, pooled, rows_of
from prestige.data.platforms.space_ranger.cells import centres_of, numbers_of
from prestige.data.platforms.space_ranger.folder import Matrices
from prestige.data.platforms.space_ranger.pictures import Picture
from prestige.data.platforms.space_ranger.pitch import SPOTS_UM, Lie, fitted, irregular
from prestige.data.platforms.space_ranger.positions import Positions, read_positions
from prestige.data.sample import Table
from prestige.data.slides.pixel_size import MOST_APART
from prestige.data.tables import row_sums
from prestige.errors import DataError
from prestige.text import some

_NOTED = 0.002  # by which the pitch of bins may differ from what the scale factors state without a word
_ONE_RUN = "take both from one run of Space Ranger"


@dataclass(frozen=True)
class Files:
    """The files of an export: places of spots and bins or outlines of cells, scale factors, counts.

    Scale factors are None where they are lost, and the full-resolution image is named.
    """

    places: Path
    scales: Path | None
    matrices: Matrices

    @property
    def by_role(self) -> dict[str, Path]:
        """What the table depends on."""
        files = {**files_of(self.matrices.path), "places": self.places}
        files |= {} if self.scales is None else {"scalefactors": self.scales}
        return files if self.matrices.beside is None else {**files, "beside": self.matrices.beside}


@dataclass(frozen=True)
class StatedWidth:
    """What the scale factors say of the width of a full-resolution pixel.

    Parameters
    ----------
    um_per_px
        The width; None where they do not state it.
    trusted
        Whether a pitch that contradicts it is noted, not refused (``trust_um_per_px`` of dataset.yaml).
    """

    um_per_px: float | None
    trusted: bool = False


def lie_of(positions: Positions, pitch_um: tuple[float, float], path: Path) -> Lie | None:
    """Return how an array lies on its image; None where there are too few places to say it.

    Raises
    ------
    DataError
        When the places are not those of an array.
    """
    lie = fitted(positions.array, positions.xy_px, pitch_um)
    if lie is not None and (words := irregular(lie, pitch_um)):
        pitch = 100.0 if pitch_um == SPOTS_UM else pitch_um[0]
        raise DataError(
            f"the places {words}",
            where=path,
            expected=f"rows and columns of the array and of pixels of one slide, {pitch:g} um apart",
            remedy="copy the file again as Space Ranger wrote it",
        )
    return lie


def spots_table(
    files: Files, positions: Positions, lie: Lie | None, picture: Picture, notes: Sequence[str], *, where: str
) -> Table:
    """Return the spots in tissue that the matrix has, in its order.

    Parameters
    ----------
    notes
        What is to be said beside what is met here.
    where
        The sample, for messages.

    Raises
    ------
    DataError
        When a barcode has no place, no spot is left, or a centre lies outside of the image.
    """
    matrix, said = files.matrices.open()
    names = positions.barcodes
    assert names is not None
    rows = names.get_indexer(matrix.ids)
    inside, told = _in_tissue(rows, positions, files.matrices.path, lambda: (matrix.ids[rows < 0], names))
    if absent := int(positions.in_tissue.sum()) - int(inside.sum()):
        told = (*told, f"{absent:,} spots in tissue have no row in the matrix: left out")
    counts, ids, rows = matrix.counts(inside), matrix.ids[inside], rows[inside]
    turned = (lie.words,) if lie is not None and lie.words else ()
    return _table(
        picture,
        (ids, positions.xy_px[rows], counts, matrix.genes.names),
        (*said, *told, *turned, *notes, *matrix.genes.notes),
        array=positions.array[rows],
        where=where,
    )


def bins_table(
    files: Files, bins: Binned, stated: StatedWidth, picture: Picture, notes: Sequence[str], *, where: str
) -> Table:
    """Return the bins in tissue that the matrix has, or larger ones made of them.

    Parameters
    ----------
    stated
        The width of a pixel that the pitch of the bins is held against.
    notes, where
        As of :func:`spots_table`.

    Raises
    ------
    DataError
        When a barcode has no place, no bin is left, or a centre lies outside of the image.
    """
    positions = read_positions(files.places, barcodes=False)
    lie = lie_of(positions, bins.pitch_um, files.places)
    matrix, said = files.matrices.open()
    array = places_of(matrix.barcodes, bins.of_um, files.matrices.path)
    rows = rows_of(array, positions)
    known = [name_of(bins.of_um, *place) for place in positions.array[:3].tolist()]
    inside, told = _in_tissue(rows, positions, files.matrices.path, lambda: (matrix.ids[rows < 0], known))
    counts, array, full_px = matrix.counts(inside), array[inside], positions.xy_px[rows[inside]]
    width = f"bins of {bins.bin_um} um"
    if bins.per_side == 1:
        ids = matrix.ids[inside]
    else:
        width += f", each the sum of up to {bins.per_side**2:,} of {bins.of_um} um"
        if lie is None:
            raise DataError(
                "has too few places to say where larger bins lie",
                where=files.places,
                expected="the positions of the whole array",
                remedy=f"write bin_um: {bins.of_um}",
            )
        larger = pooled(array, full_px, counts, lie, bins)
        ids, array, counts, full_px = larger.ids, larger.array, larger.counts, larger.xy_px
    lies = _on_lie(lie, stated, files.scales or files.places)
    return _table(
        picture,
        (ids, full_px, counts, matrix.genes.names),
        (
            width,
            *said,
            *told,
            *lies,
            *notes,
            *matrix.genes.notes,
        ),
        array=array,
        where=where,
    )


def cells_table(files: Files, picture: Picture, notes: Sequence[str], *, where: str) -> Table:
    """Return the segmented cells, each at the centroid of its outline.

    Parameters
    ----------
    notes, where
        As of :func:`spots_table`.

    Raises
    ------
    DataError
        When a cell has no outline, or a centre lies outside of the image.
    """
    matrix, said = files.matrices.open()
    outlined, centres, told = centres_of(files.places)
    numbers = numbers_of(matrix.ids, files.matrices.path)
    rows = pd.Index(outlined).get_indexer(pd.Index(numbers))
    if (rows < 0).any():
        lost = matrix.ids[rows < 0]
        raise DataError(
            f"cells without an outline: {some(lost)} of {len(rows):,}",
            where=files.matrices.path,
            expected=f"an outline in {files.places.name} for each",
            remedy=both_sides([str(number) for number in numbers[rows < 0]], map(str, outlined), _ONE_RUN),
        )
    return _table(
        picture,
        (matrix.ids, centres[rows], matrix.counts(), matrix.genes.names),
        ("segmented cells, each at the centroid of its outline", *said, *told, *notes, *matrix.genes.notes),
        where=where,
    )


def _in_tissue(
    rows: Int[np.ndarray, " n"],
    positions: Positions,
    path: Path,
    sides: Callable[[], tuple[pd.Index, Sequence[str] | pd.Index]],
) -> tuple[Bool[np.ndarray, " n"], tuple[str, ...]]:
    """Return which rows of a matrix lie in tissue, and a note on the others.

    Parameters
    ----------
    rows
        The place of each among the positions, -1 where it has none.
    sides
        Gives the names without a place, and some that have one.

    Raises
    ------
    DataError
        When one has no place, or none lies in tissue.
    """
    if (rows < 0).any():
        lost, known = sides()
        raise DataError(
            f"barcodes without a place in the positions: {some(lost)} of {len(rows):,}",
            where=path,
            expected="matrix and positions of one section",
            remedy=both_sides(list(lost), list(known), _ONE_RUN),
        )
    inside = positions.in_tissue[rows]
    if not inside.any():
        raise DataError(
            "no row of the matrix lies in tissue by the positions (in_tissue)",
            where=path,
            expected="at least one",
            remedy=_ONE_RUN,
        )
    off = int((~inside).sum())
    told = f"{off:,} of {len(rows):,} rows of the matrix lie off the tissue (in_tissue): left out"
    return inside, (told,) if off else ()


def _on_lie(lie: Lie | None, stated: StatedWidth, path: Path) -> list[str]:
    """Say how bins lie, and where their pitch is another than the scale factors state.

    Raises
    ------
    DataError
        When the two are of different slides, and none of them is trusted.
    """
    if lie is None:
        return []
    said = [lie.words] if lie.words else []
    um_per_px = stated.um_per_px
    if um_per_px is None:
        return said
    apart = abs(lie.um_per_px / um_per_px - 1)
    told = (
        f"pixels are {lie.um_per_px:.5g} um by the pitch of the bins, {um_per_px:.5g} um by microns_per_pixel"
    )
    if apart > MOST_APART and not stated.trusted:
        raise DataError(
            told,
            where=path,
            expected="one width",
            remedy="take positions and scale factors from one run; where the latter is right, add "
            "trust_um_per_px: true",
        )
    return [*said, f"{told}: the latter was taken"] if apart > _NOTED else said


def _table(
    picture: Picture,
    parts: tuple[pd.Index, Float[np.ndarray, "n 2"], csr_matrix, tuple[str, ...]],
    notes: tuple[str, ...],
    *,
    where: str,
    array: Int[np.ndarray, "n 2"] | None = None,
) -> Table:
    """Return the table of names, places in full-resolution pixels, counts, genes."""
    ids, full_px, counts, genes = parts
    obs = pd.DataFrame(
        {"measured": np.ones(len(ids), dtype=bool), "total_counts": row_sums(counts)}, index=ids
    )
    if array is not None:
        obs["array_row"], obs["array_col"] = array.T
    return Table(obs, picture.xy_px(full_px, ids, where=where), counts, genes, notes)

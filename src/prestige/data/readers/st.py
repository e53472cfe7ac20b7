"""``source: st``: classic Spatial Transcriptomics, a matrix of counts, a spot file and an image a section.

``path`` is the folder; the files of sample ``id`` are those below it whose names (or whose folders' names)
hold the id: the image by its suffix, the spot file by its columns ``pixel_x`` and ``pixel_y``, the counts as
what is left.  ``table:``, ``spots:`` and ``image:`` name them one by one.  A spot counts when it is selected
and the matrix has it.  The width of a pixel follows from the pitch of the array.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix

from prestige.data.columns.genes import genes_of
from prestige.data.columns.mismatch import both_sides
from prestige.data.platforms.st.files import Files, files_of
from prestige.data.platforms.st.spots import (
    PITCH_UM,
    Pitch,
    Spots,
    pitch_of,
    places_in,
    read_spots,
    rows_of,
    sections_in,
)
from prestige.data.platforms.st.symbols import with_symbols
from prestige.data.platforms.st.wide import EXPECTED as COUNTS
from prestige.data.platforms.st.wide import Matrix, read_wide
from prestige.data.prepared import Prepared
from prestige.data.readers.with_image import prepare_with_image
from prestige.data.sample import Counts, Table
from prestige.data.slides.images import image_of
from prestige.data.spec import SampleSpec
from prestige.data.tables import row_sums
from prestige.errors import DataError
from prestige.inputs import plain_file
from prestige.text import some

_CLEARLY = 0.02  # of the spots
_SAME = 0.95
"""Two files of one section have the spots of the smaller in common; sections of one block had up to 0.84."""


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare a section of classic Spatial Transcriptomics.

    Raises
    ------
    DataError
        For a missing, ambiguous or broken file, and for files of different sections.
    """
    files = files_of(spec)
    spots = read_spots(files.spots)
    pitch = pitch_of(spots, where=str(files.spots))
    stated, notes = _pixel_size(pitch, spec, files)
    used = {"counts": files.counts, "spots": files.spots}
    if spec.symbols is not None:
        used["symbols"] = plain_file(spec.symbols, expected="a table of Ensembl ids and symbols")
    return prepare_with_image(
        spec,
        cache_dir,
        source="st/1",
        image=image_of(files.image),
        table_files=used,
        read_table=lambda: read_table(files.counts, files.spots, spec.symbols, notes),
        stated_um=stated,
        platform="Spatial Transcriptomics",
    )


def read_table(counts: Path, spots: Path, symbols: Path | None = None, notes: tuple[str, ...] = ()) -> Table:
    """Read counts and places of the selected spots that the matrix has.

    Parameters
    ----------
    counts, spots
        The matrix and the spot file.
    symbols
        A table of Ensembl ids and symbols by which genes are called.
    notes
        What is to be said of them besides.

    Raises
    ------
    DataError
        When the two are of different sections, or hold what they should not.
    """
    there = read_spots(spots)
    matrix, wanted = _of_spots(read_wide(counts), counts)
    rows = rows_of(there, wanted)
    _check_order(rows, rows_of(there, wanted[:, ::-1]), there, counts)
    _check_section(rows, there, matrix, counts, spots)
    kept = (rows >= 0) & there.selected[rows]
    if not kept.any():
        raise DataError(
            "no spot is selected that the counts have",
            where=spots,
            expected="selected is 1 for spots under tissue",
            remedy="mend the column, or take it off: then all spots count",
        )
    left = [
        (int((rows < 0).sum()), f"of {len(rows):,} spots, which are not in {spots.name}"),
        (int((~there.selected[rows[rows >= 0]]).sum()), f"of {len(rows):,} spots, which are not selected"),
        (
            int(there.selected.sum() - kept.sum()),
            f"of {int(there.selected.sum()):,} selected spots, which are not in {counts.name}",
        ),
    ]
    said = [f"left out: {n:,} {words}" for n, words in left if n]
    var, of_symbols = with_symbols(matrix.columns, symbols)
    genes = genes_of(var)
    of_genes = genes.of(csr_matrix(matrix.counts[np.flatnonzero(kept)]))
    rows = rows[kept]
    obs = pd.DataFrame(
        {
            "measured": True,
            "total_counts": row_sums(of_genes),
            "array_x": there.array[rows, 0],
            "array_y": there.array[rows, 1],
        },
        index=pd.Index([there.names[row] for row in rows], dtype=object),
    )
    told = (*notes, *said, *genes.notes, *of_symbols)
    return Table(obs, there.xy_px[rows], of_genes, genes.names, told)


def _of_spots(matrix: Matrix, path: Path) -> tuple[Matrix, Float[np.ndarray, "n 2"]]:
    """Return a matrix whose rows are spots, and their places on the array.

    Raises
    ------
    DataError
        When neither its rows nor its columns are.
    """
    for one in (matrix, matrix.turned):
        places = places_in(one.rows)
        if places is not None:
            return one, places
    for one in (matrix, matrix.turned):
        if sections := sections_in(one.rows):
            raise DataError(
                f"holds the spots of several sections: {some(sections)}",
                where=path,
                expected=f"{COUNTS}, spots of one section called by x and y ('10x14')",
                remedy="write those of this section into a file of their own, and name it (table:)",
            )
    raise DataError(
        f"neither its rows ({_first(matrix.rows)}) nor its columns ({_first(matrix.columns)}) are spots",
        where=path,
        expected=f"{COUNTS}, spots called by x and y ('10x14')",
        remedy="name the matrix of counts (table:)",
    )


def _first(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in list(names)[:2])


def _check_order(
    rows: Int[np.ndarray, " n"], exchanged: Int[np.ndarray, " n"], spots: Spots, counts: Path
) -> None:
    """Refuse names of spots that state y before x, as far as the spots that are selected tell.

    Raises
    ------
    DataError
        When nearly all are selected with x and y exchanged, and clearly fewer as they stand.
    """
    n_own, n_exchanged = (int(spots.selected[found[found >= 0]].sum()) for found in (rows, exchanged))
    if n_exchanged >= _SAME * len(rows) and n_exchanged - n_own > _CLEARLY * len(rows):
        raise DataError(
            f"{n_own:,} of its {len(rows):,} spots are selected as they are called, "
            f"{n_exchanged:,} with x and y exchanged",
            where=counts,
            expected="spots called by x, then y ('10x14')",
            remedy="exchange the two in the names of the spots, or name the two files that belong together "
            "(table:, spots:)",
        )


def _check_section(
    rows: Int[np.ndarray, " n"], spots: Spots, matrix: Matrix, counts: Path, file: Path
) -> None:
    """Refuse a matrix and a spot file of different sections, as far as the spots they name tell.

    Raises
    ------
    DataError
        When each lacks many spots of the other, or one is there twice.
    """
    found = rows[rows >= 0]
    twice = pd.Index(found)[pd.Index(found).duplicated()]
    if len(twice):
        raise DataError(
            f"has several rows of one spot: {some([spots.names[row] for row in twice])}",
            where=counts,
            expected="every spot once",
            remedy="take one of each off",
        )
    named = int(spots.selected.sum())
    share = len(found) / min(len(rows), len(spots.array)) if len(found) < len(rows) else 1.0
    if share >= _SAME and len(found):
        return
    missing = [name for name, row in zip(matrix.rows, rows, strict=True) if row < 0]
    there = [name for name, one in zip(spots.names, spots.selected, strict=True) if one]
    lone = sorted(set(there) - {spots.names[row] for row in found})
    raise DataError(
        f"{len(missing):,} of its {len(rows):,} spots are not in {file.name} ({_first(missing)}), and "
        f"{len(lone):,} of the {named:,} there not here ({_first(lone)})",
        where=counts,
        expected="counts and spot file of one section",
        remedy=both_sides(missing, spots.names, "name the two that belong together (table:, spots:)"),
    )


def _pixel_size(
    pitch: Pitch | None, spec: SampleSpec, files: Files
) -> tuple[list[tuple[str, float]], tuple[str, ...]]:
    """Return the width of a pixel by the pitch of the array, and what is to be said of it.

    Raises
    ------
    DataError
        When the array is none of the two that are known, and nothing states its pitch or the width.
    """
    if pitch is None:
        return [], ()
    notes = []
    if pitch.mirrored:
        notes.append("the array lies mirrored on the image: are pixel_x and pixel_y swapped?")
    um = spec.pitch_um or PITCH_UM.get(pitch.kind or "")
    if um is None:
        if spec.um_per_px is None:
            raise DataError(
                "its spots are neither of an array of 1k nor of 2k: the pitch is unknown",
                where=files.spots,
                expected="33 x 35 places, or more of which every other one is empty",
                remedy="write pitch_um: (the distance of neighbours in micrometres) in dataset.yaml",
            )
        return [], tuple(notes)
    by = "pitch_um" if spec.pitch_um else f"an array of {pitch.kind} spots by its places"
    notes.append(
        f"neighbours lie {pitch.px:.2f} px apart, taken for {um:g} um ({by}): {um / pitch.px:.4g} um/px"
    )
    return [("the pitch of the array", um / pitch.px)], tuple(notes)

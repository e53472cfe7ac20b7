"""``source: xenium``: an output folder of a Xenium instrument or of Xenium Ranger, with a separate H&E image.

``path`` holds ``experiment.xenium``, ``cells`` (parquet or csv) and ``cell_feature_matrix`` (``.h5``, folder,
``.tar.gz`` or ``.zarr.zip``); nothing else is needed.  Names may carry that of the sample before
them.  ``image:`` is the H&E image, and ``alignment:`` says
how it lies on the morphology image, in whose frame the instrument gives all places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix

from prestige.data.columns.genes import SYMBOLS
from prestige.data.columns.measured import only_rows
from prestige.data.columns.mismatch import both_sides
from prestige.data.columns.totals import totals_of
from prestige.data.platforms.matrix import Matrix
from prestige.data.platforms.matrix_10x import contradiction
from prestige.data.platforms.xenium.cells import Cells, read_cells
from prestige.data.platforms.xenium.folder import Folder, opened_folder
from prestige.data.platforms.xenium.manifest import NAME, Manifest
from prestige.data.platforms.xenium.matrix import opened_matrix
from prestige.data.platforms.xenium.named import COPY
from prestige.data.platforms.xenium.nuclei import read_outlines
from prestige.data.platforms.xenium.registered import MOST_APART, register
from prestige.data.platforms.xenium.transcripts import nucleus_counts
from prestige.data.prepared import Prepared
from prestige.data.readers.with_image import prepare_with_image
from prestige.data.sample import Counts, Table
from prestige.data.spec import SampleSpec
from prestige.data.tables import place_rows, row_sums
from prestige.errors import DataError
from prestige.text import some


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare the cells of the output folder ``spec.path`` on the H&E image ``spec.image``.

    Raises
    ------
    DataError
        For a missing or damaged file, ids of two files that do not match, an alignment that is absent, in the
        wrong direction or of another image, and a fluorescence image in place of an H&E.
    """
    assert spec.image is not None  # the registry of sources sees to it
    folder, manifest = opened_folder(
        spec.path,
        um_per_px=spec.morphology_um_per_px,
        counts_of=spec.counts_of or "cell",
        centre_of=spec.centre_of or "cell",
        counts=counts,
        sample=spec.id,
    )
    registered = register(spec.image, spec.alignment, manifest, spec.path, trusted=spec.um_per_px is not None)
    rules = {
        "cropped": bool(spec.trust_alignment),
        f"morphology {manifest.um_per_px}": spec.morphology_um_per_px is not None,
        "identity": not isinstance(spec.alignment, Path),
    }
    alignment = {"alignment": spec.alignment} if isinstance(spec.alignment, Path) else {}

    def table() -> Table:
        all_cells = read_table(folder, manifest, registered.on_image)
        return registered.on_it(all_cells, trusted=bool(spec.trust_alignment))

    return prepare_with_image(
        spec,
        cache_dir,
        source="xenium/1",
        image=registered.image,
        table_files={**folder.files, **alignment},
        read_table=table,
        stated_um=[("the alignment" if alignment else NAME, registered.um_per_px)],
        most_apart=MOST_APART,
        rules=tuple(name for name, holds in rules.items() if holds),
        platform=manifest.said,
    )


def read_table(
    folder: Folder, manifest: Manifest, on_image: Callable[[Float[np.ndarray, "n 2"]], np.ndarray]
) -> Table:
    """Read the cells of an output folder with their counts.

    Totals are its own ``transcript_counts`` where they can be true.

    Parameters
    ----------
    on_image
        Takes micrometres from the corner of the morphology image to pixels of the H&E image.

    Raises
    ------
    DataError
        When files are damaged or contradict each other.
    """
    cells = read_cells(folder.cells)
    notes = [manifest.said]
    if manifest.n_cells is not None and manifest.n_cells != len(cells.ids):
        notes.append(f"{NAME} says {manifest.n_cells:,} cells, {folder.cells.name} has {len(cells.ids):,}")
    counted = _counted(folder, cells)
    obs, sums = cells.obs, row_sums(counted.counts)
    totals = sums
    if cells.transcript_counts is not None and folder.transcripts is None and counted.genes:
        stated = pd.DataFrame({"transcript_counts": cells.transcript_counts}, index=cells.ids)
        how = {"n_genes": len(counted.genes), "measured": counted.measured, "column": "transcript_counts"}
        found = totals_of(stated, sums, where=cells.where, **how)
        totals = found.values
        notes += [found.note] if found.note else []
    xy_um, of_centres = _centres(folder, cells)
    obs = obs.assign(measured=counted.measured, total_counts=totals)
    notes += [*counted.notes, *of_centres]
    return Table(obs, np.ascontiguousarray(on_image(xy_um)), counted.counts, counted.genes, tuple(notes))


@dataclass(frozen=True, eq=False)
class _Counted:
    counts: csr_matrix
    genes: tuple[str, ...]
    measured: Bool[np.ndarray, " n"]
    notes: tuple[str, ...]


def _counted(folder: Folder, cells: Cells) -> _Counted:
    """Return the counts of the cells, or of their nuclei, in the order of the table of cells."""
    n = len(cells.ids)
    if folder.matrix is None:
        return _Counted(csr_matrix(np.zeros((n, 0), np.float32)), (), np.zeros(n, dtype=bool), ())
    numbered = all(one.isdecimal() for one in cells.ids)
    with opened_matrix(folder.matrix, numbered=numbered) as matrix:
        rows = _rows(matrix, cells)
        genes, notes = matrix.genes.names, list(matrix.genes.notes)
        if folder.beside is not None and (note := contradiction(matrix, folder.beside)):
            notes.append(note)
        measured = np.zeros(n, dtype=bool)
        measured[rows] = True
        if len(rows) < n:
            notes.append(
                f"{some(cells.ids[~measured])} of {folder.cells.name} are not in {folder.matrix.name}: "
                "not measured"
            )
        if folder.transcripts is None:
            counts = matrix.counts()
            in_order = len(rows) == n and bool((np.diff(rows) > 0).all())
            return _Counted(
                counts if in_order else place_rows(rows, counts, n), genes, measured, tuple(notes)
            )
        symbols = set(matrix.features[SYMBOLS])
        by_id = [name for name in genes if name not in symbols]
    counts = nucleus_counts(folder.transcripts, cells.ids, genes)
    if by_id:
        notes.append(f"transcripts name genes by symbols, which these share: {some(by_id)} have no counts")
    without = measured & ~cells.has_nucleus
    if without.any():
        notes.append(f"{int(without.sum()):,} of {n:,} cells have no nucleus: not measured")
    measured &= cells.has_nucleus
    if without.any() and not measured.any():
        raise DataError(
            "no cell that was counted has a nucleus (nucleus_count, nucleus_area)",
            where=cells.where,
            expected="counts of nuclei, as dataset.yaml asks for",
            remedy="take the line counts_of: nucleus away",
        )
    notes.append("counts are those of nuclei: transcripts of quality 20 or more that lie over the nucleus")
    return _Counted(only_rows(counts, measured), genes, measured, tuple(notes))


def _rows(matrix: Matrix, cells: Cells) -> Int[np.ndarray, " m"]:
    """Return the row of the table of cells that each row of the matrix is of."""
    if not matrix.ids.is_unique:
        raise DataError(
            f"cells that are there twice: {some(matrix.ids[matrix.ids.duplicated()])}",
            where=matrix.path,
            expected="every cell once",
            remedy=COPY,
        )
    rows = cells.ids.get_indexer(matrix.ids)
    strange = rows < 0
    if strange.any():
        what = (
            "none of its cells is" if strange.all() else f"cells that are not: {some(matrix.ids[strange])},"
        )
        raise DataError(
            f"{what} in {cells.where}",
            where=matrix.path,
            expected="a place for every cell that was counted",
            remedy=both_sides(list(matrix.ids[strange]), list(cells.ids), "take both from one run"),
        )
    return rows.astype(np.int64)


def _centres(folder: Folder, cells: Cells) -> tuple[Float[np.ndarray, "n 2"], tuple[str, ...]]:
    """Return the centres of the cells, or of their nuclei, in micrometres, and notes."""
    if folder.outlines is None:
        return cells.xy_um, ()
    of_nuclei = read_outlines(folder.outlines, cells.ids).centroids(len(cells.ids))
    without = np.asarray(np.isnan(of_nuclei).any(axis=1))
    notes = [f"centres are those of the nuclei in {folder.outlines.name}"]
    if without.any():
        notes.append(f"{some(cells.ids[without])} have no nucleus there: their own centre was taken")
    return np.where(without[:, None], cells.xy_um, of_nuclei), tuple(notes)

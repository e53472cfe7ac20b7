"""``source: challenge``: SpatialData stores of the Autoimmune Disease Machine Learning Challenge.

Elements read: images ``HE_original`` and ``HE_nuc_original`` (a nucleus' label = its cell_id), tables
``cell_id-group`` (all cells) and ``anucleus`` (the measured ones; raw counts in ``layers["counts"]``).
``image_element: HE_registered`` takes the H&E image of the large variant that was registered to DAPI, and
its labels.  ``DAPI``, ``transcripts`` and all else of that variant is left where it is.
Both on-disk formats (zarr 2 and 3) are read with zarr and anndata alone, chunk by chunk.

A cell's centre is the centroid of its label. ``obsm["spatial"]`` lies in the frame of the registered DAPI
image and is never read.  A section without tables (H&E alone) has a cell for each label.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int, UInt8
from scipy.sparse import csr_matrix, vstack

from prestige.data.cache import Recipe, prepare
from prestige.data.columns.mismatch import both_sides
from prestige.data.frames import read_columns
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.prepared import Prepared
from prestige.data.sample import Counts, Table
from prestige.data.spec import SampleSpec
from prestige.data.stores.images import damaged_colours, write_image
from prestige.data.stores.labels import labels_in, read_centres
from prestige.data.stores.links import link
from prestige.data.stores.zarrs import IMAGE_AXES, check_elements, element, other_elements
from prestige.data.tables import (
    counts_beside,
    place_rows,
    read_counts,
    read_frame,
    read_genes,
    row_sums,
)
from prestige.errors import AGAIN, DataError, reading, unknown
from prestige.inputs import plain_file
from prestige.text import some

NAME = "HE_nuc_original"
IMAGE, MASK = "images/HE_original", f"images/{NAME}"  # which the challenge's commands ask for too
CELLS, COUNTS = "tables/cell_id-group", "tables/anucleus"
WHOLE = "a whole SpatialData store in the challenge's layout"
WITHOUT = "without it a section can be predicted, not trained on, split or scored"
ASSUMED_UM_PER_PX = 0.5
"""Follows from the extents of the challenge's H&E and Xenium images; the challenge states none."""
REGISTERED_UM_PER_PX = 0.2125
"""Of Xenium's images, to one of which the registered H&E image was warped; the challenge states none."""


@dataclass(frozen=True)
class Frame:
    """An H&E image of a store, the labels of its nuclei, and the assumed width of its pixels."""

    image: str = IMAGE
    mask: str = MASK
    um_per_px: float = ASSUMED_UM_PER_PX


FRAMES = {
    "HE_original": Frame(),
    "HE_registered": Frame("images/HE_registered", "images/HE_nuc_registered", REGISTERED_UM_PER_PX),
}


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare the challenge store at ``spec.path``; ``spec.expression`` adds measured cells.

    Where counts are optional, a store without the table of measured cells is a section of H&E alone.

    Raises
    ------
    DataError
        For a missing or broken element, cells without a label, ids or counts that contradict each other.
    """
    store, name = spec.path, spec.image_element or "HE_original"
    if name not in FRAMES:
        raise unknown("H&E image", name, FRAMES, where=f"sample '{spec.id}', image_element")
    frame = FRAMES[name]
    table = f"tables/{spec.table}" if spec.table else COUNTS
    he_alone = counts == "optional" and spec.table is None and store.is_dir() and not (store / table).exists()
    has_cells = not he_alone or spec.expression is not None or (store / CELLS).exists()
    elements = (frame.image, frame.mask, *([CELLS] if has_cells else []), *([] if he_alone else [table]))
    check_elements(store, elements, None if he_alone else WITHOUT, expected=WHOLE)
    table_files = {"mask": store / frame.mask}
    if has_cells:
        table_files["cells"] = store / CELLS
    if not he_alone:
        table_files["counts"] = store / table
    if spec.expression is not None:
        table_files["expression"] = plain_file(spec.expression, expected="an .h5ad table of raw counts")
    read_from = None if he_alone else table
    return prepare(
        Recipe(
            source="challenge/2",
            where=f"sample '{spec.id}'",
            slide_files={"image": store / frame.image},
            table_files=table_files,
            write_slide=lambda target: _write_checked(store, elements, target),
            read_table=lambda pixels: (
                read_table(store, pixels, counts=read_from, expression=spec.expression, frame=frame)
                if has_cells
                else _every_label(store, pixels, frame)
            ),
            um_per_px=frame.um_per_px,
            um_per_px_assumed=True,
            rules=_rules(store, read_from),
        ),
        cache_dir,
    )


def _write_checked(store: Path, elements: tuple[str, ...], target: Path) -> None:
    """Decode the slide when no element names a codec that is not read: told before minutes of decoding."""
    for name in elements:
        with element(store, name, whole=False):
            pass
    write_image(store, elements[0], target)


def _rules(store: Path, counts: str | None) -> tuple[str, ...]:
    """Name the rules by which a store is read otherwise than before there were any."""
    if counts is None:
        return ()
    with element(store, counts, whole=False) as group:
        return ("genes",) if read_genes(group, where=f"{store}, {counts}").notes else ()


@dataclass(frozen=True, eq=False)
class _Expression:
    """Measured cells: ids, counts, genes and where they were read."""

    ids: Int[np.ndarray, "n"]
    counts: csr_matrix
    genes: tuple[str, ...]
    where: str
    notes: tuple[str, ...] = ()
    beside: str | None = None


def read_table(
    store: Path,
    pixels: UInt8[np.ndarray, "height width 3"],
    *,
    counts: str | None = COUNTS,
    expression: Path | None = None,
    frame: Frame = FRAMES["HE_original"],
) -> Table:
    """Read all cells of a store, those measured with their counts.

    Parameters
    ----------
    store
        The SpatialData store.
    pixels
        The decoded H&E image.
    counts
        The table of measured cells; None where there is none.
    expression
        A further ``.h5ad`` of measured cells.
    frame
        The H&E image and its labels.

    Raises
    ------
    DataError
        When elements are broken or contradict each other.
    """
    masks = {one.mask for one in FRAMES.values()}
    others = [name for name in other_elements(store, frame.mask) if f"images/{name}" not in masks]
    where = f"{store}, {CELLS}"
    with element(store, CELLS) as group:
        cells, left_out = read_columns(group, "obs", where=where)
        linked = link(group, cells, mask=NAME, others=others, where=where)
        if counts is not None or "group" in cells.columns:
            _check_groups(cells, group, where)
    cells, ids = cells[linked.kept], linked.ids
    parts, notes = [], [*damaged_colours(pixels, frame.image), *linked.notes, *left_out]
    if counts is not None:
        with element(store, counts) as group:
            parts.append(_read_expression(group, f"{store}, {counts}", others))
    if expression is not None:
        with opened_h5ad(expression) as file:
            further = _read_expression(file, str(expression), others)
        known = np.isin(further.ids, ids)
        further = _aligned(further, parts[0].genes) if parts else further
        if not known.any():
            raise DataError(
                "none of its cells is in the store",
                where=expression,
                expected="obs['cell_id'] of the cells in cell_id-group",
            )
        if not known.all():
            strange = f"{int((~known).sum()):,} rows of {expression.name}"
            notes.append(f"{strange} name no cell of the store: left out")
            further = replace(further, ids=further.ids[known], counts=further.counts[known])
        parts.append(further)
    notes += [note for part in parts for note in part.notes]
    genes = parts[0].genes if parts else ()
    placed, is_measured = _joined(parts, ids)
    xy_px, of_labels = read_centres(store, frame.mask, frame.image, ids, pixels)
    obs = cells.drop(columns=["measured", "total_counts"], errors="ignore")
    obs.index = pd.Index(ids.astype(str))
    obs = obs.assign(cell_id=ids, measured=is_measured, total_counts=row_sums(placed))
    beside = next((part.beside for part in parts if part.beside is not None), None)
    return Table(obs, xy_px, placed, genes, (*notes, *of_labels), beside)


def _every_label(store: Path, pixels: UInt8[np.ndarray, "height width 3"], frame: Frame) -> Table:
    """Return a cell for each label of a section without tables."""
    ids = labels_in(store, frame.mask, IMAGE_AXES)
    xy_px, notes = read_centres(store, frame.mask, frame.image, ids, pixels)
    obs = pd.DataFrame({"cell_id": ids, "measured": False, "total_counts": 0.0}, index=ids.astype(str))
    none = csr_matrix(np.zeros((len(ids), 0), dtype=np.float32))
    said = f"no {CELLS} in the store: a cell for each of the {len(ids):,} labels of {frame.mask}"
    return Table(obs, xy_px, none, (), (*damaged_colours(pixels, frame.image), *notes, said))


def _check_groups(cells: pd.DataFrame, group: Any, where: str) -> None:
    if "group" not in cells.columns:
        raise DataError("obs has no column 'group'", where=where, expected=WHOLE)
    with reading(where, part="obs['group']"):
        array = group["obs/group"]
        stored = getattr(array, "nchunks_initialized", None)
        cut = stored is not None and 0 < stored < array.nchunks
    if cut:
        raise DataError("chunks of obs['group'] are not there", where=where, expected=WHOLE, remedy=AGAIN)


def _read_expression(group: Any, where: str, others: list[str]) -> _Expression:
    counts = read_counts(group, where=where)
    beside = counts_beside(group, counts, where=where)
    obs, genes = read_frame(group, "obs", where=where), read_genes(group, where=where)
    counts = genes.of(counts)
    linked = link(group, obs, mask=NAME, others=others, where=where)
    if counts.shape != (len(obs), len(genes.names)):
        raise DataError(
            f"counts of shape {counts.shape} for {len(obs)} cells and {len(genes.names)} genes",
            where=where,
            expected=WHOLE,
        )
    counts = counts if linked.kept.all() else csr_matrix(counts[linked.kept])
    return _Expression(linked.ids, counts, genes.names, where, (*genes.notes, *linked.notes), beside)


def _aligned(part: _Expression, genes: tuple[str, ...]) -> _Expression:
    """Return the counts with their columns in the order of ``genes``."""
    place = {name: column for column, name in enumerate(part.genes)}
    missing = [name for name in genes if name not in place]
    if missing:
        none = len(missing) == len(genes)
        raise DataError(
            "has none of the genes of the store" if none else f"lacks genes of the store: {some(missing)}",
            where=part.where,
            expected=f"the {len(genes)} genes of {COUNTS}",
            remedy=both_sides(missing, part.genes, "check species and kind of gene names"),
        )
    counts = csr_matrix(part.counts[:, [place[name] for name in genes]])
    counts.sort_indices()
    return replace(part, counts=counts, genes=genes)


def _joined(parts: list[_Expression], ids: Int[np.ndarray, "n"]) -> tuple[csr_matrix, np.ndarray]:
    """Return the counts in the order of ``ids``, and who has any."""
    if not parts:
        return csr_matrix(np.zeros((len(ids), 0), dtype=np.float32)), np.zeros(len(ids), dtype=bool)
    all_ids = pd.Index(np.concatenate([part.ids for part in parts]))
    twice = all_ids[all_ids.duplicated()]
    if len(twice):
        raise DataError(
            f"cells that {COUNTS} has already: {some(twice)}",
            where=parts[-1].where,
            expected="every cell once",
        )
    rows = pd.Index(ids).get_indexer(all_ids)
    if (rows < 0).any():
        raise DataError(
            f"cells that {CELLS} does not list: {some(all_ids[rows < 0])}",
            where=parts[0].where,
            expected="cells of the store",
            remedy=AGAIN,
        )
    counts = csr_matrix(vstack([part.counts for part in parts], format="csr"))
    measured = np.zeros(len(ids), dtype=bool)
    measured[rows] = True
    return place_rows(rows, counts, len(ids)), measured

"""``source: challenge``: SpatialData stores of the Autoimmune Disease Machine Learning Challenge.

Elements read: images ``HE_original`` and ``HE_nuc_original`` (a nucleus' label = its cell_id), tables
``cell_id-group`` (all cells) and ``anucleus`` (the measured ones; raw counts in ``layers["counts"]``).
Both on-disk formats (zarr 2 and 3) are read with zarr and anndata alone, chunk by chunk.

A cell's centre is the centroid of its label. ``obsm["spatial"]`` lies in the frame of the registered DAPI
image and is never read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, UInt8
from scipy.sparse import csr_matrix, vstack

from prestige.compute.progress import Progress
from prestige.compute.threads import as_done
from prestige.data.cache import Recipe, prepare
from prestige.data.columns.ids import whole_ids
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.prepared import Prepared
from prestige.data.readers.centroids import Centroids
from prestige.data.readers.zarrs import AGAIN, WHOLE, check_elements, chunks, element, level0, windows_of
from prestige.data.sample import Table
from prestige.data.slides.slide import MOST_HELD_BYTES, Held, checked_image, new_pixels
from prestige.data.spec import SampleSpec
from prestige.data.tables import (
    place_rows,
    read_counts,
    read_frame,
    read_genes,
    row_sums,
)
from prestige.errors import DataError
from prestige.text import some

IMAGE, MASK = "images/HE_original", "images/HE_nuc_original"
CELLS, COUNTS = "tables/cell_id-group", "tables/anucleus"
ASSUMED_UM_PER_PX = 0.5
"""Follows from the extents of the challenge's H&E and Xenium images; the challenge states none."""


def read(spec: SampleSpec, cache_dir: Path) -> Prepared:
    """Prepare the challenge store at ``spec.path``; ``spec.expression`` adds measured cells.

    Raises
    ------
    DataError
        For a missing or broken element, cells without a label, ids or counts that contradict each other.
    """
    store = spec.path
    counts = f"tables/{spec.table}" if spec.table else COUNTS
    elements = (IMAGE, MASK, CELLS, counts)
    check_elements(store, elements)
    if spec.expression is not None and not spec.expression.is_file():
        raise DataError("no such file", where=spec.expression, expected="an .h5ad table of raw counts")
    table_files = {"mask": store / MASK, "cells": store / CELLS, "counts": store / counts}
    if spec.expression is not None:
        table_files["expression"] = spec.expression
    return prepare(
        Recipe(
            source="challenge/2",
            where=f"sample '{spec.id}'",
            slide_files={"image": store / IMAGE},
            table_files=table_files,
            write_slide=lambda target: write_slide(store, target),
            read_table=lambda pixels: read_table(store, pixels, counts=counts, expression=spec.expression),
            um_per_px=ASSUMED_UM_PER_PX,
            um_per_px_assumed=True,
        ),
        cache_dir,
    )


def write_slide(store: Path, target: Path) -> None:
    """Decode ``HE_original`` into a new slide file, each chunk once, on all cores.

    Raises
    ------
    DataError
        When it is cut off or not 8 bit RGB.
    """
    with element(store, IMAGE) as group:
        array = level0(group, f"{store}, {IMAGE}")
        channels, height, width = array.shape
        checked_image((height, width, channels), array.dtype, where=f"{store}, {IMAGE}")
        windows = windows_of(array)
        with (
            new_pixels(target, height, width) as pixels,
            Progress(f"decoding {IMAGE}", len(windows)) as progress,
        ):

            def copy(window: tuple[slice, slice]) -> None:
                pixels[window] = array[:, *window].transpose(1, 2, 0)

            held = Held(MOST_HELD_BYTES)
            for _ in as_done(copy, windows):
                held.trim(pixels)
                progress.advance()


@dataclass(frozen=True, eq=False)
class _Expression:
    """Measured cells: ids, counts, genes and where they were read."""

    ids: Int[np.ndarray, "n"]
    counts: csr_matrix
    genes: tuple[str, ...]
    where: str


def read_table(
    store: Path,
    pixels: UInt8[np.ndarray, "height width 3"],
    *,
    counts: str = COUNTS,
    expression: Path | None = None,
) -> Table:
    """Read all cells of a store, those measured with their counts.

    Parameters
    ----------
    store
        The SpatialData store.
    pixels
        The decoded ``HE_original``.
    counts
        The table of measured cells.
    expression
        A further ``.h5ad`` of measured cells.

    Raises
    ------
    DataError
        When elements are broken or contradict each other.
    """
    with element(store, CELLS) as group:
        where = f"{store}, {CELLS}"
        cells = read_frame(group, "obs", where=where)
        ids = _ids(cells, where)
        _check_groups(cells, group, where)
    with element(store, counts) as group:
        measured = _read_expression(group, f"{store}, {counts}")
    parts, notes = [measured], _colour_notes(pixels)
    if expression is not None:
        with opened_h5ad(expression) as file:
            further = _aligned(_read_expression(file, str(expression)), measured.genes)
        known = np.isin(further.ids, ids)
        if not known.any():
            raise DataError(
                "none of its cells is in the store",
                where=expression,
                expected="obs['cell_id'] of the cells in cell_id-group",
            )
        if not known.all():
            left_out = f"{int((~known).sum()):,} rows of {expression.name}"
            notes.append(f"{left_out} name no cell of the store: left out")
            further = replace(further, ids=further.ids[known], counts=further.counts[known])
        parts.append(further)
    placed, is_measured = _joined(parts, ids)
    xy_px = _centres(store, ids, pixels)
    obs = cells.drop(columns=["measured", "total_counts"], errors="ignore")
    obs.index = pd.Index(ids.astype(str))
    obs = obs.assign(cell_id=ids, measured=is_measured, total_counts=row_sums(placed))
    return Table(obs=obs, xy_px=xy_px, counts=placed, genes=measured.genes, notes=tuple(notes))


def _colour_notes(pixels: UInt8[np.ndarray, "height width 3"]) -> list[str]:
    """Say when the background has the colour of RGB white that was once decoded as if it were YCbCr."""
    seen = np.asarray(pixels[:: max(1, len(pixels) // 256), :: max(1, pixels.shape[1] // 256)]).reshape(-1, 3)
    share = float((np.abs(seen.astype(np.int16) - (255, 121, 255)).max(axis=1) <= 12).mean())
    if share < 0.02:
        return []
    return [
        f"{share:.0%} of the image is (255, 121, 255), which white becomes when RGB is decoded as YCbCr: "
        "the colours of HE_original were probably damaged when the store was written"
    ]


def _ids(obs: pd.DataFrame, where: str) -> Int[np.ndarray, "n"]:
    """Return cell ids as whole numbers: the column ``cell_id``, else the row names.

    Raises
    ------
    DataError
        For ids that are no whole numbers above 0, or are there twice.
    """
    named = pd.Series(obs["cell_id"] if "cell_id" in obs.columns else obs.index)
    return whole_ids(named, where=where, what="cell ids", expected="the labels of HE_nuc_original")


def _check_groups(cells: pd.DataFrame, group: Any, where: str) -> None:
    if "group" not in cells.columns:
        raise DataError("obs has no column 'group'", where=where, expected=WHOLE)
    array = group["obs/group"]
    stored = getattr(array, "nchunks_initialized", None)
    if stored is not None and 0 < stored < array.nchunks:
        raise DataError("chunks of obs['group'] are not there", where=where, expected=WHOLE, remedy=AGAIN)


def _read_expression(group: Any, where: str) -> _Expression:
    counts = read_counts(group, where=where)
    ids, genes = _ids(read_frame(group, "obs", where=where), where), read_genes(group, where=where)
    if counts.shape != (len(ids), len(genes)):
        raise DataError(
            f"counts of shape {counts.shape} for {len(ids)} cells and {len(genes)} genes",
            where=where,
            expected=WHOLE,
        )
    return _Expression(ids, counts, genes, where)


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
        )
    counts = csr_matrix(part.counts[:, [place[name] for name in genes]])
    counts.sort_indices()
    return replace(part, counts=counts, genes=genes)


def _joined(parts: list[_Expression], ids: Int[np.ndarray, "n"]) -> tuple[csr_matrix, np.ndarray]:
    """Return the counts in the order of ``ids``, and who has any."""
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


def _centres(
    store: Path, ids: Int[np.ndarray, "n"], pixels: UInt8[np.ndarray, "height width 3"]
) -> Float[np.ndarray, "n 2"]:
    """Return the centroids of the cells' labels in pixels of the H&E image."""
    where = f"{store}, {MASK}"
    with element(store, MASK) as group:
        array = level0(group, where)
        if array.shape[0] != 1 or not np.issubdtype(array.dtype, np.integer):
            raise DataError(
                f"has {array.shape[0]} channels of {array.dtype}",
                where=where,
                expected="one channel of whole numbers",
            )
        if array.shape[1:] != pixels.shape[:2]:
            raise DataError(
                f"is {array.shape[2]} x {array.shape[1]} px, the image {pixels.shape[1]} x {pixels.shape[0]}",
                where=where,
                expected="a mask of the image's size",
            )
        centroids = Centroids(ids)
        for y, x in chunks(array, f"reading {MASK}"):
            centroids.add(array[0, y, x], y.start, x.start)
    xy_px = centroids.xy_px()
    lost = np.isnan(xy_px).any(axis=1)
    if lost.any():
        raise DataError(
            f"cells without a label in the mask: {some(ids[lost].tolist())}",
            where=where,
            expected="a label for every cell of cell_id-group",
            remedy="copy the store again if it was cut off, or take these cells off the tables",
        )
    _check_image_whole(store, xy_px, pixels)
    return xy_px


def _check_image_whole(
    store: Path, xy_px: Float[np.ndarray, "n 2"], pixels: UInt8[np.ndarray, "height width 3"]
) -> None:
    """Refuse a chunk that is not on the disk, which reads as black, where it has cells."""
    with element(store, IMAGE) as group:
        array = level0(group, f"{store}, {IMAGE}")
        if array.nchunks_initialized == array.nchunks:
            return
        places = np.rint(xy_px).astype(np.int64)
        for y, x in chunks(array, f"checking {IMAGE}"):
            inside = (places >= (x.start, y.start)).all(axis=1) & (places < (x.stop, y.stop)).all(axis=1)
            if inside.any() and not pixels[y, x].any():
                raise DataError(
                    f"no pixels under {int(inside.sum()):,} of the cells (from x {x.start}, y {y.start})",
                    where=f"{store}, {IMAGE}",
                    expected=WHOLE,
                    remedy="copy it again: it was cut off",
                )

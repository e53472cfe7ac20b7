"""A prepared sample: the one form that everything behind the readers reads.

A folder of three files, complete in itself: copy it to any machine and name it in dataset.yaml with
``source: prepared``; reading it needs numpy, pandas, scipy and anndata alone.

``slide.npy``
    (height, width, 3) uint8 pixels, uncompressed, to be memory-mapped.
``table.h5ad``
    X raw counts, ``obs`` with ``measured`` and ``total_counts``, ``obsm["spatial"]`` centres in slide pixels.
``sample.json``
    Written last: sizes, fingerprints, the pixel size that the source stated, notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from prestige.data.card import SLIDE, TABLE, Card, checksums_of, read_card, write_card
from prestige.data.columns.measured import yes_or_no
from prestige.data.columns.places import read_places
from prestige.data.columns.totals import as_totals
from prestige.data.frames import storable
from prestige.data.hdf5.h5ad import write_h5ad
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.sample import Table
from prestige.data.slides.slide import open_pixels
from prestige.data.tables import canonical, read_frame, read_matrix, read_part, row_sums
from prestige.errors import DataError
from prestige.text import some


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared folder, opened: its card, its pixels (memory-mapped) and its table."""

    folder: Path
    card: Card
    pixels: UInt8[np.ndarray, "height width 3"]
    table: Table


def write_prepared(folder: Path, table: Table, card: Card) -> None:
    """Write table and card into ``folder``, which holds ``slide.npy`` already.

    Raises
    ------
    OSError
        When there is no room, or no right to write.
    """
    import anndata

    height, width, _ = open_pixels(folder / SLIDE).shape
    obs, left_out = storable(table.obs.set_axis(pd.Index(table.obs.index.astype(str), name=None)))
    var = pd.DataFrame(index=pd.Index(list(table.genes), dtype=object))
    centres: dict[str, Any] = {"spatial": table.xy_px}
    out = anndata.AnnData(X=table.counts, obs=obs, var=var, obsm=centres)
    write_h5ad(out, folder / TABLE)
    counted = {"width_px": width, "height_px": height, "n_obs": len(obs), "n_genes": len(table.genes)}
    write_card(folder, card, [*table.notes, *left_out], {**counted, "checksums": checksums_of(folder)})


def read_prepared(folder: Path) -> Prepared:
    """Open a prepared folder.

    Raises
    ------
    DataError
        When it is none, is unfinished or cut off, or was written by a newer version.
    """
    content = read_card(folder)
    for name, size in content.bytes.items():
        there = (folder / name).stat().st_size if (folder / name).is_file() else None
        if there != size:
            raise DataError(
                f"the file '{name}' is missing" if there is None else f"'{name}' has {there:,} bytes",
                where=folder,
                expected=f"{size:,} bytes",
                remedy="copy the folder again: it was cut off",
            )
    pixels, table = open_pixels(folder / SLIDE), _read_table(folder / TABLE, content.notes)
    return Prepared(folder, content.card, pixels, table)


def _read_table(path: Path, notes: list[str]) -> Table:
    where = str(path)
    with opened_h5ad(path) as file:
        obs = read_frame(file, "obs", where=where)
        counts = canonical(read_matrix(file, "X", where=where), where=where)
        xy_px = read_places(read_part(file, "obsm/spatial", where=where), obs.index, where=where)
        genes = tuple(str(name) for name in read_frame(file, "var", where=where).index)
    missing = {"measured", "total_counts"} - set(obs.columns)
    if missing:
        raise DataError(f"obs has no column '{min(missing)}'", where=where, expected="a prepared table")
    obs.index = pd.Index(obs.index.astype(str), name=None)
    measured = yes_or_no(pd.Series(obs["measured"]), where=where, column="measured")
    totals = as_totals(pd.Series(obs["total_counts"]), where=where)
    if counts.shape[0] == len(obs):  # else it is told with the other faults
        low = totals < row_sums(counts) * (1 - 1e-6)  # sums of single precision
        if low.any():
            raise DataError(
                f"obs['total_counts'] is below the sum of the counts in {some(obs.index[low])}",
                where=where,
                expected="the counts of each observation over all genes",
                remedy="prepare the sample again",
            )
    obs = obs.assign(measured=measured, total_counts=totals)
    return Table(obs=obs, xy_px=xy_px, counts=counts, genes=genes, notes=tuple(notes))

"""A table as AnnData writes it, with places: observations, centres, raw counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool
from scipy.sparse import csr_matrix

from prestige.data.columns.genes import Genes, are_numbered
from prestige.data.columns.measured import measured_rows, only_rows
from prestige.data.columns.places import read_places
from prestige.data.columns.stated_twice import columns_of_places, said_of_places
from prestige.data.columns.totals import totals_of
from prestige.data.frames import read_columns
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.sample import Table
from prestige.data.tables import counts_beside, read_counts, read_frame, read_genes, read_part, row_sums
from prestige.errors import DataError, reading

EXPECTED = "a table that anndata wrote: an .h5ad file, or a zarr store"

_PLACES = "obsm['spatial']: x and y of every observation, in pixels of the full image"

Chosen = Callable[[pd.DataFrame], Bool[np.ndarray, " n"]]
"""Takes obs and says which of its rows are meant."""


@contextmanager
def opened_table(path: Path) -> Iterator[Any]:
    """Open a table of AnnData, an ``.h5ad`` or a folder in zarr.

    Raises
    ------
    DataError
        When it is missing, or neither.
    """
    if not path.is_dir():
        with opened_h5ad(path) as file:
            yield file
        return
    kinds = [name for name in ("images", "labels", "shapes", "tables") if (path / name).is_dir()]
    if kinds and not (path / "obs").is_dir():
        raise DataError(
            f"is no table but a store that holds some ({', '.join(kinds)})",
            where=path,
            expected=EXPECTED,
            remedy="write source: spatialdata",
        )
    if not (path / "obs").is_dir():
        raise DataError(
            "is no table: it has no 'obs'", where=path, expected=EXPECTED, remedy="name the table"
        )
    from prestige.data.stores.zarrs import element  # needs zarr

    with element(path.parent, path.name) as group:
        yield group


def named_genes(group: Any, *, where: str) -> Genes:
    """Return the genes of an open table.

    Raises
    ------
    DataError
        When they have no names.
    """
    columns: list[str] = []
    if "var" in group:
        genes = read_genes(group, where=where)
        if not are_numbered(genes.names):
            return genes
        columns = [str(name) for name in read_frame(group, "var", where=where).columns]
    raise DataError(
        "has no gene names: " + ("they are only numbered" if "var" in group else "'var' is missing"),
        where=where,
        expected="the names of the genes as row names of var, or in var['gene_symbols']",
        remedy=f"name the right one of {', '.join(columns[:8])} gene_symbols"
        if columns
        else "write the table again with them",
    )


def read_annotated(
    file: Any, *, where: str, genes_of: Callable[..., Genes] = named_genes, chosen: Chosen | None = None
) -> Table:
    """Read observations, centres and raw counts of a table; centres alone where it has no counts.

    Totals are the table's own ``obs["total_counts"]`` where it has them and they can be true (never below
    the sum over its genes): such a total counts genes that were taken off the table later.  Rows that
    ``obs["in_tissue"]`` or ``obs["measured"]`` rules out have no counts; controls are no genes.

    Parameters
    ----------
    file
        An open table, in HDF5 or zarr.
    where
        Its name, for messages.
    genes_of
        Reads its genes.
    chosen
        Which of its rows are read; all by default.

    Raises
    ------
    DataError
        When the table is broken or has no ``obsm["spatial"]``, a column says nothing that can be read, or its
        genes have no names.
    """
    obs, left_out = read_columns(file, "obs", where=where)
    has_counts = not has_none(file, where=where)
    counts = read_counts(file, where=where) if has_counts else csr_matrix(np.zeros((len(obs), 0), np.float32))
    beside = counts_beside(file, counts, where=where)
    genes = genes_of(file, where=where) if has_counts else Genes((), None, ())
    spatial = _spatial(file, obs, where)
    obs.index = pd.Index(obs.index.astype(str))
    xy_px = read_places(spatial, obs.index, where=where)
    of_places = said_of_places(obs, xy_px, where=where)
    if chosen is not None and len(obs) == counts.shape[0] == len(xy_px):
        rows = np.flatnonzero(chosen(obs))
        obs, counts, xy_px = obs.iloc[rows], csr_matrix(counts[rows]), xy_px[rows]
    counts = genes.of(counts)
    measured, notes = measured_rows(obs, where=where) if has_counts else (np.zeros(len(obs), bool), ())
    totals = np.zeros(len(obs))
    if counts.shape[0] == len(obs):  # else it is told with the other faults
        counts, n_genes = only_rows(counts, measured), len(genes.names)
        found = totals_of(obs, row_sums(counts), where=where, n_genes=n_genes, measured=measured)
        totals, notes = found.values, (*notes, *([found.note] if found.note else []))
    obs = obs.assign(measured=measured, total_counts=totals)
    said = (*genes.notes, *notes, *of_places, *left_out)
    return Table(obs, xy_px, counts, genes.names, said, beside)


def _spatial(file: Any, obs: pd.DataFrame, where: str) -> Any:
    """Return ``obsm["spatial"]``.

    Raises
    ------
    DataError
        When it is not there, with what is called likewise, in obsm or obs.
    """
    with reading(where, part="the element 'obsm'"):
        holder = file.get("obsm")
        fields = getattr(getattr(holder, "dtype", None), "names", None)
        there = [str(name) for name in (fields or (holder.keys() if hasattr(holder, "keys") else ()))]
    near = [name for name in there if "spatial" in name.lower() or name.lower() in ("x_xy", "coords", "xy")]
    if "spatial" not in there and near:
        raise DataError(
            f"has no obsm['spatial'], but {', '.join(repr(name) for name in near[:3])}",
            where=where,
            expected=_PLACES,
            remedy=f"write obsm['spatial'] = obsm['{near[0]}'] if that is in pixels of the image",
        )
    if "spatial" not in there and (columns := columns_of_places(obs)):
        x, y, frame = columns
        in_px = (
            "" if frame == "px" else " / um_per_px" if frame == "um" else " if these are pixels of the image"
        )
        raise DataError(
            f"has no obsm['spatial'], but obs['{x}'] and obs['{y}']",
            where=where,
            expected=_PLACES,
            remedy=f"write obsm['spatial'] = obs[['{x}', '{y}']].to_numpy(){in_px}",
        )
    return read_part(file, "obsm/spatial", where=where)


def has_none(file: Any, *, where: str) -> bool:
    """Return whether a table has no matrix of counts, or one without a gene."""
    with reading(where):
        if "counts" in file.get("layers", ()):
            return False
        matrix = file.get("X")
        if matrix is None or matrix.attrs.get("encoding-type") == "null":
            return True
        dense = getattr(matrix, "shape", None)
        shape = matrix.attrs.get("shape", ()) if dense is None else dense
        return len(shape) == 2 and int(shape[1]) == 0

"""The parts of an AnnData table, read one by one from an open HDF5 file or zarr group.

Reading parts instead of the whole keeps memory small (the challenge's X is not needed beside its counts)
and lets every fault be named by its element.
"""

from __future__ import annotations

import math
from copy import copy
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.sparse import csc_matrix, csr_matrix, vstack

from prestige.data.columns.counts import LAYER, counts_elsewhere, wrong_values
from prestige.data.columns.genes import Genes, genes_of
from prestige.data.frames import decoded, read_columns
from prestige.errors import AGAIN, DataError, nearest, reading

_BLOCK_ROWS = 16384
_LEAST_CHUNK = 1024  # so many values of a table are not all 0
MOST_COUNTS = 2**31
"""Nobody counts more of one gene in one observation."""


def read_part(group: Any, name: str, *, where: str) -> Any:
    """Read one element of a table (``obs``, ``layers/counts``).

    Raises
    ------
    DataError
        When the element is not there or cannot be decoded.
    """
    part = f"the element '{name}'"
    parent, _, last = name.rpartition("/")
    with reading(where, part=part, expected="a whole table"):
        fields = getattr(getattr(group.get(parent), "dtype", None), "names", None) if parent else None
        if fields and last in fields:  # as anndata wrote obsm in 2018
            return np.asarray(group[parent][last])
        there = name in group
    if not there:
        raise _missing(group, name, where)
    with reading(where, part=part, expected="a whole table"):
        return decoded(group[name])


def _missing(group: Any, name: str, where: str) -> DataError:
    parent, _, last = name.rpartition("/")
    with reading(where, part=f"the element '{parent or '/'}'", expected="a whole table"):
        holder = group[parent] if parent and parent in group else group
        known = sorted(holder.keys() if hasattr(holder, "keys") else holder.dtype.names or ())
    near = nearest(last, known)
    return DataError(
        f"the element '{name}' is missing",
        where=where,
        expected="one of " + ", ".join(known) if known else None,
        remedy=f"did you mean '{near}'?" if near else "write it into the table",
    )


def read_frame(group: Any, name: str, *, where: str) -> pd.DataFrame:
    """Read ``obs`` or ``var`` without the columns that cannot be read and have no meaning here."""
    return read_columns(group, name, where=where)[0]


def read_genes(group: Any, *, where: str) -> Genes:
    """Return the genes by ``var``: see :func:`prestige.data.columns.genes.genes_of`."""
    return genes_of(read_frame(group, "var", where=where))


def counts_beside(group: Any, counts: csr_matrix, *, where: str) -> str | None:
    """Return which other matrices of the table hold counts, in a sentence, where what was read does not."""
    if next(wrong_values(counts.data), None) is None:
        return None
    with reading(where, part="the layers"):
        layers = group.get("layers", {})
        others = {f"layers['{name}']": layers[name] for name in layers if name != LAYER}
        if LAYER in layers and "X" in group:
            others["X"] = group["X"]
        if "raw" in group and "X" in group["raw"]:
            others["raw.X"] = group["raw/X"]
    return counts_elsewhere(others, where=where)


def read_counts(group: Any, *, where: str) -> csr_matrix:
    """Return the counts as (n, G) float32 in compressed rows: ``layers["counts"]`` if there is one, else X.

    Raises
    ------
    DataError
        When the element is missing, cut off, or not numbers.
    """
    with reading(where, part="the element 'layers'", expected="a whole table"):
        name = f"layers/{LAYER}" if "layers" in group and LAYER in group["layers"] else "X"
    with reading(where, part=f"the element '{name}'", expected="a whole table"):
        element = group.get(name)
        dense = hasattr(element, "shape")
    if dense:
        _check_dense(element, f"{where}, '{name}'")
        return _dense_counts(element, name, where=where)
    if element is not None:
        _check_stored(element, f"{where}, '{name}'")
    return canonical(read_matrix(group, name, where=where), where=f"{where}, '{name}'")


def read_matrix(group: Any, name: str, *, where: str) -> Any:
    """Read X or a layer, dense or sparse, as it is stored; see :func:`checked_matrix`.

    Raises
    ------
    DataError
        When it is missing, cannot be read, or is no sound matrix of numbers.
    """
    place = f"{where}, '{name}'"
    half = _half_precision(group, name, where=place)
    matrix = checked_matrix(read_part(group, name, where=where) if half is None else half, where=place)
    if hasattr(matrix, "indptr"):
        with reading(place):
            stored = {part: int(group[name][part].shape[0]) for part in ("data", "indices")}
        if set(stored.values()) != {matrix.nnz}:  # scipy drops what no row holds
            raise DataError(
                f"{stored['data']:,} values and {stored['indices']:,} columns for {matrix.nnz:,} by rows",
                where=place,
                expected="as many",
                remedy=AGAIN,
            )
    return matrix


def _half_precision(group: Any, name: str, *, where: str) -> Any:
    """Return a sparse matrix of half precision as float32, None for all others: scipy has no such type."""
    with reading(where):
        element = group.get(name)
        data = element.get("data") if hasattr(element, "get") else None
        if data is None or np.dtype(data.dtype) != np.float16:
            return None
        form = csc_matrix if element.attrs["encoding-type"] == "csc_matrix" else csr_matrix
        parts = (
            np.asarray(data[()], np.float32),
            np.asarray(element["indices"]),
            np.asarray(element["indptr"]),
        )
        return form(parts, shape=tuple(element.attrs["shape"]))


def checked_matrix(matrix: Any, *, where: str) -> Any:
    """Return a matrix of numbers, in memory or just read, whose parts may be followed.

    The columns that a sparse matrix names are looked at one by one: numpy and scipy do not, and a column that
    is not there ends the process or gives another cell's number.

    Raises
    ------
    DataError
        When it is no matrix, holds no real numbers, or its parts contradict each other.
    """
    if not hasattr(matrix, "dtype") or not hasattr(matrix, "shape"):
        raise DataError(
            "holds no matrix", where=where, expected="numbers, observations x genes", remedy="store such"
        )
    with reading(where, part="the matrix", expected="numbers, observations x genes"):
        kind, shape = matrix.dtype.kind, tuple(matrix.shape)
    if len(shape) != 2 or kind not in "biuf":
        raise DataError(
            "no matrix of numbers", where=where, expected="numbers, observations x genes", remedy="store such"
        )
    if not hasattr(matrix, "check_format"):
        return matrix
    matrix = _of_whole_numbers(matrix, where)
    with reading(where, part="the sparse matrix", expected="rows and columns that are there"):
        matrix.check_format(full_check=True)
        falling = (np.diff(matrix.indptr) < 0).any()  # which scipy passes over where the last is 0 or below
    if falling:
        raise DataError("the sparse matrix is broken (rows end before they begin)", where=where, remedy=AGAIN)
    return matrix


def _of_whole_numbers(matrix: Any, where: str) -> Any:
    """Return a sparse matrix whose rows and columns are told in whole numbers with a sign.

    Raises
    ------
    DataError
        When they are told in anything but whole numbers, which scipy warns of and goes on.
    """
    for part in ("indptr", "indices"):
        values = getattr(matrix, part)
        if values.dtype.kind not in "iu":
            raise DataError(
                f"the sparse matrix is broken ({part} of the type {values.dtype})",
                where=where,
                expected="whole numbers",
                remedy=AGAIN,
            )
        if values.dtype.kind == "u":
            matrix = copy(matrix)
            setattr(matrix, part, values.astype(np.int64))
    return matrix


def canonical(counts: Any, *, where: str) -> csr_matrix:
    """Return a sparse matrix as float32 rows with sorted columns and no stored zeros.

    Raises
    ------
    DataError
        When its parts contradict each other.
    """
    with reading(where, part="the matrix"):
        counts = checked_matrix(counts, where=where)
        with np.errstate(over="ignore"):  # what float32 does not hold is infinite, and refused as such
            out = csr_matrix(counts, dtype=np.float32)
    stored = out.nnz
    if not out.has_canonical_format:
        out.sum_duplicates()
    if out.nnz != stored:
        raise DataError(
            "the sparse matrix names a gene twice in one row",
            where=where,
            expected="every gene once a row",
            remedy="copy it again if it was cut off",
        )
    out.eliminate_zeros()
    return _of_counts(out, where)


def _of_counts(matrix: csr_matrix, where: str) -> csr_matrix:
    """Refuse finite numbers that nobody counts; what is not finite is told later, with its observations."""
    most = float(matrix.data.max(initial=0))
    if MOST_COUNTS < most < np.inf:
        raise DataError(
            f"a count is {most:.3g}",
            where=where,
            expected=f"at most {MOST_COUNTS:,} of a gene in an observation",
            remedy="store raw counts",
        )
    return matrix


def _dense_counts(element: Any, name: str, *, where: str) -> csr_matrix:
    place = f"{where}, '{name}'"
    checked_matrix(element, where=place)
    with reading(place, expected="a whole table"):
        starts = range(0, max(1, element.shape[0]), _BLOCK_ROWS)
        with np.errstate(over="ignore"):
            blocks = [csr_matrix(np.asarray(element[a : a + _BLOCK_ROWS], dtype=np.float32)) for a in starts]
    return _of_counts(csr_matrix(vstack(blocks, format="csr", dtype=np.float32)), place)


def _check_stored(matrix: Any, where: str) -> None:
    """Refuse a sparse matrix in zarr of which a chunk is not on the disk: it would be read as zeros.

    Those are never stored, but by a matrix without any entry, whose rows all begin at 0.
    """
    with reading(where, expected="a whole store"):
        parts = {part: matrix.get(part) for part in ("data", "indptr")}
        empty = getattr(parts["data"], "shape", None) == (0,)
        chunks = {} if empty else {part: _stored_chunks(array) for part, array in parts.items()}
    for part, (stored, declared) in chunks.items():
        if stored < declared:
            raise DataError(
                f"only {stored} of {declared} chunks of '{part}' are there",
                where=where,
                expected="a whole store",
                remedy="copy it again: it was cut off",
            )


def _check_dense(array: Any, where: str) -> None:
    """Refuse a dense matrix in zarr of which a large chunk is not on the disk: it would be read as zeros.

    A small one may hold no count: writers leave such chunks out.
    """
    with reading(where, expected="a whole store"):
        stored, declared = _stored_chunks(array)
        lost = stored < declared and math.prod(array.chunks) >= _LEAST_CHUNK
    if lost:
        raise DataError(
            f"only {stored} of {declared} chunks are there",
            where=where,
            expected="a whole store",
            remedy="copy it again if it was cut off, or store the matrix sparse if these hold no count",
        )


def _stored_chunks(array: Any) -> tuple[int, int]:
    """Return how many chunks of a zarr array are on the disk, and of how many; (0, 0) of anything else."""
    stored = getattr(array, "nchunks_initialized", None)
    return (0, 0) if stored is None else (int(stored), int(array.nchunks))


def place_rows(rows: Any, counts: csr_matrix, n_obs: int) -> csr_matrix:
    """Return (n_obs, G) counts in which row ``rows[i]`` is row i of ``counts`` and the others are empty."""
    order = np.argsort(rows, kind="stable")
    lengths = np.zeros(n_obs, dtype=np.int64)
    lengths[np.asarray(rows)] = np.diff(counts.indptr)
    placed = csr_matrix(counts[order])
    n_genes = placed.shape[1]  # type: ignore[misc]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return csr_matrix((placed.data, placed.indices, indptr), shape=(n_obs, n_genes))


def as_numbers(values: pd.Series) -> Float[np.ndarray, "n"]:
    """Return a column as float64, NaN where it is no number."""
    return np.asarray(pd.to_numeric(values, errors="coerce"), dtype=np.float64)


def row_sums(counts: csr_matrix) -> Float[np.ndarray, "n"]:
    """Return the total of each row, float64."""
    return np.asarray(counts.sum(axis=1, dtype=np.float64), dtype=np.float64).ravel()

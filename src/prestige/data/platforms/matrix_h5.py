"""Matrices in ``.h5`` files of 10x Genomics, of all versions.

Observations are compressed columns: ``matrix/{data,indices,indptr,shape,barcodes}``, features stand in
``matrix/features/{id,name,feature_type}``; before 2018 there was one group a genome with ``genes`` and
``gene_names``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import csr_matrix

from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.hdf5.spans import read_span
from prestige.data.platforms.matrix import ABOUT, EXPECTED, Matrix, Wanted, matrix_named
from prestige.errors import AGAIN, DataError, reading

_BLOCK = 1 << 23  # counts read in one piece


def of_h5(path: Path) -> Matrix:
    """Return the matrix of an ``.h5`` file.

    Raises
    ------
    DataError
        When it is missing or damaged, holds none, or none with genes.
    """
    with opened_h5ad(path, expected=EXPECTED, table=False) as file:
        return _named(path, file)


def _named(path: Path, file: Any) -> Matrix:
    with reading(path, expected=EXPECTED):
        found = _group(file)
    if found is None:
        raise DataError(
            "holds no 'matrix'",
            where=path,
            expected=f"{EXPECTED} (the group 'matrix')",
            remedy="name filtered_feature_bc_matrix.h5, cell_feature_matrix.h5 or the like",
        )
    name, id_name, symbol_name, type_name = found
    with reading(path, expected=EXPECTED):
        group = file[name]
    ids = _values(group, "barcodes", path)
    features, symbols = _texts(group, id_name, path), _texts(group, symbol_name, path)
    with reading(path, expected=EXPECTED):
        types = _texts(group, type_name, path) if type_name and type_name in group else None
        shape = tuple(int(side) for side in np.asarray(group["shape"][()]).ravel())
        about = _about(file)
        stored = int(group["data"].shape[0])
    stated = {len(features), len(symbols), *([len(types)] if types is not None else [])}
    if stated != {len(features)} or shape != (len(features), len(ids)):
        raise DataError(
            f"the shape is {' x '.join(map(str, shape))}, with {len(features):,} ids and {len(symbols):,} "
            f"names of features and {len(ids):,} barcodes",
            where=path,
            expected="features x barcodes",
            remedy=AGAIN,
        )
    columns = features, symbols, types
    return matrix_named(path, ids, columns, about, partial(_h5_counts, path, name), stored=stored)


def about_h5(path: Path) -> dict[str, str]:
    """Return what an ``.h5`` file says of its making, without its names.

    Raises
    ------
    DataError
        When it is missing or damaged.
    """
    with opened_h5ad(path, expected=EXPECTED, table=False) as file, reading(path, expected=EXPECTED):
        return _about(file)


def _about(file: Any) -> dict[str, str]:
    return {key: _text(file.attrs[attr]) for attr, key in ABOUT.items() if attr in file.attrs}


def _group(file: Any) -> tuple[str, str, str, str | None] | None:
    """Return where the matrix stands: its group, and in it ids, names and types of features."""
    if "matrix" in file:
        return "matrix", "features/id", "features/name", "features/feature_type"
    old = [name for name in file if hasattr(file[name], "keys") and "gene_names" in file[name]]
    if len(old) > 1:
        raise DataError(
            f"holds matrices of {len(old)} genomes: {', '.join(old[:4])}",
            where=file.filename,
            expected="one",
            remedy="write the one that is meant into a file of its own",
        )
    return (old[0], "genes", "gene_names", None) if old else None


def _values(group: Any, name: str, path: Path) -> np.ndarray:
    """Return a list of texts as it is stored: bytes of one length, or texts of any."""
    with reading(path, part=f"the element '{name}'", expected="a list of texts"):
        values = np.asarray(group[name][()])
        if values.ndim != 1 or values.dtype.kind not in "SO":
            raise ValueError(f"{values.dtype}, of shape {values.shape}")
        if values.dtype.kind == "O":
            texts = [one.decode("utf-8") if isinstance(one, bytes) else str(one) for one in values]
            return np.array(texts, dtype=object)
        return values


def _texts(group: Any, name: str, path: Path) -> list[str]:
    values = _values(group, name, path)
    with reading(path, part=f"the element '{name}'", expected="texts in UTF-8"):
        return (np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values).tolist()


def _text(value: Any) -> str:
    """Return an attribute, one value or a list of them, as text."""
    values = np.atleast_1d(np.asarray(value)).ravel()[:20].tolist()
    return ", ".join(one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values)


def _h5_counts(path: Path, name: str, wanted: Wanted) -> csr_matrix:
    with opened_h5ad(path, expected=EXPECTED, table=False) as file:
        with reading(path, part=f"the element '{name}'", expected=EXPECTED):
            group = file[name]
            parts = {part: group[part] for part in ("data", "indices", "indptr")}
            kinds = {part: np.dtype(one.dtype).kind for part, one in parts.items()}
            lengths = {part: one.shape for part, one in parts.items()}
            starts = np.asarray(parts["indptr"][()])
        if any(kind not in ("iuf" if part == "data" else "iu") for part, kind in kinds.items()):
            raise DataError("the matrix holds no numbers", where=path, expected=EXPECTED, remedy=AGAIN)
        stored = lengths["data"]
        sound = (
            len(stored) == 1 and lengths["indices"] == stored and lengths["indptr"] == (len(wanted.rows) + 1,)
        )
        starts = starts.astype(np.int64)
        if not sound or starts[0] != 0 or starts[-1] != stored[0] or (np.diff(starts) < 0).any():
            raise DataError(
                f"the matrix is broken ({lengths['data']} counts, {lengths['indices']} features, "
                f"{lengths['indptr']} columns that end at {starts.ravel()[-1:]})",
                where=path,
                expected=EXPECTED,
                remedy=AGAIN,
            )
        return _rows_of(parts, starts, wanted, path)


def _rows_of(
    parts: Mapping[str, Any], starts: Int[np.ndarray, " m"], wanted: Wanted, path: Path
) -> csr_matrix:
    """Read the counts of the wanted rows, block by block, into compressed rows."""
    lengths = np.diff(starts)
    most = int(lengths[wanted.rows].sum())
    data, columns = np.empty(most, np.float32), np.empty(most, np.int32)
    per_row = np.zeros(int(wanted.rows.sum()), np.int64)
    filled = row = 0
    for first, last in _blocks(starts, wanted.rows):
        a, b = int(starts[first]), int(starts[last])
        with (
            reading(path, part="the matrix", expected=EXPECTED),
            np.errstate(over="ignore", invalid="ignore"),
        ):
            features, values = (read_span(parts[name], a, b) for name in ("indices", "data"))
        if len(features) and not 0 <= int(features.min()) <= int(features.max()) < wanted.n_features:
            raise DataError(
                f"the matrix names the feature {features.max():,} of {wanted.n_features:,}",
                where=path,
                expected="features that are there",
                remedy=AGAIN,
            )
        features, kept = wanted.of(features.astype(np.int32, copy=False))
        n = last - first
        of_rows = lengths[first:last]
        inside = wanted.rows[first:last]
        if not inside.all():
            of_wanted = np.repeat(inside, of_rows)
            kept = of_wanted if kept is None else kept & of_wanted
        if kept is not None:
            ends = starts[first + 1 : last + 1] - a
            dropped = np.searchsorted(ends, np.flatnonzero(~kept), side="right")
            of_rows = of_rows - np.bincount(dropped, minlength=n)
            features, values = features[kept], values[kept]
        of_rows = of_rows[inside]
        with np.errstate(over="ignore", invalid="ignore"):
            data[filled : filled + len(values)] = values
        columns[filled : filled + len(values)] = features
        per_row[row : row + len(of_rows)] = of_rows
        filled, row = filled + len(values), row + len(of_rows)
    kind = np.int32 if filled < np.iinfo(np.int32).max else np.int64
    indptr = np.concatenate([[0], np.cumsum(per_row)]).astype(kind)
    shape = (len(per_row), wanted.n_genes)
    return csr_matrix((data[:filled], columns[:filled].astype(kind, copy=False), indptr), shape=shape)


def _blocks(starts: Int[np.ndarray, " m"], rows: Bool[np.ndarray, " n"]) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows of about as many counts, from one that is wanted to one that is."""
    there = np.flatnonzero(rows)
    if not len(there):
        return
    first, end = int(there[0]), int(there[-1]) + 1
    while first < end:
        last = int(np.searchsorted(starts, starts[first] + _BLOCK, side="right")) - 1
        last = min(max(last, first + 1), end)
        yield first, last
        later = int(np.searchsorted(there, last))
        first = int(there[later]) if later < len(there) else end

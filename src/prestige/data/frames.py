"""``obs`` and ``var`` of a table, column by column: one that nobody needs stops nothing, read or kept."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from prestige.errors import DataError, of_library, reading

NEEDED = frozenset(
    {"measured", "in_tissue", "total_counts", "sample", "patient", "cell_id", "group", "gene_symbols"}
)
"""Columns that have a meaning here: one that is there and cannot be read is an error."""

_WHOLE = "a whole table"


def read_columns(
    group: Any, name: str, *, where: str, needed: Collection[str] = NEEDED
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read a table of columns (``obs``, ``var``) from an open HDF5 file or zarr group.

    Parameters
    ----------
    needed
        Columns that are errors where they are there and cannot be read.

    Returns
    -------
    The columns that can be read, and a note on each that was left out.

    Raises
    ------
    DataError
        When there is no such table, or its row names or a needed column cannot be read.
    """
    with reading(where, part=f"the element '{name}'", expected=_WHOLE):
        element = group[name]
        compound = getattr(getattr(element, "dtype", None), "names", None)
    if compound:
        return _first_generation(group, name, where=where), ()
    with reading(where, part=f"the element '{name}'", expected="a data frame"):
        attrs = dict(element.attrs)
        if attrs.get("encoding-type", "dataframe") != "dataframe" or not hasattr(element, "keys"):
            raise DataError(
                f"the element '{name}' is no table",
                where=where,
                expected="a data frame",
                remedy="write it again with anndata",
            )
        index = str(attrs["_index"])
        listed = list(dict.fromkeys(str(column) for column in attrs["column-order"]))
    names = pd.Index(_column(element, name, index, where))
    columns: dict[str, Any] = {}
    notes: list[str] = []
    for column in listed:
        try:
            columns[column] = _column(element, name, column, where, len(names))
        except DataError as error:
            if column in needed:
                raise
            notes.append(f"{error.what}: left out")
    frame = pd.DataFrame(columns, index=names, columns=pd.Index(list(columns), dtype=object))
    if index != "_index":
        frame.index.name = index
    return frame, tuple(notes)


def _column(element: Any, table: str, name: str, where: str, length: int | None = None) -> Any:
    """Return the values of one column, as many as there are rows."""
    part = f"{table}['{name}']" if length is not None else f"the row names of '{table}' ('{name}')"
    with reading(where, part=part, expected=_WHOLE):
        column = element[name]
        values = decoded(column)
        levels = column.attrs.get("categories")
        if levels is not None:  # as anndata 0.7 wrote categories
            there: Any = element[levels]
            ordered, known = (
                bool(there.attrs.get("ordered", False)),
                pd.Index(list(_texts(np.asarray(there[()])))),
            )
            values = pd.Categorical.from_codes(values, known, ordered=ordered)
        shape = getattr(values, "shape", None)
        if shape is None or len(shape) != 1 or shape[0] != (shape[0] if length is None else length):
            wanted = "one value" if length is None else f"{length:,} values"
            raise ValueError(f"its shape is {shape} in place of {wanted} a row")
        if getattr(values.dtype, "kind", "") == "V":
            raise ValueError("several values a row" if values.dtype.names else "bytes of no kind")
        if isinstance(values.dtype, pd.CategoricalDtype) and not _are_single(values.dtype.categories):
            raise ValueError("its categories are several values each")
        return values


def _are_single(levels: pd.Index) -> bool:
    """Return whether each category is one value, as a text or a number is."""
    if isinstance(levels, pd.MultiIndex):
        return False
    return pd.api.types.infer_dtype(levels) != "mixed" or all(np.ndim(level) == 0 for level in levels)


def decoded(element: Any) -> Any:
    """Return an element of an open file or store as anndata decodes it; to be called within ``reading``.

    Numbers come in this machine's order of bytes: pandas and scipy compute with no other.
    """
    import anndata

    with of_library(), quietly():
        return _in_own_order(anndata.io.read_elem(element))


def _in_own_order(values: Any) -> Any:
    """Return an array, a table or a sparse matrix in this machine's order of bytes."""
    if isinstance(values, np.ndarray):
        return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
    if isinstance(values, pd.DataFrame):
        other = {name: kind for name, kind in values.dtypes.items() if not getattr(kind, "isnative", True)}
        return values.astype({name: kind.newbyteorder("=") for name, kind in other.items()})
    if issparse(values):
        for part in ("data", "indices", "indptr"):
            if hasattr(values, part):
                setattr(values, part, _in_own_order(getattr(values, part)))
    return values


def _first_generation(group: Any, name: str, *, where: str) -> pd.DataFrame:
    """Read a table of the anndata of 2018 (a compound data set, levels of categories in ``uns``)."""
    with reading(where, part=f"the element '{name}'", expected=_WHOLE, remedy="write it again with anndata"):
        records = group[name][()]
        columns = {field: _in_own_order(_texts(records[field])) for field in records.dtype.names}
        frame = pd.DataFrame({field: values for field, values in columns.items() if values.ndim == 1})
        frame = frame.set_index(frame.columns[0])
        for field in frame.columns:
            levels = group.get(f"uns/{field}_categories")
            if levels is not None:
                known = pd.Index(np.atleast_1d(_texts(levels[()])))
                frame[field] = pd.Categorical.from_codes(list(frame[field].astype(int)), known)
    return frame


def _texts(values: np.ndarray) -> np.ndarray:
    """Return bytes as text, and all else as it is."""
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8").astype(object)
    if values.dtype.kind == "O":
        return np.array([v.decode() if isinstance(v, bytes) else v for v in values], dtype=object)
    return values


def storable(obs: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the columns that can be written into a table and read back, and a note on each other one.

    Texts become plain ones, nullable texts with a gap become categories.
    """
    kept, notes = obs.copy(), []
    for name in obs.columns:
        column = obs[name]
        if isinstance(column.dtype, pd.StringDtype):
            kept[name] = (
                pd.Categorical(column.astype(object)) if column.isna().any() else column.astype(object)
            )
        elif isinstance(column.dtype, pd.CategoricalDtype):
            if isinstance(column.cat.categories.dtype, pd.StringDtype):
                kept[name] = column.cat.rename_categories(column.cat.categories.astype(object))
        elif column.dtype == object:
            try:
                kept[name] = column.astype(str)
            except UnicodeDecodeError:
                kept = kept.drop(columns=name)
                notes.append(f"obs['{name}'] is left out: it is no text in UTF-8")
    if "_index" not in kept.columns and not any("/" in str(name) for name in kept.columns) and _holds(kept):
        return kept, tuple(notes)
    for name in list(kept.columns):
        reserved = name == "_index" or "/" in str(name)
        if reserved or not _holds(kept[[name]]):
            kept = kept.drop(columns=name)
            why = "no column of a stored table is called so" if reserved else "no table stores such values"
            notes.append(f"obs['{name}'] is left out: {why}")
    return kept, tuple(notes)


def _holds(frame: pd.DataFrame) -> bool:
    """Whether a file gives back what is written into it; row names are texts, which every file does."""
    import anndata
    import h5py

    frame = frame.reset_index(drop=True)
    try:
        with reading("memory"), quietly(), h5py.File(io.BytesIO(), "w") as file:
            anndata.io.write_elem(file, "obs", frame)
            written: Any = file["obs"]
            back = anndata.io.read_elem(written)
            return isinstance(back, pd.DataFrame) and back.shape == frame.shape
    except DataError:
        return False


def quietly() -> warnings.catch_warnings[None]:
    """Return a block in which libraries do not speak of old formats."""
    return warnings.catch_warnings(action="ignore")

"""Changes of .h5ad files: the structure of HDF5, its elements, links, types, what AnnData says of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from campaign.kinds import OUTSIDE, VALUE, Change
from campaign.values import TEXTS, bytes_of, hdf5_bytes, odd, replaced

_ODD_NUMBERS = (np.nan, np.inf, -np.inf, -1, -5, 0.5, 1e38, 2**31, 2**53, 10**9)
Edit = Callable[[Any, Random], str]


def _elements(file: Any) -> tuple[list[str], list[str]]:
    """Return the names of all datasets and of all groups."""
    sets: list[str] = []
    groups: list[str] = []
    file.visititems(lambda name, item: (sets if isinstance(item, h5py.Dataset) else groups).append(name))
    return sorted(sets), sorted(groups)


def _put(file: Any, name: str, data: Any, **how: Any) -> None:
    """Write a dataset anew under its old attributes."""
    attributes = dict(file[name].attrs) if name in file else {}
    if name in file:
        del file[name]
    made = file.create_dataset(name, data=data, **how)
    for key, value in attributes.items():
        made.attrs[key] = value


def _taken_away(file: Any, rng: Random) -> str:
    sets, groups = _elements(file)
    name = rng.choice(sets + groups)
    del file[name]
    return f"{name} taken away"


def _dtype(file: Any, rng: Random) -> str:
    name = rng.choice(_elements(file)[0])
    n = file[name].shape[0] if file[name].shape else 1
    text = h5py.string_dtype()
    made: dict[str, Any] = {
        "f2": np.ones(n, "f2"),
        "f4": np.ones(n, "f4"),
        "c8": np.ones(n, "c8"),
        "u1": np.ones(n, "u1"),
        "i8": np.arange(n),
        "u8": np.full(n, 2**64 - 1, "u8"),
        "bool": np.ones(n, bool),
        "S": np.array([b"x"] * n),
        "big": np.ones(n, ">f8"),
        "text": np.array(["x"] * n, dtype=object),
        "no UTF-8": np.array([b"\xff\xfe"] * n, dtype=object),
        "compound": np.zeros(n, [("a", "i4"), ("b", "f8")]),
        "void": np.zeros(n, "V8"),
        "empty": h5py.Empty("f4"),
        "f16": np.ones(n, np.longdouble),
        "numbers as text": np.array(["1"] * n, dtype=object),
    }
    way = rng.choice([*made, "enum", "reference", "vlen", "array"])
    how: dict[str, Any] = {"dtype": text} if made.get(way, np.zeros(1)).dtype == object else {}
    if way == "enum":
        how, data = {"dtype": h5py.enum_dtype({"A": 0, "B": 1}, basetype="i1")}, np.zeros(n, "i1")
    elif way == "reference":
        how, data = {"dtype": h5py.ref_dtype}, np.array([file.ref] * n, dtype=h5py.ref_dtype)
    elif way == "vlen":
        how = {"dtype": h5py.vlen_dtype(np.int32)}
        data = np.empty(n, object)
        data[:] = [np.arange(2, dtype=np.int32) for _ in range(n)]
    elif way == "array":
        data = np.zeros(n, np.dtype(("f4", (3,))))
    else:
        data = made[way]
    _put(file, name, data, **how)
    return f"{name} of the type {way}"


def _shape(file: Any, rng: Random) -> str:
    name = rng.choice(_elements(file)[0])
    data = file[name][()]
    array = np.asarray(data)
    way = rng.choice(
        ("one less", "one more", "none", "scalar", "transposed", "two columns", "huge", "deep", "huge chunk")
    )
    if way in ("huge", "huge chunk"):
        attributes = dict(file[name].attrs)
        kind = file[name].dtype
        del file[name]
        shape = (rng.choice((10**7, 10**9, 10**12)), *array.shape[1:])
        chunks: Any = (min(shape[0], 2**20), *array.shape[1:]) if way == "huge chunk" else True
        made = file.create_dataset(name, shape=shape, dtype=kind, chunks=chunks, compression="gzip")
        for key, value in attributes.items():
            made.attrs[key] = value
        return f"{name} of the shape {shape}"
    flat = array.reshape(-1)
    new = {
        "one less": lambda: array[:-1] if array.ndim else array,
        "one more": lambda: np.concatenate([array, array[:1]]) if array.ndim and len(array) else flat,
        "none": lambda: array[:0] if array.ndim else flat[:0],
        "scalar": lambda: flat[0] if flat.size else array,
        "transposed": lambda: array.T.copy(),
        "two columns": lambda: np.stack([flat, flat], axis=1),
        "deep": lambda: array.reshape((1, 1, 1, *array.shape)),
    }[way]()
    how = {"dtype": h5py.string_dtype()} if array.dtype == object else {}
    _put(file, name, new, **how)
    return f"{name}: {way}"


def _values(file: Any, rng: Random) -> str:
    sets = [name for name in _elements(file)[0] if file[name].dtype.kind in "fiu" and file[name].size]
    name = rng.choice(sets)
    array = np.asarray(file[name][()])
    flat = array.reshape(-1)
    value = rng.choice(_ODD_NUMBERS)
    if array.dtype.kind in "iu":
        info = np.iinfo(array.dtype)
        value = min(max(int(value), info.min), info.max) if np.isfinite(value) else info.max
    at = rng.choice((0, len(flat) - 1, rng.randrange(len(flat)), None))
    flat[slice(None) if at is None else at] = value
    _put(file, name, array)
    return f"{name}[{'all' if at is None else at}] is {value}"


def _sparse(file: Any, rng: Random) -> str:
    names = [name for name in _elements(file)[0] if name.endswith(("indices", "indptr")) and file[name].size]
    if not names:
        return _values(file, rng)
    name = rng.choice(names)
    values = np.asarray(file[name][()]).astype(rng.choice(("i8", "i4", "u4")))
    at = rng.choice((0, len(values) - 1, rng.randrange(len(values))))
    way = rng.choice(("odd", "backwards", "doubled", "near"))
    if way == "odd":
        values[at] = rng.choice((2**30, 10**9, 0))
        if values.dtype.kind == "i" and rng.random() < 0.5:
            values[at] = -rng.choice((1, 5, 10**9))
    elif way == "backwards":
        values = values[::-1].copy()
    elif way == "doubled":
        values[at] = values[max(at - 1, 0)]
    else:
        values[at] = values.max() + 1
    _put(file, name, values)
    return f"{name}: {way} at {at}"


def _attribute(file: Any, rng: Random) -> str:
    sets, groups = _elements(file)
    name = rng.choice([*sets, *groups, *groups, "/"])
    attributes = file[name].attrs
    key = rng.choice([*attributes, "encoding-type", "encoding-version", "shape", "_index", "column-order"])
    if key in attributes and rng.random() < 0.2:
        del attributes[key]
        return f"{name}@{key} taken away"
    kinds = (
        "csr_matrix",
        "csc_matrix",
        "array",
        "dataframe",
        "dict",
        "categorical",
        "string-array",
        "anndata",
        "awkward-array",
        "nullable-boolean",
        "nullable-integer",
        "nullable-string-array",
        "rec-array",
        "x",
        "null",
        "bytes",
    )
    value = rng.choice(
        [
            rng.choice(kinds),
            rng.choice(("0.1.0", "0.2.0", "9.9.9", "")),
            rng.choice(
                (
                    np.array([60, 3]),
                    np.array([-1, 4]),
                    np.array([10**12, 4]),
                    5,
                    np.zeros(0),
                    h5py.Empty("f4"),
                )
            ),
            rng.choice([text for text in TEXTS if "\x00" not in text and "\ud800" not in text]),
        ]
    )
    attributes[key] = value
    return f"{name}@{key} is {str(value)[:30]}"


def _link(file: Any, rng: Random) -> str:
    sets, groups = _elements(file)
    name = rng.choice(sets + groups)
    outside = str(Path(os.environ["PRESTIGE_CAMPAIGN"]) / OUTSIDE / "secret.h5ad")
    way = rng.choice(("external", "external set", "virtual", "soft", "soft cycle", "hard cycle", "dangling"))
    if way == "hard cycle":
        file[f"{rng.choice(groups)}/loop"] = file["/"]
        return "a group in itself"
    whole = file[name]
    shape, kind, attributes = getattr(whole, "shape", ()), getattr(whole, "dtype", None), dict(whole.attrs)
    simple = kind is not None and kind.kind in "fiu" and bool(shape)
    if way in ("external set", "virtual") and not simple:
        way = "external"
    del file[name]
    if way == "external set":
        raw = str(Path(outside).with_name("secret.raw"))
        file.create_dataset(name, shape=shape, dtype=kind, external=[(raw, 0, h5py.h5f.UNLIMITED)])
    elif way == "virtual":
        layout = h5py.VirtualLayout(shape=shape, dtype=kind)
        layout[...] = h5py.VirtualSource(outside, name, shape=shape)
        file.create_virtual_dataset(name, layout)
    elif way == "external":
        file[name] = h5py.ExternalLink(outside, "/" + name)
    else:
        target = {"soft": "/X", "soft cycle": "/" + name, "dangling": "/nowhere"}[way]
        file[name] = h5py.SoftLink(target)
    if way in ("external set", "virtual"):
        for key, value in attributes.items():
            file[name].attrs[key] = value
    return f"{name}: {way} link"


def _column(file: Any, rng: Random) -> str:
    """Add or change a column of obs or var, as other software writes them, or nobody."""
    import pandas as pd
    from anndata.io import write_elem

    table = rng.choice(("obs", "obs", "var"))
    group = file[table]
    n = len(group[group.attrs.get("_index", "_index")])
    name = rng.choice(
        (
            "barcode",
            "measured",
            "total_counts",
            "cell_id",
            "sample",
            "half",
            "in_tissue",
            "_index",
            "$x$",
            "é",
            "gene_symbols",
        )
    )
    name = rng.choice((name, "measured", "total_counts"))
    ways: dict[str, Any] = {
        "nullable bool": pd.array([True, None] * n, dtype="boolean")[:n],
        "nullable int": pd.array([1, None] * n, dtype="Int64")[:n],
        "category": pd.Categorical(["yes", "no"] * n)[:n],
        "category with a gap": pd.Categorical(["a", None] * n)[:n],
        "bool as text": np.array(["True", "False"] * n, dtype=object)[:n],
        "numbers": np.arange(n, dtype=float),
        "NaN": np.full(n, np.nan),
        "negative": np.full(n, -1.0),
        "huge": np.full(n, 1e300),
        "two columns": np.zeros((n, 2)),
        "text": np.array([f"b{i}" for i in range(n)], dtype=object),
        "doubled text": np.array(["x"] * n, dtype=object),
        "bool": np.arange(n) % 2 == 0,
        "none": np.zeros(n, bool),
    }
    way = rng.choice(list(ways))
    if name in group:
        del group[name]
    write_elem(group, name, ways[way])
    order = [str(one) for one in np.atleast_1d(group.attrs.get("column-order", []))]
    if name not in order and rng.random() < 0.8:
        group.attrs["column-order"] = np.array([*order, name], dtype=object)
    return f"{table}['{name}'] is {way}"


def _names(file: Any, rng: Random) -> str:
    table = rng.choice(("obs", "var"))
    name = f"{table}/{file[table].attrs.get('_index', '_index')}"
    values = np.asarray(file[name][()], dtype=object)
    at = rng.randrange(len(values))
    new = rng.choice(
        (values[at - 1], *(t for t in TEXTS if "\x00" not in t and "\ud800" not in t), b"\xff", "nan")
    )
    values[at] = new
    _put(file, name, values, dtype=h5py.string_dtype())
    return f"{name}[{at}] is {str(new)[:30]!r}"


def _odd_part(file: Any, rng: Random) -> str:
    way = rng.choice(("deep", "wide", "uns", "text", "raw", "layer"))
    if way == "deep":
        group = file.require_group("uns")
        for _ in range(rng.choice((50, 900))):
            group = group.create_group("a")
            group.attrs["encoding-type"], group.attrs["encoding-version"] = "dict", "0.1.0"
    elif way == "wide":
        for k in range(500):
            file.require_group("uns").create_group(f"g{k}")
    elif way == "uns":
        name = rng.choice(("um_per_px", "prestige", "spatialdata_attrs"))
        group = file.require_group("uns")
        if name in group:
            del group[name]
        value = odd(rng)
        try:
            group[name] = value
        except Exception:  # noqa: BLE001 - what HDF5 does not hold
            group[name] = -1.0
    elif way == "text":
        file.require_group("uns")["x"] = "x" * 10**6
    else:
        del_name = "raw" if way == "raw" else "layers/counts"
        if del_name not in file:
            file.create_group(del_name)
    return f"an odd part: {way}"


def edits(*patterns: str) -> Callable[[Edit], Callable[[Path, Random], str]]:
    """Return what makes a change of files out of an edit of an open one."""

    def of(edit: Edit) -> Callable[[Path, Random], str]:
        def apply(folder: Path, rng: Random) -> str:
            found = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
            path = rng.choice(found)
            data = path.read_bytes()
            try:
                with h5py.File(path, "r+") as file:
                    return f"{path.relative_to(folder)}: {edit(file, rng)}"
            except Exception:
                path.unlink()  # HDF5 may write to the damaged file for as long as this process lives
                path.write_bytes(data)
                raise

        return apply

    return of


def changes(*patterns: str) -> tuple[Change, ...]:
    """Return all the ways to change .h5ad files that match."""
    of = edits(*patterns)
    return (
        Change(
            "element taken away",
            of(_taken_away),
            "a part that is not needed, or the next that has its meaning is read",
        ),
        Change("type", of(_dtype), VALUE),
        Change("shape", of(_shape), "values twice or fewer of them, where what is left fits together"),
        Change("numbers", of(_values), VALUE),
        Change("sparse indices", of(_sparse), "an index became another that is there"),
        Change(
            "attributes", of(_attribute), "an attribute says what the part is, and both readings are sound"
        ),
        Change("links", of(_link), "a link within the file to another part of it that fits"),
        Change("column", of(_column), "the column is one that is read: measured, total_counts, sample"),
        Change("names", of(_names), "another name"),
        Change("odd part", of(_odd_part), "uns says another pixel size or scale"),
        Change("HDF5 structure", hdf5_bytes(*patterns), VALUE),
        Change("HDF5 bytes", bytes_of(*patterns), VALUE),
        Change("replaced", replaced(*patterns)),
    )

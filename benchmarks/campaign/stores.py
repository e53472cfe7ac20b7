"""Changes of zarr stores of both formats: metadata, codecs, chunks, what lies beside them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from campaign.kinds import OUTSIDE, VALUE, Change
from campaign.values import change_bytes, change_value, dumped, odd, payload, replaced

STORES = "*/store.zarr"
_METADATA = (".zarray", ".zgroup", ".zattrs", "zarr.json")
_V2_CODECS: tuple[Any, ...] = (
    {"id": "pickle", "protocol": 5},
    {"id": "json2"},
    {"id": "msgpack2"},
    {"id": "gzip", "level": 1},
    {"id": "zlib", "level": 1},
    {"id": "bz2"},
    {"id": "lzma"},
    {"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 1},
    {"id": "zstd", "level": 1},
    {"id": "delta", "dtype": "<f4"},
    {"id": "vlen-utf8"},
    {"id": "vlen-bytes"},
    {"id": "vlen-array", "dtype": "<i4"},
    {"id": "categorize", "labels": ["a"], "dtype": "|O"},
    {"id": "nobody"},
    {"id": "n5_wrapper"},
    {"id": None},
    {},
    {"id": "fixedscaleoffset", "offset": 0, "scale": 2, "dtype": "<f4"},
    {"id": "crc32"},
    {"id": "imagecodecs_jpeg"},
    "pickle",
    5,
)
_V3_CODECS: tuple[Any, ...] = (
    {"name": "numcodecs.pickle", "configuration": {"protocol": 5}},
    {"name": "numcodecs.json2"},
    {"name": "pickle"},
    {"name": "gzip", "configuration": {"level": 1}},
    {"name": "zstd", "configuration": {"level": 0, "checksum": True}},
    {
        "name": "blosc",
        "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "typesize": 4, "blocksize": 0},
    },
    {"name": "crc32c"},
    {"name": "transpose", "configuration": {"order": [0]}},
    {"name": "transpose", "configuration": {"order": [2, 1, 0]}},
    {"name": "bytes", "configuration": {"endian": "big"}},
    {"name": "vlen-utf8"},
    {"name": "vlen-bytes"},
    {"name": "nobody"},
    {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [1],
            "codecs": [{"name": "bytes"}],
            "index_codecs": [{"name": "bytes"}],
        },
    },
    {"name": "numcodecs.delta", "configuration": {"dtype": "<f4"}},
    {"name": "scale_offset"},
    {},
    "bytes",
    None,
)


def _files(folder: Path) -> tuple[Path, list[Path], list[Path]]:
    """Return the store, its files of metadata and its chunks."""
    store = next(iter(sorted(folder.glob(STORES))))
    files = sorted(path for path in store.rglob("*") if path.is_file())
    metadata = [path for path in files if path.name in _METADATA]
    return store, metadata, [path for path in files if path.name not in _METADATA]


def _array(path: Path) -> dict[str, Any] | None:
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if path.name == ".zarray" or content.get("node_type") == "array" else None


def _an_array(folder: Path, rng: Random) -> tuple[Path, dict[str, Any]]:
    metadata = _files(folder)[1]
    found = [(path, array) for path in metadata if (array := _array(path)) is not None]
    return rng.choice(found)


def _on_metadata(folder: Path, rng: Random) -> str:
    path = rng.choice(_files(folder)[1])
    value, words = change_value(json.loads(path.read_text(encoding="utf-8")), rng)
    path.write_text(dumped(value), encoding="utf-8", errors="surrogatepass")
    return f"{path.relative_to(folder)}: {words}"


def _metadata_bytes(folder: Path, rng: Random) -> str:
    path = rng.choice(_files(folder)[1])
    data, words = change_bytes(path.read_bytes(), rng)
    path.write_bytes(data)
    return f"{path.relative_to(folder)}: {words}"


def _codecs(folder: Path, rng: Random) -> str:
    path, array = _an_array(folder, rng)
    if path.name == ".zarray":
        codec = rng.choice(_V2_CODECS)
        if rng.random() < 0.5:
            array["compressor"] = rng.choice((codec, None))
        else:
            filters = array.get("filters") or []
            array["filters"] = rng.choice(([*filters, codec], [codec, *filters], [codec], [], None))
    else:
        codec = rng.choice(_V3_CODECS)
        codecs = array["codecs"]
        array["codecs"] = rng.choice(
            ([*codecs, codec], [codec, *codecs], [codec], codecs[:1], codecs[::-1], [])
        )
    path.write_text(json.dumps(array))
    return f"{path.relative_to(folder)}: codec {codec}"


def _smuggled(folder: Path, rng: Random) -> str:
    """Put a pickle where a chunk is, and a codec that unpickles into the metadata."""
    path, array = _an_array(folder, rng)
    if rng.random() < 0.6:  # a text, for which an object codec is usual
        texts = [(p, a) for p in _files(folder)[1] if (a := _array(p)) is not None and _is_text(a)]
        path, array = rng.choice(texts)
    if path.name == ".zarray":
        array["filters"] = rng.choice(
            ([{"id": "vlen-utf8"}, {"id": "pickle", "protocol": 5}], [{"id": "pickle", "protocol": 5}])
        )
        array["compressor"] = None
        array["dtype"] = rng.choice(("|O", array["dtype"]))
    else:
        array["codecs"] = [
            {"name": rng.choice(("numcodecs.pickle", "pickle")), "configuration": {"protocol": 5}}
        ]
        array["data_type"] = rng.choice(("object", "string", array["data_type"]))
    path.write_text(json.dumps(array))
    for chunk in sorted(path.parent.rglob("*")):
        if chunk.is_file() and chunk.name not in _METADATA:
            chunk.write_bytes(payload(5))
    return f"{path.relative_to(folder)}: a pickle"


def _is_text(array: dict[str, Any]) -> bool:
    return array.get("dtype") == "|O" or array.get("data_type") == "string"


def _shapes(folder: Path, rng: Random) -> str:
    path, array = _an_array(folder, rng)
    value = rng.choice((0, 1, -1, 7, 10**6, 10**12, 2**63, 1.5, "8", None))
    grid = array if path.name == ".zarray" else array["chunk_grid"]["configuration"]
    owner, key = rng.choice(((array, "shape"), (grid, "chunks" if path.name == ".zarray" else "chunk_shape")))
    at = rng.randrange(len(owner[key]) or 1)
    way = rng.choice(("value", "value", "shorter", "longer"))
    if way == "value" and owner[key]:
        owner[key][at] = value
    else:
        owner[key] = owner[key][:-1] if way == "shorter" else [*owner[key], value]
    path.write_text(json.dumps(array))
    return f"{path.relative_to(folder)}: {key} {owner[key]}"


def _types(folder: Path, rng: Random) -> str:
    path, array = _an_array(folder, rng)
    if path.name == ".zarray":
        key = "dtype"
        array[key] = rng.choice(
            ("<f8", ">f4", "|O", "|S5", "<U3", "|b1", "<M8[ns]", "|V8", [["a", "<i4"]], "<i2", "x", None, 5)
        )
    else:
        key = "data_type"
        array[key] = rng.choice(
            (
                "float64",
                "bool",
                "uint8",
                "int16",
                "string",
                "r16",
                "complex64",
                "bytes",
                "x",
                None,
                5,
                {"name": "fixed_length_utf32", "configuration": {"length_bytes": 4}},
                "variable_length_bytes",
            )
        )
    if rng.random() < 0.3:
        key = "fill_value"
        array[key] = odd(rng)
    path.write_text(dumped(array), errors="surrogatepass")
    return f"{path.relative_to(folder)}: {key}"


def _chunk_bytes(folder: Path, rng: Random) -> str:
    path = rng.choice(_files(folder)[2])
    data, words = change_bytes(path.read_bytes(), rng)
    path.write_bytes(data)
    return f"{path.relative_to(folder)}: {words}"


def _gone(folder: Path, rng: Random) -> str:
    store, metadata, chunks = _files(folder)
    path = rng.choice((rng.choice(metadata), rng.choice(chunks), rng.choice(metadata).parent))
    if path == store:
        path = rng.choice(chunks)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return f"{path.relative_to(folder)} gone"


def _links(folder: Path, rng: Random) -> str:
    _, metadata, chunks = _files(folder)
    path = rng.choice(
        (rng.choice(chunks), rng.choice(chunks), rng.choice(metadata), rng.choice(chunks).parent)
    )
    outside = Path(os.environ["PRESTIGE_CAMPAIGN"]) / OUTSIDE
    way = rng.choice(("a link out of the store", "a link to /dev/zero", "a pipe", "a link in a circle"))
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if way == "a pipe":
        os.mkfifo(path)
    else:
        target = {
            "a link out of the store": str(outside / "secret.raw"),
            "a link to /dev/zero": "/dev/zero",
        }.get(way, path.name)
        path.symlink_to(target)
    return f"{path.relative_to(folder)}: {way}"


def _beside(folder: Path, rng: Random) -> str:
    _, metadata, chunks = _files(folder)
    where = rng.choice((rng.choice(metadata), rng.choice(chunks))).parent
    name = rng.choice(
        (
            ".DS_Store",
            "._0",
            "Thumbs.db",
            ".zarr.swp",
            "README",
            ".nfs0001",
            "0.partial",
            "99.99.99",
            "desktop.ini",
        )
    )
    (where / name).write_bytes(b"\x00\x01Bud1")
    return f"{(where / name).relative_to(folder)} beside"


def _consolidated(folder: Path, rng: Random) -> str:
    store, metadata, _ = _files(folder)
    path = rng.choice(metadata)
    content = {"zarr_consolidated_format": 1, "metadata": {"x/.zarray": odd(rng)}}
    if path.name == "zarr.json":
        group = json.loads(path.read_text())
        group["consolidated_metadata"] = rng.choice(
            (odd(rng), {"kind": "inline", "must_understand": False, "metadata": {"x": odd(rng)}})
        )
        path.write_text(dumped(group), errors="surrogatepass")
    else:
        (path.parent / ".zmetadata").write_text(dumped(content), errors="surrogatepass")
    return f"{path.relative_to(store)}: consolidated metadata"


def _numbers(folder: Path, rng: Random) -> str:
    """Write other numbers into an array, by zarr itself."""
    import numpy as np
    import zarr

    for _ in range(20):
        path, _array_of = _an_array(folder, rng)
        if not all(one.is_dir() or one.is_file() for one in path.parent.rglob("*")):
            continue  # a pipe in the place of a chunk, which would never end here
        array: Any = zarr.open_array(path.parent, mode="r+")
        if array.dtype.kind in "fiu" and array.size:
            break
    else:
        return "no numbers"
    values = np.asarray(array[...])
    flat = values.reshape(-1)
    value = rng.choice((np.nan, np.inf, -1, -5, 0.5, 1e38, 10**9, 2**31, 0))
    if values.dtype.kind in "iu":
        info = np.iinfo(values.dtype)
        value = min(max(int(value), info.min), info.max) if np.isfinite(value) else info.max
    at = rng.choice((0, len(flat) - 1, rng.randrange(len(flat)), None))
    flat[slice(None) if at is None else at] = value
    array[...] = values
    return f"{path.relative_to(folder)}[{'all' if at is None else at}] is {value}"


def replaced_metadata(folder: Path, rng: Random) -> str:
    """Put something else in the place of a file of metadata."""
    metadata = _files(folder)[1]
    return replaced(str(rng.choice(metadata).relative_to(folder)))(folder, rng)


_Apply = Callable[[Path, Random], str]
CHANGES = (
    Change("metadata", _on_metadata, "an attribute that names a table, a scale or a column"),
    Change("metadata bytes", _metadata_bytes, VALUE),
    Change("codecs", _codecs, "bytes that another codec decodes too"),
    Change("smuggled pickle", _smuggled),
    Change("shapes", _shapes, "fewer values, where what is left fits together"),
    Change("types", _types, VALUE),
    Change("chunk bytes", _chunk_bytes, VALUE),
    Change("gone", _gone, "a part that is not needed; a chunk that is not stored is filled"),
    Change("links", _links),
    Change("files beside", _beside),
    Change("consolidated metadata", _consolidated),
    Change("numbers", _numbers, VALUE),
    Change("metadata replaced", replaced_metadata),
)


def _shapes_file(folder: Path, rng: Random) -> str:
    """Write a file of shapes again: other columns, ids, geometries, words on them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = next(iter(sorted(folder.glob("*/store.zarr/shapes/*/shapes.parquet"))))
    table = pq.read_table(path)
    metadata = dict(table.schema.metadata or {})
    column = rng.choice(table.column_names)
    place = table.column_names.index(column)
    way = rng.choice(("words", "words", "gone", "values", "repeated", "no rows", "twice"))
    if way == "words":
        metadata[rng.choice((b"pandas", b"geo"))] = rng.choice(
            (
                dumped(odd(rng)),
                dumped({"index_columns": [odd(rng)]}),
                dumped({"primary_column": odd(rng)}),
                "{",
            )
        ).encode("utf-8", "surrogatepass")
    elif way == "gone":
        table = table.drop_columns([column])
    elif way == "values":
        value = rng.choice(
            (None, b"", b"\x01\x01\x00\x00\x00" + b"\xff" * 16, b"\x01\x07" + b"\xff" * 8, "x", 1, 2.5)
        )
        table = table.set_column(place, column, pa.array([value] * len(table)))
    elif way == "repeated":
        table = pa.concat_tables([table] * rng.choice((2, 1000)))
    elif way == "no rows":
        table = table.slice(0, rng.choice((0, 1)))
    else:
        table = table.append_column(column, table[column])
    pq.write_table(
        table.replace_schema_metadata(metadata), path, compression=rng.choice(("snappy", "none", "zstd"))
    )
    return f"{path.name}: {way} of {column}"


OF_SHAPES = (*CHANGES, Change("file of shapes", _shapes_file, VALUE))

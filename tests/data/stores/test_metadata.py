"""What a zarr array may say of itself: all that sound stores say passes, and nothing else does."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.stores.metadata import ArrayFacts, Shard, checked_array
from prestige.errors import DataError

BLOSC = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
V2: dict[str, Any] = {
    "zarr_format": 2,
    "shape": [3, 40, 60],
    "chunks": [3, 16, 16],
    "dtype": "|u1",
    "compressor": BLOSC,
    "filters": None,
    "fill_value": 0,
    "order": "C",
}
TEXT2 = {"dtype": "|O", "filters": [{"id": "vlen-utf8"}], "fill_value": ""}
V3: dict[str, Any] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [3, 40, 60],
    "data_type": "uint16",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [3, 16, 16]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "fill_value": 0,
    "codecs": [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {}},
    ],
    "attributes": {},
    "storage_transformers": [],
}
INDEX = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]


def shards(**changed: Any) -> dict[str, Any]:
    configuration = {"chunk_shape": [3, 8, 4], "codecs": V3["codecs"], "index_codecs": INDEX, **changed}
    return {"codecs": [{"name": "sharding_indexed", "configuration": configuration}]}


def test_the_facts_of_an_array() -> None:
    assert checked_array(V2, "a") == ArrayFacts((3, 40, 60), (3, 16, 16), 1, "blosc")
    facts = checked_array({**V3, **shards()}, "a")
    assert facts == ArrayFacts((3, 40, 60), (3, 16, 16), 2, "sharding_indexed", Shard(8, "zstd", True))
    assert (facts.n_chunks, facts.nbytes, facts.chunk_nbytes) == (1 * 3 * 4, 14400, 1536)
    assert checked_array({**V2, **TEXT2}, "a").item_bytes is None
    assert checked_array({**V2, "dtype": "<U7"}, "a").item_bytes == 28


@pytest.mark.parametrize(
    "changed",
    [
        {"compressor": None},
        *({"compressor": {"id": name}} for name in ("zlib", "gzip", "zstd", "lz4", "bz2", "lzma")),
        {"filters": [{"id": "shuffle", "elementsize": 4}]},
        {"filters": [{"id": "delta", "dtype": "<i4", "astype": "<i4"}]},
        {"filters": [{"id": "fixedscaleoffset", "scale": 10, "offset": 0, "dtype": "<f8", "astype": "|u1"}]},
        {"filters": []},
        TEXT2,
        {**TEXT2, "filters": [{"id": "vlen-utf8"}, {"id": "crc32"}]},
        *({"dtype": name} for name in ("|b1", "<i8", ">f4", "<f2", "<c16", "|S5", "<U12", "<M8[ns]", "<m8")),
        {"dtype": [["gene", "<U9"], ["score", "<f4"]], "fill_value": None},
        {"fill_value": "NaN", "dtype": "<f4"},
        {"shape": [], "chunks": []},
        {"shape": [0], "chunks": [1]},
        {"dimension_separator": "/"},
        {"anything": {"else": 1}},
    ],
)
def test_what_sound_stores_of_format_2_say_passes(changed: dict[str, Any]) -> None:
    checked_array({**V2, **changed}, "a")


@pytest.mark.parametrize(
    "changed",
    [
        {"codecs": ["bytes"]},
        {"codecs": [{"name": "transpose", "configuration": {"order": [2, 1, 0]}}, *V3["codecs"]]},
        *({"codecs": ["bytes", {"name": n}]} for n in ("gzip", "blosc", "crc32c", "numcodecs.lz4")),
        {"codecs": [{"name": "numcodecs.delta", "configuration": {"dtype": "<i4"}}, "bytes"]},
        {"data_type": "string", "codecs": [{"name": "vlen-utf8"}, {"name": "zstd"}], "fill_value": ""},
        {"data_type": {"name": "fixed_length_utf32", "configuration": {"length_bytes": 28}}},
        {"data_type": {"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 1}}},
        *({"data_type": name} for name in ("bool", "int8", "float16", "complex64", "uint64")),
        {"data_type": {"name": "structured", "configuration": {"fields": [["a", "int8"], ["b", "bool"]]}}},
        {"chunk_key_encoding": {"name": "v2"}},
        shards(),
        shards(index_codecs=INDEX[:1], index_location="end"),
    ],
)
def test_what_sound_stores_of_format_3_say_passes(changed: dict[str, Any]) -> None:
    checked_array({**V3, **changed}, "a")


HOSTILE = ("pickle", "json2", "msgpack2", "categorize", "vlen-bytes", "vlen-array", "zfpy", "jpegxl", "own")


@pytest.mark.parametrize("name", HOSTILE)
def test_codecs_that_are_not_on_the_list_are_named(name: str) -> None:
    for changed in (
        {"compressor": {"id": name}},
        {"filters": [{"id": name}]},
        {**TEXT2, "filters": [{"id": "vlen-utf8"}, {"id": name}]},
        {**TEXT2, "filters": [{"id": name}]},
        {**TEXT2, "compressor": {"id": name}},
    ):
        with pytest.raises(DataError, match=f"the codec '{name}' is not read"):
            checked_array({**V2, **changed}, "a")
    for written in (name, f"numcodecs.{name}"):
        if written == "vlen-bytes":
            continue  # refused by its type, below
        codec = {"name": written, "configuration": {}}
        for changed in (
            {"codecs": [*V3["codecs"], codec]},
            {"codecs": [codec]},
            shards(codecs=[*V3["codecs"], codec]),
            shards(index_codecs=[*INDEX, codec]),
        ):
            with pytest.raises(DataError, match="is not read"):
                checked_array({**V3, **changed}, "a")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dtype": "|O"}, "objects are kept by 'no codec'"),
        (
            {"dtype": "|O", "filters": [{"id": "shuffle"}, {"id": "vlen-utf8"}]},
            "objects are kept by 'shuffle'",
        ),
        ({"filters": [{"id": "vlen-utf8"}]}, "the codec 'vlen-utf8'"),
        ({"compressor": {"id": "vlen-utf8"}}, "the codec 'vlen-utf8'"),
        ({"dtype": [["a", "|O"]]}, "the type"),
        ({"dtype": [["a", [["b", "|O"]]]]}, "the type"),
        ({"dtype": "|V8"}, "the type"),
        ({"dtype": None}, "the type"),
        ({"dtype": "<U99999999"}, "the type"),
        ({"filters": [{"id": "delta", "dtype": "|O"}]}, "the codec 'delta' has dtype"),
        ({"compressor": {"id": "lzma", "filters": [{"id": 3}]}}, "the codec 'lzma' has filters"),
        ({"compressor": {"id": ["blosc"]}}, "a codec is"),
        ({"compressor": "blosc"}, "a codec is"),
        ({"filters": {"id": "pickle"}}, "filters are"),
        ({"fill_value": {"a": 1}}, "fill_value is"),
        ({"shape": [3, -1, 60]}, "shape"),
        ({"shape": [3, 1e9, 60]}, "shape"),
        ({"shape": [True, 40, 60]}, "shape"),
        ({"shape": "3"}, "shape"),
        ({"shape": [1] * 40, "chunks": [1] * 40}, "shape"),
        ({"chunks": [3, 0, 16]}, "chunks"),
        ({"chunks": [3, 16]}, "chunks"),
        ({"shape": [3, 10**6, 10**6], "chunks": [1, 1, 1]}, "declares 3,000,000,000,000 chunks"),
        ({"zarr_format": 1}, "zarr_format is 1"),
        ({"zarr_format": "2"}, "zarr_format is '2'"),
        ({"zarr_format": True}, "zarr_format is True"),
    ],
)
def test_what_is_wrong_in_format_2_is_said(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        checked_array({**V2, **changed}, "a")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"codecs": []}, "codecs are"),
        ({"codecs": None}, "codecs are"),
        ({"codecs": [{"name": 3}]}, "a codec is"),
        ({"codecs": [{"name": "bytes", "configuration": [1]}]}, "a codec is"),
        ({"codecs": ["bytes", "vlen-utf8"]}, "kept by"),
        ({"codecs": ["vlen-bytes"]}, "the codec 'vlen-bytes'"),
        ({"data_type": "string"}, "text kept by"),
        ({"data_type": "variable_length_bytes"}, "the type"),
        ({"data_type": {"name": "structured", "configuration": {}}}, "the type"),
        ({"data_type": {"name": "struct", "configuration": {"fields": [["a", "string"]]}}}, "the type"),
        ({"data_type": {"name": "struct", "configuration": {"fields": ["a"]}}}, "the field"),
        ({"data_type": {"name": "fixed_length_utf32", "configuration": {"length_bytes": -1}}}, "the type"),
        ({"data_type": {"name": "mine.pickle"}}, "the type"),
        ({"data_type": ["uint8"]}, "data_type is"),
        ({"chunk_grid": {"name": "rectangular"}}, "the layout 'rectangular'"),
        ({"chunk_grid": None}, "chunk_grid is"),
        ({"chunk_key_encoding": {"name": "mine"}}, "the layout 'regular', 'mine'"),
        ({"chunk_key_encoding": {"name": "v2", "configuration": {"separator": "/../"}}}, "the separator"),
        ({"storage_transformers": [{"name": "x"}]}, "storage_transformers"),
        (shards(codecs=[shards()["codecs"][0]]), "shards in shards"),
        (shards(chunk_shape=[3, 5, 5]), "whole chunks"),
        (shards(chunk_shape=[0, 0, 0]), "chunks of"),
        (shards(index_location="start"), "the index of a shard at its start"),
        (shards(index_codecs=["bytes", "gzip"]), "an index of shards"),
        (shards(index_codecs=[]), "an index of shards"),
    ],
)
def test_what_is_wrong_in_format_3_is_said(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        checked_array({**V3, **changed}, "a")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([V2, {**V2, **TEXT2}, V3, {**V3, **shards()}]), st.data())
def test_any_json_is_refused_in_one_line_or_read(sound: dict[str, Any], data: st.DataObject) -> None:
    metadata = copy.deepcopy(sound)
    metadata[data.draw(st.sampled_from(sorted(metadata)))] = data.draw(JSON)
    try:
        checked_array(metadata, "a")
    except DataError as error:
        said = str(error)
        assert "\n" not in said


@pytest.mark.filterwarnings("ignore:The data type")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_zarr_writes_passes(tmp_path: Path, zarr_format: Any) -> None:
    root = zarr.open_group(tmp_path / "z", mode="w", zarr_format=zarr_format)
    for name, values in {
        "number": np.zeros((3, 4), dtype=">i2"),
        "truth": np.zeros(3, dtype=bool),
        "text": np.array(["a", "bc"], dtype="<U2"),
        "scalar": np.array(1.5),
        "date": np.array(["2024-01-01"], dtype="M8[D]"),
    }.items():
        root.create_array(name, data=values)
    if zarr_format == 3:
        root.create_array("sharded", shape=(8, 8), chunks=(2, 2), shards=(4, 4), dtype="u1")
    files = [*(tmp_path / "z").rglob(".zarray"), *(tmp_path / "z").rglob("*/zarr.json")]
    assert len(files) == (6 if zarr_format == 3 else 5)
    for file in files:
        checked_array(json.loads(file.read_text()), file.parent.name)

"""What a zarr array may say of itself: codecs, types and sizes by lists, checked before zarr sees it.

zarr builds whatever codec a store names out of every package that has registered one, and some run code that
stands in the chunks (pickle).  So the names come from the lists here, and never from the store.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prestige.errors import DataError

WHOLE = "a whole SpatialData store"
"""What is expected of one."""

COMPRESSORS = frozenset({"blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd"})
"""Bytes to bytes, with sizes that can be bounded before they are decoded."""

CHECKSUMS = frozenset({"adler32", "crc32", "crc32c", "fletcher32"})
FILTERS = frozenset({"delta", "fixedscaleoffset", "shuffle"})
"""Numbers to numbers."""

TEXT = "vlen-utf8"
"""The one codec of objects, and they are texts."""

CODECS = tuple(sorted(COMPRESSORS | CHECKSUMS | FILTERS | {TEXT, "bytes", "transpose", "sharding_indexed"}))
MOST_DIMENSIONS = 32
MOST_CHUNKS = 4_000_000

_OF_ZARR = {"blosc", "bytes", "crc32c", "endian", "gzip", "sharding_indexed", "transpose", TEXT, "zstd"}
_NUMBER = re.compile(r"[<>|](?:b1|[iu][1248]|f[248]|c8|c16|[mM]8(?:\[\d{0,4}[A-Za-z]{1,2}\])?)")
_CHARACTERS = re.compile(r"[<>|]([SU])(\d{1,7})")
_OF_NAME = {
    "bool": 1,
    **{f"{sign}int{8 * n}": n for sign in ("", "u") for n in (1, 2, 4, 8)},
    **{f"float{8 * n}": n for n in (2, 4, 8)},
    "complex64": 8,
    "complex128": 16,
    "string": None,
    "variable_length_utf8": None,
}
_CONFIGURED = {
    "fixed_length_utf32": "length_bytes",
    "null_terminated_bytes": "length_bytes",
    "raw_bytes": "length_bytes",
    "numpy.datetime64": None,
    "numpy.timedelta64": None,
}


class CodecError(DataError):
    """An array names a codec that is not on the list."""


@dataclass(frozen=True)
class Shard:
    """How the chunk files of an array are divided: inner chunks in a file, and what each begins with."""

    n_chunks: int
    outermost: str
    index_checksum: bool


@dataclass(frozen=True)
class ArrayFacts:
    """What is known of an array before anything of it is decoded.

    Parameters
    ----------
    shape, chunks
        Of the array, and of what one file holds.
    item_bytes
        Bytes of a value; None for texts.
    outermost
        The codec that was applied last and is decoded first; ``""`` where there is none.
    shard
        Where one file holds several chunks.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    item_bytes: int | None
    outermost: str
    shard: Shard | None = None

    @property
    def n_chunks(self) -> int:
        """How many files there would be, were all stored."""
        return math.prod(
            -(-size // max(chunk, 1)) for size, chunk in zip(self.shape, self.chunks, strict=True)
        )

    @property
    def nbytes(self) -> int:
        """Bytes of all values in memory; a text counts as the pointer to it."""
        return math.prod(self.shape) * (self.item_bytes or 8)

    @property
    def chunk_nbytes(self) -> int:
        """Bytes of what one file holds in memory."""
        return math.prod(self.chunks) * (self.item_bytes or 8)


def checked_array(metadata: Mapping[str, Any], where: str) -> ArrayFacts:
    """Return the facts of an array whose metadata name nothing that is not on the lists.

    Parameters
    ----------
    metadata
        The JSON object of ``.zarray`` or, for an array of format 3, of ``zarr.json``.
    where
        The array, for the message.

    Raises
    ------
    CodecError
        For a codec that is not on the list.
    DataError
        For a type, a layout or sizes that are not read.
    """
    version = metadata.get("zarr_format")
    if version not in (2, 3) or isinstance(version, bool):
        raise DataError(
            f"zarr_format is {version!r}", where=where, expected="2 or 3", remedy="write the store again"
        )
    facts = _checked_v2(metadata, where) if version == 2 else _checked_v3(metadata, where)
    if facts.n_chunks > MOST_CHUNKS:
        raise DataError(
            f"declares {facts.n_chunks:,} chunks",
            where=where,
            expected=f"at most {MOST_CHUNKS:,}",
            remedy="write it with larger chunks",
        )
    return facts


def _checked_v2(metadata: Mapping[str, Any], where: str) -> ArrayFacts:
    shape, chunks = _sizes(metadata.get("shape"), metadata.get("chunks"), where)
    item_bytes = _type_v2(metadata.get("dtype"), where)
    _check_fill(metadata.get("fill_value"), where)
    filters = metadata.get("filters") or []
    if not isinstance(filters, list):
        raise _unread(f"filters are {filters!r}", where, "a list")
    names = [_codec_v2(codec, where) for codec in filters]
    if item_bytes is None and names[:1] != [TEXT]:
        raise _unread(f"objects are kept by {names[0] if names else 'no codec'!r}", where, f"by {TEXT}")
    plain = names[1:] if item_bytes is None else names
    for name in plain:
        if name not in CHECKSUMS | FILTERS | COMPRESSORS:
            raise _codec(name, where)
    compressor = metadata.get("compressor")
    if compressor is not None:
        names.append(_codec_v2(compressor, where))
        if names[-1] not in COMPRESSORS | CHECKSUMS:
            raise _codec(names[-1], where)
    return ArrayFacts(shape, chunks, item_bytes, names[-1] if names else "")


def _codec_v2(codec: Any, where: str) -> str:
    name = codec.get("id") if isinstance(codec, dict) else None
    if not isinstance(name, str):
        raise _unread(f"a codec is {codec!r}", where, "an object with its id")
    if name not in COMPRESSORS | CHECKSUMS | FILTERS | {TEXT}:
        raise _codec(name, where)
    _check_arguments(name, codec, where)
    return name


def _check_arguments(name: str, arguments: Mapping[str, Any], where: str) -> None:
    """Refuse arguments that are no plain numbers and words, and types that are no numbers."""
    for key, value in arguments.items():
        plain = value is None or isinstance(value, str | int | float)
        number = key not in {"dtype", "astype"} or (isinstance(value, str) and _is_number(value))
        if not plain or not number:
            raise _unread(f"the codec '{name}' has {key} {value!r}", where, "a number or a word")


def _is_number(dtype: str) -> bool:
    return bool(_NUMBER.fullmatch(dtype)) or _OF_NAME.get(dtype) is not None or dtype.lstrip("<>|=") in {
        *(f"{kind}{n}" for kind in "iu" for n in (1, 2, 4, 8)), "f2", "f4", "f8", "b1"
    }  # fmt: skip


def _type_v2(dtype: Any, where: str) -> int | None:
    """Return the bytes of a value; None for objects."""
    if dtype == "|O":
        return None
    if isinstance(dtype, str):
        if _NUMBER.fullmatch(dtype):
            return int(re.findall(r"\d+", dtype)[0])
        if found := _CHARACTERS.fullmatch(dtype):
            return int(found[2]) * (4 if found[1] == "U" else 1)
    elif isinstance(dtype, list) and dtype:
        fields = [_field(one, where) for one in dtype]
        return sum(fields)
    raise _unread(f"the type {dtype!r}", where, "numbers, truth values or text")


def _field(field: Any, where: str) -> int:
    plain = isinstance(field, list) and len(field) == 2 and isinstance(field[1], str) and field[1] != "|O"
    if not plain:
        raise _unread(f"the type of the field {field!r}", where, "numbers, truth values or text")
    return _type_v2(field[1], where) or 0


def _check_fill(value: Any, where: str) -> None:
    parts = value if isinstance(value, list) and len(value) == 2 else [value]
    if not all(part is None or isinstance(part, str | int | float) for part in parts):
        raise _unread(f"fill_value is {value!r}", where, "a number or a word")


def _checked_v3(metadata: Mapping[str, Any], where: str) -> ArrayFacts:
    grid = _named(metadata.get("chunk_grid"), where, "chunk_grid")
    keys = _named(metadata.get("chunk_key_encoding"), where, "chunk_key_encoding")
    if grid[0] != "regular" or keys[0] not in ("default", "v2"):
        raise _unread(f"the layout {grid[0]!r}, {keys[0]!r}", where, "a regular grid, keys by default or v2")
    if keys[1].get("separator", ".") not in (".", "/"):
        raise _unread(f"the separator {keys[1]['separator']!r}", where, "'.' or '/'")
    if metadata.get("storage_transformers"):
        raise _unread("storage_transformers", where, "none")
    shape, chunks = _sizes(metadata.get("shape"), grid[1].get("chunk_shape"), where)
    item_bytes = _type_v3(metadata.get("data_type"), where)
    _check_fill(metadata.get("fill_value"), where)
    outermost, shard = _codecs_v3(metadata.get("codecs"), chunks, item_bytes, where)
    return ArrayFacts(shape, chunks, item_bytes, outermost, shard)


def _named(value: Any, where: str, what: str) -> tuple[str, Mapping[str, Any]]:
    """Return name and configuration of one of format 3's extension points."""
    if isinstance(value, str):
        return value, {}
    name = value.get("name") if isinstance(value, dict) else None
    configuration = (value.get("configuration") or {}) if isinstance(value, dict) else None
    if not isinstance(name, str) or not isinstance(configuration, dict):
        raise _unread(f"{what} is {value!r}", where, "an object with its name")
    return name, configuration


def _field_v3(field: Any, where: str) -> Any:
    """Return the type of a field: [name, type], or an object with both."""
    if isinstance(field, list) and len(field) == 2:
        return field[1]
    if isinstance(field, dict) and "data_type" in field:
        return field["data_type"]
    raise _unread(f"the field {field!r}", where, "a name and a type")


def _type_v3(data_type: Any, where: str, *, nested: bool = False) -> int | None:
    name, configuration = _named(data_type, where, "data_type")
    if name in _OF_NAME and not (nested and _OF_NAME[name] is None):
        return _OF_NAME[name]
    if name in _CONFIGURED:
        length = configuration.get(_CONFIGURED[name] or "", 8)
        if isinstance(length, int) and not isinstance(length, bool) and 0 <= length < 1 << 24:
            return length
    fields = configuration.get("fields")
    if name in ("struct", "structured") and isinstance(fields, list) and fields and not nested:
        return sum(_type_v3(_field_v3(one, where), where, nested=True) or 0 for one in fields)
    raise _unread(f"the type {data_type!r}", where, "numbers, truth values or text")


def _codecs_v3(
    codecs: Any, chunks: tuple[int, ...], item_bytes: int | None, where: str, *, sharded: bool = False
) -> tuple[str, Shard | None]:
    """Check the codecs of an array, or of the chunks in its shards; return the outermost and the shard."""
    if not isinstance(codecs, list) or not 0 < len(codecs) <= 16:
        raise _unread(f"codecs are {codecs!r}", where, "a list of them")
    named = [_codec_v3(codec, where) for codec in codecs]
    names = [name for name, _ in named]
    text = TEXT in names
    if "sharding_indexed" in names:
        if sharded or len(names) > 1:
            raise _unread("shards in shards", where, "one level of them")
        return "sharding_indexed", _shard(named[0][1], chunks, item_bytes, where)
    if text != (item_bytes is None):
        raise _unread(
            f"{'text' if item_bytes is None else 'numbers'} kept by {names}", where, f"text by {TEXT}"
        )
    return names[-1], None


def _codec_v3(codec: Any, where: str) -> tuple[str, Mapping[str, Any]]:
    name, configuration = _named(codec, where, "a codec")
    plain = name.removeprefix("numcodecs.")
    known = name in _OF_ZARR if plain == name else plain in COMPRESSORS | CHECKSUMS | FILTERS
    if not known:
        raise _codec(name, where)
    if plain == "transpose":
        order = configuration.get("order")
        if not isinstance(order, list | str) or len(order) > MOST_DIMENSIONS:
            raise _unread(f"transpose has the order {order!r}", where, "the order of the axes")
    elif plain != "sharding_indexed":
        _check_arguments(name, configuration, where)
    return plain, configuration


def _shard(
    configuration: Mapping[str, Any], chunks: tuple[int, ...], item_bytes: int | None, where: str
) -> Shard:
    _, inner = _sizes(list(chunks), configuration.get("chunk_shape"), where)
    if len(inner) != len(chunks) or any(
        size % max(part, 1) for size, part in zip(chunks, inner, strict=True)
    ):
        raise _unread(f"shards of {chunks} in chunks of {inner}", where, "whole chunks")
    if configuration.get("index_location", "end") != "end":
        raise _unread("the index of a shard at its start", where, "at its end")
    outermost, _ = _codecs_v3(configuration.get("codecs"), inner, item_bytes, where, sharded=True)
    index = [_codec_v3(codec, where) for codec in configuration.get("index_codecs") or []]
    names = [name for name, _ in index]
    if names not in (["bytes"], ["bytes", "crc32c"]) or index[0][1].get("endian", "little") != "little":
        raise _unread(f"an index of shards by {names}", where, "by bytes and crc32c")
    n_chunks = math.prod(size // max(part, 1) for size, part in zip(chunks, inner, strict=True))
    if n_chunks > MOST_CHUNKS:
        raise _unread(f"shards of {n_chunks:,} chunks", where, f"at most {MOST_CHUNKS:,}")
    return Shard(n_chunks, outermost, "crc32c" in names)


def _sizes(shape: Any, chunks: Any, where: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    for name, value in (("shape", shape), ("chunks", chunks)):
        sizes = value if isinstance(value, list) else [None]
        if len(sizes) > MOST_DIMENSIONS or not all(type(n) is int and 0 <= n < 1 << 48 for n in sizes):
            raise _unread(f"{name} {value!r}", where, "a list of whole numbers, 0 or more")
    if len(shape) != len(chunks) or any(n > 0 and part < 1 for n, part in zip(shape, chunks, strict=True)):
        raise _unread(f"chunks of {chunks} for the shape {shape}", where, "a size above 0 for each axis")
    return tuple(shape), tuple(chunks)


def _codec(name: str, where: str) -> CodecError:
    return CodecError(
        f"the codec '{name}' is not read (a codec can run code of whoever wrote the store)",
        where=where,
        expected=f"one of {', '.join(CODECS)}",
        remedy="write the store again with one of these, if you trust where it is from",
    )


def _unread(what: str, where: str, expected: str) -> DataError:
    return DataError(f"{what} cannot be read", where=where, expected=expected, remedy="write the store again")

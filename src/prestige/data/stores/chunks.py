"""A chunk as it lies on the disk: whether it is whole, and what it would take to decode it.

Looked at before a codec sees it: blosc decodes a chunk that is cut off to noise, and any codec fills the
memory when its few bytes say so.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from prestige.data.stores.metadata import ArrayFacts, Shard

FREE_BYTES = 1 << 28
"""What may be claimed without any question."""

MOST_RATIO = 4096
"""No image or table is smaller on the disk than by this factor, unless it is empty."""

MOST_DECODED_BYTES = 1 << 31
"""What one chunk may take in memory, as with blosc."""

_NONE = np.iinfo(np.uint64).max  # a chunk that a shard does not hold
_STEP = 1 << 24
# the most that a byte of each stands for, generously
_STREAMS: dict[str, tuple[int, Callable[[], Any]]] = {
    "zlib": (1100, lambda: zlib.decompressobj()),
    "gzip": (1100, lambda: zlib.decompressobj(wbits=31)),
    "bz2": (1 << 17, lambda: bz2.BZ2Decompressor()),
    "lzma": (1 << 14, lambda: lzma.LZMADecompressor(memlimit=1 << 30)),
}


def check_chunk(data: bytes | memoryview, facts: ArrayFacts) -> None:
    """Refuse a chunk file that is cut off, or that would fill the memory.

    Raises
    ------
    ValueError
        Saying what is wrong with it.
    """
    if facts.shard is not None:
        _check_shard(memoryview(data), facts)
    else:
        _check(memoryview(data), facts.outermost, _most(facts))


def check_part(data: bytes | memoryview, facts: ArrayFacts) -> None:
    """Refuse a chunk that was taken out of a shard, likewise."""
    assert facts.shard is not None
    _check(memoryview(data), facts.shard.outermost, _most(facts))


def index_bytes(shard: Shard) -> int:
    """Return the length of the index at the end of a shard: offset and length of each chunk."""
    return 16 * shard.n_chunks + 4 * shard.index_checksum


def _most(facts: ArrayFacts) -> int:
    return max(MOST_DECODED_BYTES, 2 * facts.chunk_nbytes)


def _check_shard(data: memoryview, facts: ArrayFacts) -> None:
    shard = facts.shard
    assert shard is not None
    length = index_bytes(shard)
    if len(data) < length:
        raise ValueError("is cut off: it is shorter than its index")
    index = np.frombuffer(data[len(data) - length :][: 16 * shard.n_chunks], dtype="<u8").reshape(-1, 2)
    there = index[(index != _NONE).any(axis=1)]
    end = np.uint64(len(data))
    if ((there[:, 0] > end) | (there[:, 1] > end - np.minimum(there[:, 0], end))).any():
        raise ValueError("is cut off: its index names bytes beyond its end")
    for offset, size in there.tolist():
        _check(data[offset : offset + size], shard.outermost, _most(facts))


def _check(data: memoryview, codec: str, most: int) -> None:
    if codec == "blosc":
        # bytes 4 to 7: the size decoded, 12 to 15: of the whole, little-endian
        if len(data) < 16 or int.from_bytes(data[12:16], "little") > len(data):
            raise ValueError("is cut off")
    elif codec == "lz4":
        claimed = int.from_bytes(data[:4], "little")
        if len(data) < 4 or claimed > FREE_BYTES + 256 * len(data):
            raise ValueError("is cut off or broken")
    elif codec == "zstd":
        claimed = _zstd_content(data)
        if claimed is not None and claimed > most:
            raise ValueError(f"claims {claimed:,} bytes")
    elif codec in _STREAMS:
        _check_stream(data, codec, most)


def _zstd_content(data: memoryview) -> int | None:
    """Return the size that a zstd frame states (RFC 8878, 3.1.1.1); None where it states none."""
    if len(data) < 6 or data[:4] != b"\x28\xb5\x2f\xfd":
        raise ValueError("is cut off or broken")
    descriptor = data[4]
    single, flag = bool(descriptor & 0x20), descriptor >> 6
    size = (1 if single else 0, 2, 4, 8)[flag]
    start = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    if len(data) < start + size:
        raise ValueError("is cut off")
    return int.from_bytes(data[start : start + size], "little") + (256 if size == 2 else 0) if size else None


def _check_stream(data: memoryview, codec: str, most: int) -> None:
    """Go through a stream that might be immense, without keeping it."""
    ratio, made = _STREAMS[codec]
    if ratio * len(data) <= most:
        return
    rest, total = bytes(data), 0
    while rest:
        stream, given = made(), rest
        while not stream.eof:
            piece = stream.decompress(given, _STEP)
            total += len(piece)
            given = getattr(stream, "unconsumed_tail", b"")
            if total > most:
                raise ValueError(f"decodes to more than {most:,} bytes")
            if not (piece or given or stream.eof):
                raise ValueError("is cut off")
        rest = stream.unused_data.lstrip(b"\0")

"""Chunks that are cut off, or that would fill the memory, in every codec; whole ones pass."""

from __future__ import annotations

from typing import Any

import numcodecs
import numpy as np
import pytest

from prestige.data.stores import chunks
from prestige.data.stores.chunks import check_chunk, check_part, index_bytes
from prestige.data.stores.metadata import ArrayFacts, Shard

VALUES = np.random.default_rng(0).integers(0, 9, 4000).astype("<i4")
CODECS = {name: numcodecs.get_codec({"id": name}) for name in ("blosc", "lz4", "zstd", "zlib", "gzip", "bz2")}


def facts(codec: str, shard: Shard | None = None) -> ArrayFacts:
    return ArrayFacts((4000,), (4000,), 4, codec, shard)


@pytest.mark.parametrize("name", [*CODECS, "", "crc32c"])
def test_a_whole_chunk_passes(name: str) -> None:
    check_chunk(CODECS[name].encode(VALUES) if name in CODECS else VALUES.tobytes(), facts(name))


@pytest.mark.parametrize("name", ["blosc", "zstd", "lz4"])
def test_a_chunk_that_is_cut_off_is_refused_or_fails(name: str) -> None:
    whole = CODECS[name].encode(VALUES)
    for length in (0, 3, 5, 15, len(whole) // 2, len(whole) - 1):
        try:
            check_chunk(whole[:length], facts(name))
        except ValueError:
            continue
        with pytest.raises((RuntimeError, ValueError)):  # what passes is found out by the codec itself
            CODECS[name].decode(whole[:length])


def test_a_chunk_of_blosc_is_as_long_as_it_says() -> None:
    whole: Any = CODECS["blosc"].encode(VALUES)
    check_chunk(whole + b"\0", facts("blosc"))
    for length in (15, 16, len(whole) - 1):
        with pytest.raises(ValueError, match="cut off"):
            check_chunk(whole[:length], facts("blosc"))


@pytest.mark.parametrize("flag", [0, 1, 2, 3])
@pytest.mark.parametrize("single", [0, 1])
def test_what_a_frame_of_zstd_claims(flag: int, single: int) -> None:
    """RFC 8878: a descriptor, a window unless the frame is one segment, the size in 0, 1, 2, 4 or 8 bytes."""
    size = (single, 2, 4, 8)[flag]
    frame = b"\x28\xb5\x2f\xfd" + bytes([flag << 6 | single << 5]) + b"\x58" * (not single)
    told = frame + b"\xff" * size + b"\0" * 8
    if size == 8 or (size == 4 and chunks.MOST_DECODED_BYTES < 2**32 - 1):
        with pytest.raises(ValueError, match="claims"):
            check_chunk(told, facts("zstd"))
    else:
        check_chunk(told, facts("zstd"))
    if size:
        with pytest.raises(ValueError, match="cut off"):
            check_chunk(frame + b"\xff" * (size - 1), facts("zstd"))


@pytest.mark.parametrize("name", ["zlib", "gzip", "bz2", "lzma"])
def test_a_stream_that_grows_immense_is_refused_before_it_is_decoded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MOST_DECODED_BYTES", 100_000)
    monkeypatch.setattr(chunks, "_STEP", 1000)
    codec: Any = numcodecs.get_codec({"id": name})
    small = ArrayFacts((10,), (10,), 1, name)
    with pytest.raises(ValueError, match="decodes to more than 100,000"):
        check_chunk(codec.encode(bytes(120_000)), small)
    noise = np.random.default_rng(1).integers(0, 256, 90_000).astype("u1").tobytes()
    check_chunk(codec.encode(noise), small)
    with pytest.raises(ValueError, match="cut off"):
        check_chunk(codec.encode(noise)[:-20_000], small)
    if name != "zlib":  # streams one behind the other are one to these
        with pytest.raises(ValueError, match="decodes to more"):
            check_chunk(codec.encode(noise) + codec.encode(bytes(60_000)), small)


def sharded(parts: list[bytes], *, index: Any = None) -> bytes:
    offsets = np.cumsum([0, *map(len, parts)])
    stated = np.array([[a, len(part)] for a, part in zip(offsets[:-1], parts, strict=True)], dtype="<u8")
    return b"".join(parts) + (stated if index is None else np.array(index, dtype="<u8")).tobytes() + b"crc."


def test_shards_are_looked_into() -> None:
    part = CODECS["blosc"].encode(VALUES[:2000])
    shard = Shard(2, "blosc", True)
    assert index_bytes(shard) == 2 * 16 + 4
    of_shard = facts("sharding_indexed", shard)
    check_chunk(sharded([part, part]), of_shard)
    check_part(part, of_shard)
    none = 2**64 - 1
    check_chunk(sharded([part], index=[[0, len(part)], [none, none]]), of_shard)
    for bad in (
        sharded([part, part])[5:],  # its beginning is gone
        sharded([part, part[:-1]]),
        sharded([part], index=[[0, len(part)], [none - 1, 5]]),
        sharded([part], index=[[0, len(part)], [10, none - 5]]),
        b"short",
    ):
        with pytest.raises(ValueError, match="cut off"):
            check_chunk(bad, of_shard)
    with pytest.raises(ValueError, match="cut off"):
        check_part(part[:-1], of_shard)

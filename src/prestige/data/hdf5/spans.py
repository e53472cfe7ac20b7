"""Stretches of a long list of numbers in an HDF5 file, unpacked on all cores.

HDF5 unpacks one chunk after the other with zlib.  The chunks of a list are independent, and libdeflate, which
imagecodecs brings, unpacks each in half the time.  Whatever is stored in another way goes through HDF5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from prestige.compute.threads import as_done

_GZIP = 1  # the number of HDF5's filter


def read_span(data: Any, start: int, stop: int) -> np.ndarray:
    """Return ``data[start:stop]`` of an open data set of one axis; to be called within ``reading``.

    Raises
    ------
    Exception
        Whatever h5py or the decoder makes of a damaged chunk.
    """
    chunks = _chunks(data, start, stop)
    if not chunks:
        return np.asarray(data[start:stop])
    length = data.chunks[0]
    first = start // length
    out = np.empty(len(chunks) * length, data.dtype)
    space = out.view(np.uint8).reshape(len(chunks), -1)

    def unpack(number: int) -> int:
        import imagecodecs

        return len(imagecodecs.deflate_decode(chunks[number], out=space[number]))

    if any(size != space.shape[1] for size in as_done(unpack, range(len(chunks)))):
        raise ValueError("a chunk is cut off")
    return out[start - first * length : stop - first * length]


def _chunks(data: Any, start: int, stop: int) -> list[bytes]:
    """Return the packed chunks of a stretch; none where gzip alone did not pack them, or one is not there."""
    plan = data.id.get_create_plist()
    packed = plan.get_nfilters() == 1 and plan.get_filter(0)[0] == _GZIP
    if (
        data.chunks is None
        or not packed
        or stop <= start
        or data.dtype.kind not in "iuf"
        or not data.dtype.isnative
    ):
        return []
    length = data.chunks[0]
    places = range(start // length * length, stop, length)
    if data.id.get_num_chunks() < -(-data.shape[0] // length):
        return []
    found = [data.id.read_direct_chunk((place,)) for place in places]
    return [] if any(skipped for skipped, _ in found) else [bytes(content) for _, content in found]

"""Whether a file is the one that was written: its size and checksums, kept beside it.

Checksums are CRC-32, which meets any damage and takes a third of a second for a gigabyte: they tell of
accidents, and of nobody's intent.  Of a large file a few blocks are read at every opening, all on demand.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BLOCK = 1 << 22
_PARTS, _PART_BYTES = 16, 1 << 16
WHOLE_BYTES = 1 << 20
"""Files up to this size are read whole at every opening."""


def vouch(path: Path) -> dict[str, Any]:
    """Return size and checksums of a file, as JSON holds them.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    size = path.stat().st_size
    return {"bytes": size, "crc32": _of_whole(path), "parts": _of_parts(path, size)}


def damage(path: Path, vouched: Mapping[str, Any], *, whole_bytes: int | None = WHOLE_BYTES) -> str | None:
    """Say what is wrong with a file in the words after its name, None where it is as it was written.

    Parameters
    ----------
    vouched
        Of :func:`vouch`; what is not in it is not asked for.
    whole_bytes
        Up to which size all of it is read; None for any.

    Raises
    ------
    OSError
        When it cannot be read, for another reason than that it is missing.
    """
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return "is missing"
    expected = vouched.get("bytes")
    if expected is not None and size != expected:
        return f"is {'cut off' if size < expected else 'too long'} ({size:,} of {expected:,} bytes)"
    whole = whole_bytes is None or size <= whole_bytes
    stated = vouched.get("crc32" if whole else "parts")
    if stated is not None and (_of_whole(path) if whole else _of_parts(path, size)) != stated:
        return "holds other bytes than were written"
    return None


def _of_whole(path: Path) -> str:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
    return f"{checksum:08x}"


def _of_parts(path: Path, size: int) -> str:
    """Return the checksum of some blocks: the first, the last, and others at equal distances."""
    checksum = 0
    with path.open("rb") as file:
        for number in range(_PARTS):
            file.seek(max(size - _PART_BYTES, 0) * number // (_PARTS - 1), os.SEEK_SET)
            checksum = zlib.crc32(file.read(_PART_BYTES), checksum)
    return f"{checksum:08x}"

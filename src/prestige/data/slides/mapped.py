"""Pages of mapped slides: how many this process holds, when they are let go, and how they are read."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

MOST_HELD_BYTES = 1 << 29
"""How much of the slides' files is held in memory while they are gone through once, whatever their size."""

_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
_FILES = {
    "": ("memory.max", "memory.current", "file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
}
"""Of a control group's limit, use and files, by what names its hierarchy: version 2, and 1."""


def release_pages(pixels: UInt8[np.ndarray, "height width 3"]) -> None:
    """Let go of the pages of a mapped slide that this process holds; they are read again where needed.

    Nothing happens to pixels that are not mapped, and on systems that cannot be told.
    """
    if (mapped := _mapping(pixels)) is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def read_here_and_there(slides: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> bool:
    """Say that slides are read at random, where they are larger together than the memory that is left.

    The system reads much around each place ahead, which is fast while all of it stays.  Where it does not,
    that pushes out what is needed next (docs/log.md).

    Returns
    -------
    bool
        Whether it was said.
    """
    mapped = [one for pixels in slides if (one := _mapping(pixels)) is not None]
    left = available_bytes()
    if left is None or sum(map(len, mapped)) <= left or not hasattr(mmap, "MADV_RANDOM"):
        return False
    for one in mapped:
        one.madvise(mmap.MADV_RANDOM)
    return True


def _mapping(pixels: np.ndarray) -> mmap.mmap | None:
    """Return the map that pixels lie in, if they do."""
    mapped: Any = pixels
    while isinstance(mapped, np.ndarray):
        mapped = mapped.base
    return mapped if isinstance(mapped, mmap.mmap) else None


class Held:
    """What this process holds of mapped slides, kept within a limit above what it held before.

    Parameters
    ----------
    most_bytes
        How much of the slides' files may stay in memory; None for as much as the system lets.
    """

    def __init__(self, most_bytes: int | None) -> None:
        self._most = None if most_bytes is None else mapped_bytes() + most_bytes

    def trim(self, *slides: UInt8[np.ndarray, "_ _ 3"]) -> None:
        """Let go of all pages of these slides where the limit is passed."""
        if self._most is not None and mapped_bytes() > self._most:
            for pixels in slides:
                release_pages(pixels)


def mapped_bytes() -> int:
    """Return how many bytes of mapped files this process holds in memory; 0 where the system does not say."""
    try:
        shared = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[2])
    except (OSError, IndexError, ValueError):
        return 0
    return shared * mmap.PAGESIZE


def available_bytes() -> int | None:
    """Return how much memory is left to this process, that of files which can be read again included.

    It is the least that the system and every control group about this process leave; None where neither says.
    """
    left = [*_of_groups()]
    with suppress(OSError, IndexError, ValueError):
        lines = (_PROC / "meminfo").read_text(encoding="ascii").splitlines()
        left += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return min(left, default=None)


def _of_groups() -> Iterator[int]:
    """Yield what each control group about this process leaves it, those without a limit apart."""
    try:
        lines = (_PROC / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for _, kinds, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        for kind in {"", "memory"} & set(kinds.split(",")):
            top = _GROUPS / kind
            folder = top / path.strip("/")
            for group in (folder, *folder.parents):
                with suppress(OSError, ValueError, KeyError):
                    yield _left(group, *_FILES[kind])
                if group == top:
                    break


def _left(group: Path, limit: str, used: str, files: str) -> int:
    """Return what a control group leaves; ValueError where it has no limit."""
    most, now = (int((group / name).read_text(encoding="ascii")) for name in (limit, used))
    stat = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
    return most - now + int(stat[files])

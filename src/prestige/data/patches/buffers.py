"""Memory for batches that is used again: new memory has to be cleared by the system, page by page.

A batch of 128 patches of 224 px is 77 MB as floating point numbers.  Asked for anew in every step, most of
the time of making it goes into page faults.
"""

from __future__ import annotations

import sys
from math import prod
from threading import Lock

import numpy as np
from numpy.typing import DTypeLike

_ALIGNED = 64
_MOST_KEPT = 4


class Buffers:
    """Gives out arrays, and gives the memory of one again when nobody holds it any more.

    Whoever holds an array, a view of it or a tensor over it keeps it: nothing that is in use is written to.

    Parameters
    ----------
    pinned
        Whether the memory is page-locked, so that a GPU fetches it by itself.  What a GPU still reads has to
        be held until it is done.
    """

    def __init__(self, *, pinned: bool = False) -> None:
        self._new = _pinned if pinned else _plain
        self._kept: list[np.ndarray] = []
        self._lock = Lock()

    def take(self, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        """Return an array of any content, its first byte at a multiple of 64."""
        dtype = np.dtype(dtype)
        n_bytes = prod(shape) * dtype.itemsize
        with self._lock:
            memory = self._free(n_bytes)
            first = -memory.ctypes.data % _ALIGNED
            return memory[first : first + n_bytes].view(dtype).reshape(shape)

    def _free(self, n_bytes: int) -> np.ndarray:
        """Return memory that nobody holds, kept from before or new."""
        wanted = n_bytes + _ALIGNED
        for i in range(len(self._kept)):
            # The list holds one reference, the call the other: every view has the memory itself as its base.
            if self._kept[i].nbytes >= wanted and sys.getrefcount(self._kept[i]) == 2:
                return self._kept[i]
        memory = self._new(wanted)
        self._kept = [*self._kept, memory][-_MOST_KEPT:]
        return memory


def _plain(n_bytes: int) -> np.ndarray:
    return np.empty(n_bytes, np.uint8)


def _pinned(n_bytes: int) -> np.ndarray:
    import torch

    return torch.empty(n_bytes, dtype=torch.uint8, pin_memory=True).numpy()

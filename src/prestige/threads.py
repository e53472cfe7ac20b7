"""Work on the parts of an array in several threads: for numpy and compiled loops, which let others run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

Part = TypeVar("Part")
Answer = TypeVar("Answer")

MOST = 4


def n_threads() -> int:
    """Return how many threads to use: the cores this process may use, ``OMP_NUM_THREADS`` and 4 at most."""
    # Not every system says which cores a process may use.
    usable = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    asked = MOST
    with suppress(ValueError):  # OpenMP allows lists of numbers, which say nothing here
        asked = max(1, int(os.environ.get("OMP_NUM_THREADS", MOST)))
    return min(len(usable(0)), asked, MOST)


def in_threads(work: Callable[[Part], Answer], parts: Iterable[Part]) -> list[Answer]:
    """Return what ``work`` gives for each part, in their order, however many threads there are."""
    number = n_threads()
    if number == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(work, parts))

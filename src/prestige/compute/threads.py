"""Work on the parts of an array in several threads: for numpy and compiled loops, which let others run."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

Part = TypeVar("Part")
Answer = TypeVar("Answer")

MOST = 4
"""Threads that numpy and memory can feed; what decodes or compresses asks for more."""


def n_threads(most: int | None = MOST) -> int:
    """Return how many threads to use: as many as cores, ``OMP_NUM_THREADS`` and ``most`` allow."""
    # Not every system says which cores a process may use.
    usable = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    limits = [len(usable(0)), *([] if most is None else [most])]
    with suppress(ValueError):  # OpenMP allows lists of numbers, which say nothing here
        limits.append(max(1, int(os.environ.get("OMP_NUM_THREADS", limits[0]))))
    return min(limits)


def in_threads(work: Callable[[Part], Answer], parts: Iterable[Part]) -> list[Answer]:
    """Return what ``work`` gives for each part, in their order, however many threads there are."""
    return list(as_done(work, parts, most=MOST))


def as_done(
    work: Callable[[Part], Answer], parts: Iterable[Part], *, most: int | None = None
) -> Iterator[Answer]:
    """Yield what ``work`` gives for each part, in their order, while others are worked on.

    After a fault nothing more is begun.
    """
    number = n_threads(most)
    if number == 1:
        yield from map(work, parts)
        return
    pool = ThreadPoolExecutor(number)
    try:
        yield from pool.map(work, parts)
    finally:
        pool.shutdown(cancel_futures=True)


def ahead(work: Callable[[Part], Answer], parts: Iterable[Part]) -> Iterator[Answer]:
    """Yield what ``work`` gives for each part, in their order, while the next few are worked on.

    However long the parts are and however slowly they are taken, two a thread are waiting at most.
    """
    number = n_threads(None)
    if number == 1:
        yield from map(work, parts)
        return
    pool = ThreadPoolExecutor(number)
    waiting: deque[Future[Answer]] = deque()
    try:
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > 2 * number:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)

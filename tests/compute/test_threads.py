"""Parts done in threads: in their order, as many as asked for, faults handed on."""

from __future__ import annotations

import os
import threading
import time

import pytest

from prestige.compute.threads import ahead, as_done, in_threads, n_threads


@pytest.mark.parametrize("asked", ["1", "3"])
def test_answers_come_in_the_order_of_the_parts(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert in_threads(lambda x: x * x, range(50)) == [x * x for x in range(50)]


def test_one_thread_is_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert set(in_threads(lambda _: threading.get_ident(), range(5))) == {threading.get_ident()}


@pytest.mark.parametrize(("asked", "expected"), [("1", 1), ("2", 2), ("8", 3), ("0", 1), ("4,2", 3), ("", 3)])
def test_number_of_threads(asked: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert n_threads() == expected


def test_systems_that_do_not_say_which_cores_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert n_threads() == 4


def test_a_fault_in_a_part_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    def work(part: int) -> int:
        return 1 // part

    with pytest.raises(ZeroDivisionError):
        in_threads(work, [1, 0])


def test_one_at_a_time_and_after_a_fault_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    begun = []

    def work(part: int) -> int:
        begun.append(part)
        if part == 3:
            raise ValueError("three")
        time.sleep(0.01)
        return part

    with pytest.raises(ValueError, match="three"):
        list(as_done(work, range(500)))
    assert len(begun) < 50


def test_what_decodes_may_take_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(32)), raising=False)
    assert (n_threads(), n_threads(None)) == (4, 32)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_only_the_next_few_are_worked_on(monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    begun = []

    def work(part: int) -> int:
        begun.append(part)
        return part * part

    found = ahead(work, iter(range(100)))
    assert [next(found) for _ in range(10)] == [n * n for n in range(10)]
    assert len(begun) <= 10 + 2 * 3 + 1
    assert list(found) == [n * n for n in range(10, 100)]

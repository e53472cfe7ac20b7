import sys
import time
from pathlib import Path

import numpy as np
import pytest

from prestige.compute.provenance import (
    forget_peak_memory,
    hardware,
    peak_memory_bytes,
    versions,
    working_seconds,
)


def test_versions_name_what_numbers_depend_on() -> None:
    read = versions()
    assert {"python", "torch", "numpy", "prestige-st"} <= set(read)
    assert read["numpy"] == np.__version__


def test_hardware_says_processor_and_threads() -> None:
    read = hardware("cpu")
    assert read["device"] == "cpu"
    assert int(read["threads"]) >= 1
    assert read["cpu"]


def test_peak_memory_follows_what_is_held() -> None:
    held = np.ones(30_000_000)
    assert held.nbytes < peak_memory_bytes() < 2**40


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can forget a peak")
def test_a_forgotten_peak_counts_no_more() -> None:
    held = np.ones(60_000_000)
    high = peak_memory_bytes()
    del held
    forget_peak_memory()
    assert peak_memory_bytes() < high - 200_000_000


def test_peak_memory_is_known_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*args: object, **kwargs: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    assert 10_000_000 < peak_memory_bytes() < 2**40


def test_the_working_clock_runs_with_the_wall_clock_and_counts_sleep() -> None:
    began, wall = working_seconds(), time.perf_counter()
    time.sleep(0.05)
    assert 0.02 < working_seconds() - began <= time.perf_counter() - wall + 1e-3


def test_the_working_clock_leaves_out_the_wait_for_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: 100.0)
    monkeypatch.setattr(Path, "read_text", lambda *args, **kwargs: "7000000000 5000000000 42\n")
    assert working_seconds() == 95.0
    monkeypatch.setattr(Path, "read_text", lambda *args, **kwargs: "")  # a kernel that does not count
    assert working_seconds() == 100.0

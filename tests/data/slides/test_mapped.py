"""Pages of mapped slides."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from prestige.data.patches.reader import Patch, PatchReader
from prestige.data.slides import mapped
from prestige.data.slides.mapped import available_bytes, mapped_bytes, read_here_and_there, release_pages
from prestige.data.slides.slide import Slide, open_pixels

GIB = 1 << 30
linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux says what a process holds"
)


def _map(path: Path, rows: int) -> np.ndarray:
    np.save(path, np.zeros((rows, 4000, 3), dtype=np.uint8))
    return open_pixels(path)


@linux
def test_a_slide_that_is_gone_through_once_holds_no_more_than_its_budget(tmp_path: Path) -> None:
    slide = Slide(_map(tmp_path / "slide.npy", 8000), 0.5, False, "zeros")  # 96 MB
    y = np.arange(100.0, 7900.0, 10.0)
    places = np.stack(
        [np.random.default_rng(0).uniform(100, 3900, (len(y), 60)), np.repeat(y[:, None], 60, 1)], -1
    )
    PatchReader([slide], Patch(32.0, 64))(
        np.zeros(1, dtype=np.int64), places[0, :1]
    )  # libraries are mapped too
    held = {}
    for budget in (16_000_000, None):
        release_pages(slide.pixels)
        before = mapped_bytes()
        reader = PatchReader([slide], Patch(32.0, 64), most_mapped_bytes=budget, threads=1)
        most = 0
        for row in places:
            reader(np.zeros(len(row), dtype=np.int64), row)
            most = max(most, mapped_bytes() - before)
        held[budget] = most
    assert held[None] > 60_000_000  # the whole slide, but for its edges
    assert held[16_000_000] < 16_000_000 + 8_000_000  # a batch more at most


def test_pixels_that_are_no_map_have_no_pages_to_release() -> None:
    pixels = np.ones((4, 5, 3), dtype=np.uint8)
    release_pages(pixels)
    assert (pixels == 1).all()


def test_released_pages_are_read_again(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    np.save(tmp_path / "slide.npy", stored)
    pixels = np.ascontiguousarray(np.asarray(open_pixels(tmp_path / "slide.npy")))
    assert (pixels == stored).all()
    release_pages(pixels)
    assert (pixels == stored).all()


def _flags(path: Path) -> str:
    """Return what the system knows of the map of a file."""
    lines = Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.endswith(str(path)))
    return next(line for line in lines[start:] if line.startswith("VmFlags:"))


@linux
@pytest.mark.parametrize(("left", "random"), [(1000, True), (10**12, False), (None, False)])
def test_slides_larger_than_the_memory_that_is_left_are_read_here_and_there(
    left: int | None, random: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "available_bytes", lambda: left)
    slide = Slide(_map(tmp_path / "slide.npy", 50), 0.5, False, "zeros")
    PatchReader([slide], Patch(16.0, 32), most_mapped_bytes=10**6)
    assert " rr" not in _flags(tmp_path / "slide.npy")  # gone through once, in order
    PatchReader([slide], Patch(16.0, 32))
    assert (" rr" in _flags(tmp_path / "slide.npy")) is random


def test_pixels_that_are_no_map_need_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "available_bytes", lambda: 1 << 20)
    assert not read_here_and_there([np.zeros((40, 50, 3), dtype=np.uint8)])


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system with 16 GiB left, whose process is in a group of each version of control groups."""
    monkeypatch.setattr(mapped, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(mapped, "_GROUPS", tmp_path / "groups")
    _write(
        tmp_path / "proc/meminfo", f"MemTotal: {20 * GIB // 1024} kB\nMemAvailable: {16 * GIB // 1024} kB\n"
    )
    _write(tmp_path / "proc/self/cgroup", "5:cpu,memory:/jobs/one\n3:pids:/\n0::/user/shell\n")
    return tmp_path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _group(folder: Path, version: int, limit: str, used: int, files: int) -> None:
    most, now, name = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
        2: ("memory.max", "memory.current", "file"),
    }[version]
    _write(folder / most, limit)
    _write(folder / now, str(used))
    _write(folder / "memory.stat", f"anon 5\n{name} {files}\n")


def test_without_control_groups_the_system_says_what_is_left(system: Path) -> None:
    assert available_bytes() == 16 * GIB


def test_the_files_of_a_group_are_left_to_it(system: Path) -> None:
    _group(system / "groups/memory/jobs/one", 1, str(8 * GIB), 7 * GIB, 5 * GIB)
    assert available_bytes() == 6 * GIB


def test_a_group_further_up_counts_too(system: Path) -> None:
    _group(system / "groups/user/shell", 2, "max", GIB, 0)  # no limit of its own
    _group(system / "groups/user", 2, str(4 * GIB), 2 * GIB, GIB)
    assert available_bytes() == 3 * GIB


def test_a_container_sees_its_own_group_at_the_top(system: Path) -> None:
    """The path is that of the host, the folder at the top that of the group."""
    _group(system / "groups/memory", 1, str(2 * GIB), GIB, 0)
    assert available_bytes() == GIB


def test_a_limit_beyond_all_memory_is_none(system: Path) -> None:
    _group(system / "groups/memory", 1, "9223372036854771712", GIB, 0)
    assert available_bytes() == 16 * GIB


@pytest.mark.parametrize("text", ["", "nothing of it", "MemAvailable:", "MemAvailable: many kB"])
def test_a_system_that_does_not_say(system: Path, text: str) -> None:
    (system / "proc/meminfo").write_text(text, encoding="utf-8")
    (system / "proc/self/cgroup").unlink()
    assert available_bytes() is None


@linux
def test_what_is_left_here_is_less_than_what_there_is() -> None:
    left = available_bytes()
    assert left is not None
    assert 0 < left < 1 << 50

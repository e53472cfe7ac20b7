"""The campaign of changed inputs and killed commands: how it judges, and a small part of it."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from prestige.data.sources import SOURCES
from prestige.errors import DataError

INPUTS, KILLS = 300, 20
COMMANDS = ("inspect", "train", "predict", "evaluate")
"""Commands of a fraction of a second; the whole campaign kills all."""
BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def parts() -> Iterator[Callable[[str], ModuleType]]:
    """Return what imports a part of the campaign, as its script does."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield lambda name: importlib.import_module(f"campaign.{name}")
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_every_reader_has_inputs_of_its_own(parts: Any) -> None:
    assert {kind.source for kind in parts("registry").KINDS if kind.source} == set(SOURCES)


def test_kinds_and_their_changes_have_names_of_their_own(parts: Any) -> None:
    kinds = parts("registry").KINDS
    assert len({kind.name for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert len({change.name for change in kind.changes}) == len(kind.changes), kind.name


def _touch(mark: Path) -> Any:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {mark}",)

    return Payload()


def _loop() -> None:
    while True:
        pass


DOORS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "result": (lambda folder, out: "value", "result"),
    "line": (lambda folder, out: _refuse(), "line"),
    "chatter": (lambda folder, out: (print("a library", file=sys.stderr), _refuse()), "line with chatter"),
    "long": (lambda folder, out: _refuse("x" * 5000, cut=False), "line with chatter"),
    "defect": (lambda folder, out: {}["x"], "traceback"),
    "memory": (lambda folder, out: np.ones(1 << 40), "memory"),
    "endless": (lambda folder, out: _loop(), "endless"),
    "asleep": (lambda folder, out: time.sleep(60), "endless"),
    "crash": (lambda folder, out: os.kill(os.getpid(), signal.SIGSEGV), "crash"),
    "network": (lambda folder, out: _connect(), "reached"),
    "shell": (lambda folder, out: os.system("true"), "reached"),
    "program": (lambda folder, out: subprocess.run(["true"], check=True), "reached"),
    "pickle": (lambda folder, out: pickle.loads(pickle.dumps(_touch(folder / "EXECUTED"))), "reached"),
    "reads": (lambda folder, out: (folder.parents[1] / "elsewhere").read_text(), "reached"),
    "writes": (lambda folder, out: (folder.parents[1] / "new").write_text("x"), "reached"),
}  # fmt: skip


def _refuse(word: str = "wrong", cut: bool = True) -> None:
    error = DataError(word, where="file")
    if not cut:
        error.args = (word,)
    raise error


def _connect() -> None:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", 9), 0.1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return the folder of one input."""
    (tmp_path / "elsewhere").write_text("x")
    place = tmp_path / "place"
    for name in ("in", "cache", "tmp"):
        (place / name).mkdir(parents=True)
    return place


@pytest.mark.parametrize("name", list(DOORS))
def test_how_an_input_ends_is_told_by_class(
    parts: Any, place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    watched = parts("watched")
    monkeypatch.setattr(watched, "SECONDS", 1)
    door, expected = DOORS[name]
    seconds = 1.5 if name == "asleep" else 20.0
    status, answer = watched.run_apart(lambda: watched.child(door, place, place.parent), place, seconds)
    found, told = watched.judge(status, answer, (place / "said").read_text())
    assert found == expected, told
    assert watched.marked(place) == (name == "pickle")


def test_what_is_left_is_seen(parts: Any, place: Path) -> None:
    watched = parts("watched")
    (place / "in" / "a").write_text("x")
    before = watched.state(place / "in")
    assert watched.leftovers(place, before, (), refused=True) == []
    (place / "in" / "a").write_text("longer")
    (place / "in" / "b").write_text("x")
    (place / "tmp" / "t").write_text("x")
    (place / "out").mkdir()
    (place / "out" / "S1.h5ad").write_text("x")
    (place / "cache" / ".slide.0123456789ab.partial").write_text("x")
    left = watched.leftovers(place, before, (), refused=True)
    assert left == ["tmp/t", "in/a", "in/b", "cache/.slide.0123456789ab.partial", "out/S1.h5ad"]


def test_the_kernel_tells_what_is_opened(parts: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.ones(3)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["x"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/x")
    reached = parts("watched").Reached(tmp_path)
    assert reached.names() == []
    with h5py.File(tmp_path / "link.h5") as file:
        assert file["x"].shape == (3,)
    assert "secret.h5" in reached.names()


def test_an_input_follows_from_its_seed(parts: Any, tmp_path: Path) -> None:
    kinds, images = parts("kinds"), parts("images")
    kind = kinds.Kind("tiff", lambda folder, out: None, images.CHANGES)
    (tmp_path / "sound" / "tiff" / "hest" / "wsis").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "sound" / "tiff" / "hest" / "wsis" / "S1.tif", pixels, tile=(32, 32))
    made: dict[int, list[bytes]] = {}
    for seed in (*range(12), *range(12)):
        folder = kinds.copied(kind, tmp_path / "sound", tmp_path / f"{seed}-{len(made.get(seed, []))}")
        kinds.changed(kind, seed, folder)
        file = folder / "hest" / "wsis" / "S1.tif"
        made.setdefault(seed, []).append(
            file.read_bytes() if file.is_file() and not file.is_symlink() else b""
        )
    assert all(first == second for first, second in made.values())
    assert len({first for first, _ in made.values()}) > 8


def test_tags_are_found_where_tifffile_finds_them(parts: Any, tmp_path: Path) -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    for big in (False, True):
        path = tmp_path / f"{big}.tif"
        tifffile.imwrite(path, [pixels, pixels], tile=(32, 32), bigtiff=big, photometric="rgb")
        tiff = parts("images").Tiff(path)
        with tifffile.TiffFile(path) as file:
            wanted = [(tag.code, tag.count, tag.valueoffset) for page in file.pages for tag in page.tags]
        assert [(one.tag, one.count, one.value_at) for one in tiff.entries] == wanted
        width = next(one for one in tiff.entries if one.tag == 256)
        assert tiff.get(width) == 96
        tiff.set(width, 7)
        tiff.save()
        with tifffile.TiffFile(path) as file:
            assert file.pages[0].imagewidth == 7


def test_values_are_changed_and_can_be_written(parts: Any) -> None:
    values = parts("values")
    text = json.dumps({"a": [1, 2.5, {"b": "x"}], "c": None, "d": {"e": [True]}})
    made = [values.dumped(values.change_value(json.loads(text), Random(seed))[0]) for seed in range(200)]
    assert sum(one == text for one in made) < 10  # an odd value may be the one that was there
    assert len(set(made)) > 100


def test_each_kill_promises_a_code(parts: Any) -> None:
    kills = parts("kills")
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} == set(kills.PROMISED)
    assert sum(sum(one.values()) for one in kills.quotas(1000, 3)) == pytest.approx(1000, abs=6)
    commands = {one.arguments[0] for one in kills.COMMANDS}
    assert commands == {
        "phantom",
        "inspect",
        "split",
        "train",
        "bench",
        "predict",
        "evaluate",
        "biology",
        "report",
    }


@pytest.mark.timeout(600)
def test_a_part_of_the_campaign(parts: Any, tmp_path: Path) -> None:
    outcomes, page = tmp_path / "outcomes.jsonl", tmp_path / "page.md"
    script = [sys.executable, BENCHMARKS / "hostile.py", "--seed", "0", "--inputs", INPUTS, "--kills", KILLS]
    script += ["--commands", *COMMANDS, "--outcomes", outcomes, "--write", page]
    done = subprocess.run(
        [str(one) for one in script],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(BENCHMARKS.parent / "src")},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    lines = [json.loads(line) for line in outcomes.read_text().splitlines()]
    found = [one for one in lines if "kind" in one]
    assert len(found) == pytest.approx(INPUTS, abs=INPUTS / 10)
    assert {one["kind"] for one in found} == {kind.name for kind in parts("registry").KINDS}
    assert sum(len(one.get("kills", [])) for one in lines) == pytest.approx(KILLS, abs=4)
    assert f"**0 of {len(found)} inputs and 0 of" in page.read_text()

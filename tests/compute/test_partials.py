"""What is being written has a name of its own, and goes away when its process has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prestige.compute.files import write_text
from prestige.compute.partials import is_partial, partial_of, remove_partials

KILLED = """
import os, sys
from pathlib import Path
from prestige.compute.files import whole_file, whole_folder
with whole_folder(Path(sys.argv[1]) / "folder") as folder, whole_file(Path(sys.argv[1]) / "file") as file:
    (folder / "a").write_text("half")
    file.write_text("half")
    os._exit(9)
"""
DAY = 24 * 3600


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (".a.npy.0123456789ab.partial", True),
        (".a.npy.0123456789abcdef0123456789abcdef.partial", True),
        (".a.npy.0123456789abcdef.partial", False),
        ("..a.0123456789ab.partial", True),
        (".a\nb.0123456789ab.partial", True),
        ("a.npy.0123456789ab.partial", False),
        (".a.npy.0123456789AB.partial", False),
        (".a.npy.0123456789a.partial", False),
        (".0123456789ab.partial", False),
        (".a.partial", False),
        (".a.0123456789ab.partial.png", False),
    ],
)
def test_the_name_of_what_is_being_written(name: str, is_one: bool) -> None:
    assert is_partial(name) is is_one


def test_what_a_kill_leaves_is_known_and_swept_at_once(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    left = list(tmp_path.iterdir())
    assert len(left) == 2
    assert all(is_partial(path.name) for path in left)
    write_text(tmp_path / "other", "text")
    assert names(tmp_path) == ["other"]


def test_what_another_machine_writes_is_swept_a_day_later(tmp_path: Path) -> None:
    left = [tmp_path / f".a.{'0' * digits}.partial" for digits in (12, 32)]
    living = partial_of(tmp_path / "a")
    for path in (*left, living):
        path.write_text("half")
    write_text(tmp_path / "other", "text")
    assert len(list(tmp_path.iterdir())) == 4  # they may be written now
    for path in left:
        os.utime(path, (time.time() - DAY - 60,) * 2)
    (tmp_path / "old.partial").write_text("a user's own")
    os.utime(tmp_path / "old.partial", (0, 0))
    write_text(tmp_path / "other", "text")
    assert names(tmp_path) == [living.name, "old.partial", "other"]


def test_a_link_that_a_kill_left_goes_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    link = tmp_path / "in" / ".a.0123456789ab.partial"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "mine")
    os.utime(link, (0, 0), follow_symlinks=False)
    write_text(tmp_path / "in" / "b", "text")
    assert names(tmp_path) == ["b", "in", "mine"]


@pytest.mark.parametrize("name", ["a", "\u00e4" * 120, "x" * 250])
def test_names_of_any_length_have_a_partial(tmp_path: Path, name: str) -> None:
    partial = partial_of(tmp_path / name)
    assert is_partial(partial.name)
    partial.touch()


def test_a_folder_of_one_process_is_swept_at_once(tmp_path: Path) -> None:
    (tmp_path / "in" / ".c.0123456789ab.partial" / "d").mkdir(parents=True)
    (tmp_path / "in" / ".b.0123456789ab.partial").write_text("half")
    (tmp_path / "in" / "a.partial").write_text("a user's own")
    for path in (tmp_path / "in").iterdir():
        os.utime(path, (time.time() - 61,) * 2)
    (tmp_path / ".new.0123456789ab.partial").write_text("of another process, which will find it taken")
    remove_partials(tmp_path)
    assert names(tmp_path) == [".new.0123456789ab.partial", "a.partial", "in"]

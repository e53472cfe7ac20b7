"""Files and folders that are whole or not there, whatever fails."""

from __future__ import annotations

import ast
import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from prestige.compute import files
from prestige.compute.files import probe, remove_folder, whole_file, whole_folder, write_text
from prestige.compute.ownership import MARK, refuse_others
from prestige.compute.partials import is_partial, partial_of
from prestige.errors import StorageError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    for text in ("old", "new"):
        with whole_file(path) as partial:
            assert partial.parent == path.parent
            assert is_partial(partial.name)
            partial.write_text(text)
            assert not path.exists() or path.read_text() == "old"
        assert path.read_text() == text
    write_text(path, "\u00b5m")
    assert path.read_bytes() == b"\xc2\xb5m"
    assert names(tmp_path / "new") == ["a.txt", "folder"]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "a") as partial:  # noqa: PT012
        partial.write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_file_that_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "a", "first", keep=True)
    inode = (tmp_path / "a").stat().st_ino
    write_text(tmp_path / "a", "second", keep=True)
    assert (tmp_path / "a").read_text() == "first"
    assert (tmp_path / "a").stat().st_ino == inode

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(files.os, "link", refuse)
    write_text(tmp_path / "a", "third", keep=True)
    write_text(tmp_path / "b", "third", keep=True)
    assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_text()) == ("first", "third")
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.usefixtures("umask")
def test_modes_follow_the_umask_whatever_wrote_the_file(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0o600)
    with whole_file(tmp_path / "tensors") as partial:
        save_file({"a": np.zeros(3)}, partial)
    with whole_folder(tmp_path / "folder") as folder:
        save_file({"a": np.zeros(3)}, folder / "tensors")
        (folder / "in").mkdir()
        os.link(tmp_path / "secret", folder / "link")
        (folder / "in" / "text").write_text("a")
        (folder / "in" / "text").chmod(0o600)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    others = {"secret": 0o600, "link": 0o600}
    assert modes == {"tensors": 0o640, "folder": 0o750, "in": 0o750, "text": 0o640, **others}


def test_a_link_gives_way_and_what_it_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "file")
    write_text(tmp_path / "link", "text")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_text() == "text"
    assert (tmp_path / "far" / "file").read_text() == "mine"


def test_the_folder_of_a_file_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to("far")
    write_text(tmp_path / "near" / "file", "text")
    assert (tmp_path / "far" / "file").read_text() == "text"
    assert (tmp_path / "near").is_symlink()


def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match=r"pipe: is no file; expected a file, or nothing"):
        write_text(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said(tmp_path: Path, number: int) -> None:
    with pytest.raises(StorageError, match=r"a: the disk is full.*free some") as told:  # noqa: SIM117
        with whole_file(tmp_path / "a"):
            raise OSError(number, "told so")
    assert told.value.where == str(tmp_path / "a")
    with (
        pytest.raises(StorageError, match=r"cannot be written \(told so\); choose another folder"),
        whole_folder(tmp_path / "a"),
    ):
        raise OSError(errno.EIO, "told so")
    assert names(tmp_path) == []


def test_what_a_writer_of_tensors_cannot_write_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="a: cannot be written"), whole_file(tmp_path / "a") as partial:
        save_file({"a": np.zeros(3)}, partial / "no folder")


def test_another_file_that_cannot_be_read_is_no_fault_of_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "out" / "a"):
        (tmp_path / "source").read_bytes()
    with (
        pytest.raises(StorageError, match="a: cannot be written"),
        whole_file(tmp_path / "out" / "a") as partial,
    ):
        partial.unlink()
    assert names(tmp_path) == ["out"]


def test_what_is_written_within_is_named_as_it_would_have_been(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as told:  # noqa: SIM117
        with whole_folder(tmp_path / "a") as folder, whole_file(folder / "b" / "c"):
            raise OSError(errno.ENOSPC, "told so")
    assert told.value.where == str(tmp_path / "a" / "b" / "c")
    assert names(tmp_path) == []


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match="cannot be written"):
        write_text(tmp_path / "file" / "a", "text")
    with pytest.raises(StorageError, match="cannot be written"), whole_folder(tmp_path / "file"):
        pass
    for options in ({"ours": ("a",)}, {"keep": True}):
        with pytest.raises(StorageError, match="cannot be written"):  # noqa: SIM117
            with whole_folder(tmp_path / "file", **options):
                pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        write_text(tmp_path / "folder", "text")
    with pytest.raises(StorageError, match="cannot be written"):
        write_text(tmp_path / "folder", "text", keep=True)
    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    for text in ("old", "new"):
        with whole_folder(folder, ours=("a", "b")) as partial:
            (partial / "a").write_text(text)
            if text == "old":
                (partial / "b").write_text("only in the old one")
        assert (folder / "a").read_text() == text
    assert names(tmp_path) == ["a", "page"]
    with pytest.raises(ZeroDivisionError), whole_folder(folder, ours=("a",)) as partial:  # noqa: PT012
        (partial / "a").write_text("half")
        raise ZeroDivisionError
    assert names(tmp_path) == ["a", "page"]
    assert (folder / "a").read_text() == "new"


def test_what_others_wrote_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.docx").write_text("mine")
    with pytest.raises(StorageError, match=r"a: holds 'thesis\.docx', which would"):  # noqa: SIM117
        with whole_folder(tmp_path / "a", ours=("index.html",)):
            raise AssertionError("nothing is begun")
    refuse_others(tmp_path / "a", ("thesis.docx", "b"))
    refuse_others(tmp_path / "nothing", ())
    with whole_folder(tmp_path / "a", keep=True) as partial:
        (partial / "b").write_text("late")
    assert names(tmp_path) == ["a", "thesis.docx"]
    with whole_folder(tmp_path / "a", ours=("thesis.docx",)) as partial:
        (partial / "b").write_text("b")
    assert names(tmp_path) == ["a", "b"]


def test_what_somebody_puts_there_meanwhile_is_not_lost(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b", "old")
    with (
        pytest.raises(StorageError, match=r"a: holds 'mine', which would"),
        whole_folder(tmp_path / "a", ours=("b",)),
    ):
        write_text(tmp_path / "a" / "mine", "mine")
    assert names(tmp_path) == ["a", "b", "mine"]


def test_a_picture_of_somebody_among_ours_is_not_lost(tmp_path: Path) -> None:
    folder, ours = tmp_path / "page", ("index.html", "figures/*.png")
    for name in ("one.png", "two.png"):
        with whole_folder(folder, ours=ours) as partial:
            write_text(partial / "figures" / name, f"drawn, {MARK}")
        assert names(folder) == ["figures", name]
    write_text(folder / "figures" / "mine.png", "mine")
    with pytest.raises(StorageError, match=r"page: holds 'figures/mine\.png', which would"):  # noqa: SIM117
        with whole_folder(folder, ours=ours):
            raise AssertionError("nothing is begun")
    write_text(folder / "figures" / "two.png", "drawn by an older version")
    with whole_folder(folder, ours=ours) as partial:
        write_text(partial / "index.html", "page")
    assert names(folder) == ["index.html"]


def test_a_probe_leaves_nothing_and_makes_nothing(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "mine")
    probe(tmp_path)
    probe(tmp_path / "new" / "folder")
    assert names(tmp_path) == ["file"]
    for folder in (tmp_path / "file", tmp_path / "file" / "in", Path("/proc/none")):
        with pytest.raises(StorageError, match="cannot be written"):
            probe(folder)


def test_a_probe_of_a_folder_that_is_put_aside_asks_the_one_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page").mkdir()
    asked: list[str] = []

    def put_aside(path: Path) -> Path:
        asked.append(path.parent.name)
        if path.parent == tmp_path / "page":
            path.parent.rmdir()
        return partial_of(path)

    monkeypatch.setattr(files, "partial_of", put_aside)
    probe(tmp_path / "page")
    assert asked == ["page", tmp_path.name]
    assert names(tmp_path) == []


def test_a_probe_meets_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "told so")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StorageError, match="out: the disk is full"):
        probe(tmp_path / "out")
    assert names(tmp_path) == []


def test_an_old_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with whole_folder(tmp_path / "a") as partial:
        (partial / "b").write_text("old")
    rename = os.rename

    def refuse(source: Path, target: Path) -> None:
        if target.name == "a" and (source / "b").read_text() == "new":
            raise OSError(errno.EACCES, "not now")
        rename(source, target)

    monkeypatch.setattr(files.os, "rename", refuse)
    with (
        pytest.raises(StorageError, match="not now"),
        whole_folder(tmp_path / "a", ours=("b", "c")) as partial,
    ):
        (partial / "b").write_text("new")
    assert names(tmp_path) == ["a", "b"]
    assert (tmp_path / "a" / "b").read_text() == "old"


def test_a_folder_that_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert remove_folder(tmp_path / "a")
    assert not remove_folder(tmp_path / "a")
    assert names(tmp_path) == []


def test_many_write_one_file_and_each_time_it_is_whole(tmp_path: Path) -> None:
    def write(letter: str) -> None:
        for _ in range(20):
            write_text(tmp_path / "a", letter * 10_000)
            with whole_folder(tmp_path / "b", ours=("b", "c")) as partial:
                (partial / "c").write_text(letter)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "xyz"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "a").exists():
            text = (tmp_path / "a").read_text()
            assert len(text) == 10_000
            assert len(set(text)) == 1
    for thread in threads:
        thread.join()
    assert names(tmp_path) == ["a", "b", "c"]


def _renames(source: str) -> list[int]:
    """Return the lines that give a file another name: a call of os', shutil's or a path's."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of_module = ast.unparse(node.func) in ("os.replace", "os.rename", "os.renames", "shutil.move")
            of_path = node.func.attr in ("replace", "rename") and len(node.args) == 1 and not node.keywords
            if of_module or of_path:
                lines.append(node.lineno)
    return lines


def test_nobody_else_gives_files_another_name() -> None:
    assert _renames("os.replace(a, b)\na.rename(b)\nPath(a).replace(b)\n'a'.replace('b', 'c')") == [1, 2, 3]
    source = Path(files.__file__).parents[1]
    others = {path: _renames(path.read_text(encoding="utf-8")) for path in source.rglob("*.py")}
    assert [path for path, lines in others.items() if lines] == [Path(files.__file__)]


def test_a_circle_of_links_is_replaced_as_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    write_text(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x"
    assert (tmp_path / "b").is_symlink()

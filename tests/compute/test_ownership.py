"""Whose files are: the command's own may go, all others stay."""

import threading
from pathlib import Path

import pytest

from prestige.compute.files import write_text
from prestige.compute.ownership import MARK, files_in, is_marked, is_passed_over, not_ours, refuse_others
from prestige.errors import StorageError


def test_what_lies_in_a_folder(tmp_path: Path) -> None:
    for name in ("a", "in/b", "in/deeper/c", ".git/config", ".DS_Store", "in/._b", ".x.0123456789ab.partial"):
        write_text(tmp_path / name, name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    (tmp_path / ".y.0123456789ab.partial" / "z").mkdir(parents=True)
    assert files_in(tmp_path) == [".git/config", "a", "empty", "in/b", "in/deeper/c", "link", "nowhere"]
    assert files_in(tmp_path / "none") == []


def test_names_of_the_system_are_nobodys() -> None:
    assert all(map(is_passed_over, (".DS_Store", "Thumbs.db", ".nfs000", "._a")))
    assert not any(map(is_passed_over, ("thesis.doc", ".git", ".partial", "prestige")))


def test_what_has_our_names_is_ours_and_a_picture_by_its_mark(tmp_path: Path) -> None:
    ours = ("index.html", "figures/*.png")
    names = ["index.html", "figures/a.png", "figures/mine.png", "notes.txt"]
    for name in names:
        write_text(tmp_path / name, name)
    assert not_ours(tmp_path, names, ours) == ["notes.txt"]
    write_text(tmp_path / "figures" / "a.png", f"drawn by {MARK}")
    assert is_marked(tmp_path / "figures" / "a.png")
    assert not is_marked(tmp_path / "figures")
    assert not_ours(tmp_path, names, ours) == ["figures/mine.png", "notes.txt"]


def test_an_empty_folder_of_somebody_is_kept_too(tmp_path: Path) -> None:
    (tmp_path / "report" / "drafts").mkdir(parents=True)
    with pytest.raises(StorageError, match="report: holds 'drafts', which would be lost"):
        refuse_others(tmp_path / "report", ("index.html",))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "mine")
    with pytest.raises(StorageError, match="file: cannot be written"):
        refuse_others(tmp_path / "file", ("file",))


def test_a_folder_that_is_put_aside_meanwhile_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    is_over = threading.Event()

    def put_aside_and_back() -> None:
        while not is_over.is_set():
            (tmp_path / "report").rename(tmp_path / "aside")
            (tmp_path / "aside").rename(tmp_path / "report")

    other = threading.Thread(target=put_aside_and_back)
    other.start()
    try:
        for _ in range(2000):
            refuse_others(tmp_path / "report", ("index.html",))
    finally:
        is_over.set()
        other.join()

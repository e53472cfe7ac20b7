"""Where a command may write: not over its inputs under whichever name, not over what is somebody's own."""

import os
from pathlib import Path

import pytest

from prestige.compute.files import write_text
from prestige.compute.outputs import check_folder, refuse_foreign
from prestige.compute.ownership import MARK
from prestige.errors import StorageError

OURS = ("list.csv", "*.png")


def test_a_new_folder_an_empty_one_and_one_of_other_files_can_be_written(tmp_path: Path) -> None:
    write_text(tmp_path / "input", "read")
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty", "deep/in/new", "."):
        check_folder(tmp_path / name, inputs=[tmp_path / "input", None, tmp_path / "none"], files=["a"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "input"]


def test_an_input_is_no_output_under_whichever_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "S1.zarr"
    (store / "in").mkdir(parents=True)
    (tmp_path / "link").symlink_to(store)
    monkeypatch.chdir(tmp_path)
    for out in (store, tmp_path / "link", Path("S1.zarr/in/.."), Path("S1.zarr/in/../../link")):
        with pytest.raises(StorageError, match="is read here and would be changed; name another folder"):
            check_folder(out, inputs=[store])
    for out in (store / "new", tmp_path / "link" / "deep" / "new"):
        with pytest.raises(StorageError, match=r"lies in '.*S1\.zarr', which is read here"):
            check_folder(out, inputs=[store])


def test_files_that_are_read_or_linked_are_not_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_text(out / "a", "read")
    os.link(out / "a", out / "b")
    (out / "c").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError) as told:
        check_folder(out, inputs=[out / "a"], files=["a", "b", "c", "d"])
    assert [str(fault.where) for fault in told.value.faults] == [str(out / name) for name in "abc"]
    assert "c: is a link, and would be replaced by a file; name another folder" in str(told.value)
    write_text(out / "c", "ours")  # as it is when the link is not looked for: what it points to stays
    assert not (out / "c").is_symlink()
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_replaced_holds_nothing_that_is_read(tmp_path: Path) -> None:
    write_text(tmp_path / "out" / "in" / "a", "read")
    with pytest.raises(StorageError, match=r"out: holds '.*a', which is read here"):
        check_folder(tmp_path / "out", inputs=[tmp_path / "out" / "in" / "a"], whole=True)
    with pytest.raises(StorageError, match="mounted"):
        check_folder(Path("/proc"), whole=True)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "mine")
    with pytest.raises(StorageError, match="file: is a file; expected a folder; name another"):
        check_folder(tmp_path / "file")
    with pytest.raises(StorageError, match="cannot be written"):
        check_folder(tmp_path / "file" / "in")


def refuse(out: Path, *files: str) -> None:
    refuse_foreign(out, files, ours=OURS, known=lambda path: path.is_file(), what="listing")


def test_files_of_the_command_are_written_again_and_no_others(tmp_path: Path) -> None:
    refuse(tmp_path / "none", "list.csv", "S1.png")
    refuse(tmp_path, "list.csv", "S1.png")
    write_text(tmp_path / "S1.png", MARK)  # a kill left this much
    write_text(tmp_path / "S2.png", "mine")
    write_text(tmp_path / "notes.txt", "mine")
    refuse(tmp_path, "list.csv", "S1.png")
    with pytest.raises(StorageError, match=r"S2\.png: was not written by listing and would be overwritten"):
        refuse(tmp_path, "list.csv", "S1.png", "S2.png")


def test_a_folder_of_others_is_refused_and_one_of_an_older_version_is_known(tmp_path: Path) -> None:
    write_text(tmp_path / "S1.png", "a picture of mine")
    with pytest.raises(StorageError, match="the folder is not empty and holds no listing; give another"):
        refuse(tmp_path, "list.csv", "S1.png")
    write_text(tmp_path / "list.csv", "of an older version, which drew without a mark")
    refuse(tmp_path, "list.csv", "S1.png")

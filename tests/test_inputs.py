"""Files of others: regular ones of a bearable size are read, anything else is named in one line."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from prestige.errors import ConfigError, DataError
from prestige.inputs import (
    files_below,
    inside,
    plain_file,
    plain_folder,
    read_json_object,
    read_text,
    real_path,
    status_of,
)


def test_a_text_is_read_with_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    for name, content in (("plain", b"\xc3\xa4\n"), ("marked", b"\xef\xbb\xbf\xc3\xa4\n")):
        (tmp_path / name).write_bytes(content)
        assert read_text(tmp_path / name, expected="a text") == "ä\n"


def test_links_to_a_file_are_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").symlink_to("a")
    assert plain_file(tmp_path / "b", expected="a text") == tmp_path / "b"


def test_nothing_is_there_under_a_name_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for name in ("none", "file/below", "a", "null\0character"):
        assert status_of(tmp_path / name) is None
    found = status_of(tmp_path / "file")
    assert found is not None
    assert found.st_size == 1
    with pytest.raises(OSError, match="too long"):
        status_of(tmp_path / ("long" * 100))


def test_what_is_no_regular_file_is_named_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "zeros").symlink_to("/dev/zero")
    server = socket.socket(socket.AF_UNIX)
    try:
        here = Path.cwd()
        os.chdir(tmp_path)  # the name of a socket is at most 107 bytes long
        server.bind("socket")
        os.chdir(here)
        for name, words in (
            ("pipe", "is a pipe"),
            ("folder", "is a folder"),
            ("zeros", "is a device"),
            ("socket", "is a socket"),
        ):
            with pytest.raises(DataError, match=rf"{name}: {words}; expected a table; name a file"):
                plain_file(tmp_path / name, expected="a table")
    finally:
        server.close()


def test_a_missing_file_and_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "S1.tiff").touch()
    with pytest.raises(
        ConfigError, match=r"S1.tif: no such file; expected a slide; did you mean 'S1.tiff'\?"
    ):
        plain_file(tmp_path / "S1.tif", expected="a slide", kind=ConfigError)
    with pytest.raises(DataError, match=r"no such file; expected a slide$"):
        plain_file(tmp_path / "absent" / "x", expected="a slide")


def test_a_missing_folder_and_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "outs").mkdir()
    (tmp_path / "file.zip").touch()
    assert plain_folder(tmp_path / "outs", expected="an export") == tmp_path / "outs"
    for name, words in (
        ("out", "no such folder; expected an export; did you mean 'outs'?"),
        ("something else", "no such folder; expected an export; check path:"),
        ("file.zip/outs", "no such folder; expected an export; check path:"),
        (
            "file.zip",
            f"is a file; expected an export; name the folder that it lies in ({tmp_path}), or unpack it",
        ),
        ("\0", "no such folder"),
        ("o" * 300, "cannot be read (file name too long)"),
    ):
        with pytest.raises(ConfigError) as told:
            plain_folder(tmp_path / name, expected="an export", kind=ConfigError, remedy="check path:")
        assert words in str(told.value)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"pipe: is a pipe; .*; name the folder that it lies in \([^)]*\)$"):
        plain_folder(tmp_path / "pipe", expected="an export")
    if os.geteuid():
        (tmp_path / "outs").chmod(0)
        with pytest.raises(DataError, match="permission denied"):
            plain_folder(tmp_path / "outs", expected="an export")


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000])
def test_names_that_no_file_has(name: str) -> None:
    with pytest.raises(DataError, match=r"cannot be read|no such file"):
        plain_file(name, expected="a table")


def test_a_circle_of_links_and_a_file_without_rights(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(DataError, match="links lead in a circle"):
        plain_file(tmp_path / "a", expected="a table")
    if os.geteuid():
        (tmp_path / "c").touch(mode=0o000)
        with pytest.raises(DataError, match=r"permission denied.*mend its rights"):
            plain_file(tmp_path / "c", expected="a table")


def test_a_text_that_is_none_or_has_no_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="expected a list of genes; save it as text in UTF-8"):
        read_text(tmp_path / "a", expected="a list of genes")
    (tmp_path / "b").write_bytes(b"x" * 11)
    with pytest.raises(DataError, match="is larger than 10 bytes"):
        read_text(tmp_path / "b", expected="a list of genes", most_bytes=10)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "[" * 100_000, '"\ud800"'])
def test_json_that_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(DataError, match=r"a.json: .*expected a card"):
        read_json_object(tmp_path / "a.json", expected="a card")


def test_json_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json_object(tmp_path / "a.json", expected="a card") == {"a": 1}


def test_the_files_of_a_folder_without_what_file_managers_leave(tmp_path: Path) -> None:
    (tmp_path / "a" / ".zgroup.d").mkdir(parents=True)
    kept = ["a/.zarray", "a/.zgroup.d/x", "a/0", "b"]
    for name in (*kept, ".DS_Store", "a/._0", "a/.0.a8XkQ2", "a/Thumbs.db", "desktop.ini"):
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path)] == kept


def test_links_of_a_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    outside.touch()
    (folder / "file").touch()
    (folder / "link").symlink_to("file")
    (folder / "again").symlink_to("deep")
    assert [path.name for path in files_below(folder, within=(folder,))] == ["file", "link"]
    (folder / "out").symlink_to(outside)
    assert len(files_below(folder)) == 3
    assert len(files_below(folder, within=(tmp_path,))) == 3
    with pytest.raises(DataError, match="out: is a link that leads out of the folder"):
        files_below(folder, within=(folder,))
    assert (inside(folder / "link", (folder,)), inside(folder / "out", (folder,))) == (True, False)
    assert not inside(folder, (folder,))
    (folder / "out").unlink()
    (folder / "round").symlink_to(folder)
    with pytest.raises(DataError, match="round: is a link that leads out"):
        files_below(folder, within=(folder,))


@pytest.mark.parametrize(
    ("target", "said"),
    [("/dev/zero", "a pipe or a device"), ("gone", "leads nowhere"), ("x", "leads nowhere")],
)
def test_what_is_no_file_in_a_folder_is_refused(tmp_path: Path, target: str, said: str) -> None:
    (tmp_path / "x").symlink_to(target)
    with pytest.raises(DataError, match=f"x: is .*{said}"):
        files_below(tmp_path)
    (tmp_path / "x").unlink()
    os.mkfifo(tmp_path / "x")
    with pytest.raises(DataError, match="x: is no file but a pipe or a device"):
        files_below(tmp_path)


def test_a_real_path_is_found_where_links_lead_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "c").symlink_to("folder")
    assert real_path(tmp_path / "c" / "x") == tmp_path.resolve() / "folder" / "x"
    assert real_path(tmp_path / "a").parent == tmp_path.resolve()

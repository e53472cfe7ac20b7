"""Files of others: regular ones of a bearable size are read, anything else is named in one line."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from prestige.errors import ConfigError, DataError
from prestige.inputs import plain_file, read_json_object, read_text


def test_a_text_is_read_with_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    for name, content in (("plain", b"\xc3\xa4\n"), ("marked", b"\xef\xbb\xbf\xc3\xa4\n")):
        (tmp_path / name).write_bytes(content)
        assert read_text(tmp_path / name, expected="a text") == "ä\n"


def test_links_to_a_file_are_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").symlink_to("a")
    assert plain_file(tmp_path / "b", expected="a text") == tmp_path / "b"


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

"""Texts, packed by gzip or not: read alike, within bounds."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from prestige.data.platforms.packed import opened_text, text_of
from prestige.errors import DataError


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
@pytest.mark.parametrize("packed", [True, False])
def test_what_is_packed_is_told_by_the_bytes_and_not_by_the_name(
    tmp_path: Path, name: str, packed: bool
) -> None:
    content = "\ufeffa\tb\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    assert text_of(tmp_path / name, expected="names") == "a\tb\n"


def test_bounds_hold_for_what_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(1 << 22)))
    with pytest.raises(DataError, match=r"bomb.gz: is larger than it may be, unpacked; expected names"):
        text_of(path, expected="names", most_bytes=1 << 20)
    with (
        pytest.raises(DataError, match="is larger"),
        opened_text(path, expected="names", most_bytes=9) as file,
    ):
        file.read()


def test_a_packed_text_that_is_cut_off_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(b"abc" * 1000)[:-9])
    with pytest.raises(DataError, match=r"cut.gz: cannot be read \(.*\); expected names; copy it again"):
        text_of(path, expected="names")
    with pytest.raises(DataError, match="no such file"):
        text_of(tmp_path / "absent", expected="names")

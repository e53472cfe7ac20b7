"""Matrices of counts as text."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from prestige.data.platforms.st import wide
from prestige.data.platforms.st.wide import read_wide
from prestige.errors import DataError


def read(folder: Path, text: str) -> wide.Matrix:
    path = folder / "counts.tsv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    return read_wide(path)


@pytest.mark.parametrize("corner", ["", "gene", "\ufeff"])
@pytest.mark.parametrize("rows_at_once", [1, 100])
def test_a_matrix_is_read_some_rows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corner: str, rows_at_once: int
) -> None:
    monkeypatch.setattr(wide, "_PIECE", 3 * rows_at_once)
    found = read(tmp_path, f"{corner}\tA\tB\n1x2\t3\t0\n2x2\t0\t0\n3x2\t1\t4.0\n")
    assert (found.rows, found.columns) == (("1x2", "2x2", "3x2"), ("A", "B"))
    np.testing.assert_array_equal(found.counts.toarray(), [[3, 0], [0, 0], [1, 4]])
    assert found.counts.nnz == 3
    np.testing.assert_array_equal(found.turned.counts.toarray(), [[3, 0, 1], [0, 0, 4]])
    assert found.turned.rows == ("A", "B")


def test_a_header_without_a_corner_is_that_of_r(tmp_path: Path) -> None:
    found = read(tmp_path, "A\tB\n1x2\t3\t0\n")
    assert (found.rows, found.columns) == (("1x2",), ("A", "B"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\tA\n", "cannot be read .No columns"),
        ("A\n1\n", "has one column"),
        ("\tA\tB\n1x2\t3\n", "has 2 fields a line and 3 in the first"),
        ("\tA\tB\n1x2\t3\tmany\n", "'B' of '1x2' is 'many'; expected a count in every field"),
        ("\tA\tB\n1x2\t3\t1\n2x2\t\t1\n", "'A' of '2x2' is ''"),
        ("\tA\tA\n1x2\t3\t1\n", "several columns of one name"),
        ("\tA\tB\n1x2\t3\t9e30\n", "a count is 9e"),
    ],
)
def test_what_is_no_matrix_is_a_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(tmp_path, text)

"""Tables in one file: separators, row names, parquet, and what is no table."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prestige.data.platforms.flat import as_floats, header_of, read_flat
from prestige.errors import DataError


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1,2\n3,4\n",
        "x\ty\n1\t2\n3\t4\n",
        "x;y\r\n1;2\r\n3;4\r\n",
        '\ufeff"x","y"\n"1","2"\n"3","4"',
        gzip.compress(b"x,y\n1,2\n3,4\n"),
    ],
)
def test_texts_are_read_whatever_separates_them(tmp_path: Path, text: str | bytes) -> None:
    found = read_flat(write(tmp_path / "a", text), expected="a table")
    assert found.to_dict("list") == {"x": ["1", "3"], "y": ["2", "4"]}


def test_row_names_without_a_name_are_a_column(tmp_path: Path) -> None:
    of_r = read_flat(write(tmp_path / "r.tsv", "x\ty\na\t1\t2\nb\t3\t4\n"), expected="a table")
    assert of_r.to_dict("list") == {"": ["a", "b"], "x": ["1", "3"], "y": ["2", "4"]}
    of_pandas = read_flat(
        write(tmp_path / "p.csv", ",x\na,1\n"), expected="a table", choose=lambda names: ["x"]
    )
    assert of_pandas.to_dict("list") == {"x": ["1"]}
    assert header_of(tmp_path / "r.tsv", expected="a table") == (["", "x", "y"], "\t")


def test_parquet_is_known_by_its_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.5, np.nan], "id": ["a", "b"], "more": [[1], [2]]})
    frame = frame.astype({"id": "category"})  # texts that rows share stay one
    frame.to_parquet(tmp_path / "a.bin")
    found = read_flat(tmp_path / "a.bin", expected="a table", choose=lambda names: ["id", "x"])
    pd.testing.assert_frame_equal(found, frame[["id", "x"]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no header"),
        (b"\n1,2\n", "has no header"),
        (
            b"1,2.5,-3\n4,5,6\n",
            "has no header: its first line is 1,2.5,-3; .* write the names of its columns",
        ),
        (b"x,x\n1,2\n", r"several columns of one name: 1 \(x\)"),
        (b"x,y\n1,2,3,4\n1,2\n", "cannot be read"),
        (b"x,y\n1,2,\n3,4,\n", "has 2 names in its header and 3 fields in the line below"),
        (b"x,\xff\n1,2\n", "cannot be read"),
        (b"x,y\n1,\xff\n", "cannot be read"),
        (gzip.compress(b"x,y\n1,2\n")[:-9], "cannot be read"),
        (b"PAR1 and no more", "cannot be read"),
    ],
)
def test_what_is_no_table_is_a_line(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as told:
        read_flat(write(tmp_path / "a.csv", content), expected="a table")
    assert str(told.value).startswith(str(tmp_path / "a.csv"))


def test_parquet_that_declares_more_than_it_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prestige.data.platforms.parquet._FREE_ROWS", 10)
    pd.DataFrame({"x": np.zeros(200_000, np.int8)}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="declares 200,000 rows"):
        read_flat(tmp_path / "a.parquet", expected="a table")


def test_numbers_are_read_and_words_among_them_are_told() -> None:
    column = pd.Series(["1", " 2.5e1", "", "NA"], name="x")
    np.testing.assert_array_equal(as_floats(column, where="a"), [1, 25, np.nan, np.nan])
    with pytest.raises(DataError, match=r"a: the column 'x' holds '3,5' in row 2; expected numbers"):
        as_floats(pd.Series(["1", "3,5"], name="x"), where="a")


def test_numbers_that_parquet_holds_as_texts_are_read(tmp_path: Path) -> None:
    pd.DataFrame({"x": ["1.5", "2"]}).to_parquet(tmp_path / "a.parquet")
    found = read_flat(tmp_path / "a.parquet", expected="a table")
    np.testing.assert_array_equal(as_floats(found["x"], where="a"), [1.5, 2])


def test_a_text_that_all_rows_share_takes_the_room_of_one(tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(np.zeros(1_000_000, np.int32), ["a" * 100_000])
    pq.write_table(pa.table({"x": column}), tmp_path / "a.parquet")
    assert len(read_flat(tmp_path / "a.parquet", expected="a table")) == 1_000_000  # 100 GB as texts


def test_names_that_are_numbers_are_a_header_over_rows_with_names(tmp_path: Path) -> None:
    """As R writes a matrix whose columns are numbered: the line below has one field more."""
    (tmp_path / "a.tsv").write_text('"1"\t"2"\n"10x14"\t5\t0\n')
    assert header_of(tmp_path / "a.tsv", expected="a table") == (["", "1", "2"], "\t")

"""Tables in pieces: csv and parquet give the same, and damaged ones a line."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from prestige.data.platforms import rows
from prestige.data.platforms.rows import read_all
from prestige.errors import DataError

HOW: dict[str, Any] = {
    "texts": ("id", "kind"),
    "numbers": ("x", "y"),
    "optional": ("kind", "y"),
    "expected": "a table",
}
TABLE = pd.DataFrame({"id": ["b", "a", "b"], "x": [1.5, np.nan, 3], "other": [[1], [2], [3]]})


def written(path: Path, table: pd.DataFrame = TABLE, **how: Any) -> Path:
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, **how)
    return path


@pytest.mark.parametrize("piece", [1, 2, 100])
@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
def test_every_form_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, piece: int
) -> None:
    monkeypatch.setattr(rows, "_PIECE", piece)
    found = read_all(written(tmp_path / name), **HOW)
    assert list(found.columns) == ["id", "x"]
    assert found["id"].tolist() == ["b", "a", "b"]
    np.testing.assert_array_equal(found["x"], [1.5, np.nan, 3])


def test_a_csv_as_others_write_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for text in ('\ufeff"","id","x"\r\n"1","001",2\r\n"2","NA",NA\r\n', "id,x\n001,2\nNA,\n"):
        path.write_text(text, encoding="utf-8")
        found = read_all(path, **HOW)
        assert found["id"].tolist() == ["001", "NA"]
        np.testing.assert_array_equal(found["x"], [2, np.nan])


def test_whole_numbers_that_became_floats_are_ids_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"id": [7.0, 67500.0], "x": [0, 1]}).to_parquet(path)
    assert read_all(path, **HOW)["id"].tolist() == ["7", "67500"]
    pd.DataFrame({"id": [7.5, 8.0], "x": [0, 1]}).to_parquet(path)
    with pytest.raises(DataError, match=r"the column 'id' has numbers that are not whole"):
        read_all(path, **HOW)


def test_a_missing_name_of_the_first_column_is_told(tmp_path: Path) -> None:
    pd.DataFrame({"x": [0, 1]}, index=["a", "b"]).to_csv(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"is it the column without a name\? Then name it 'id'"):
        read_all(tmp_path / "t.csv", **HOW)


@pytest.mark.parametrize(
    "lines",
    [
        "id,x,y\n1,10,20,5\n2,30,40,6\n",  # a field too much: no shift of all columns by one
        "id,x,y\n1,10,20,\n2,30,40,\n",
        '"id","x","y"\n"1",10,20,\n',
        "id,x,y\n1,10,20\n2,30,40,6\n",
        "id,x,y\n1,10\n2,30,40\n",
        "id,x,y\n1,10,20\n2,30\n",
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_lines_of_another_number_of_fields_than_the_header(tmp_path: Path, name: str, lines: str) -> None:
    content = lines.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(DataError, match=r"t\.csv.*(fields in the line below|Expected 3 columns, got)"):
        read_all(tmp_path / name, **HOW)


def test_quoted_names_of_rows_may_have_no_name(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"id","x","y"\n"1","a",10,20\n"2","b",30,40\n')  # write.table(sep=",") of R
    found = read_all(path, **HOW)
    assert found.to_dict("list") == {"id": ["a", "b"], "x": [10, 30], "y": [20, 40]}


def test_numbers_as_others_write_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,x,y\na, 1.5 ,True\nb,-2e3,False\n\nc,inf,nan\n")
    found = read_all(path, **HOW)
    np.testing.assert_array_equal(found[["x", "y"]], [[1.5, 1], [-2000, 0], [np.inf, np.nan]])


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([b"b", b"a"], ["b", "a"]),
        ([7, 2**62 + 1], ["7", "4611686018427387905"]),
        (pd.Categorical(["b", "a"]), ["b", "a"]),
        (np.array([1, 2], np.uint64), ["1", "2"]),
    ],
)
def test_texts_however_they_are_stored(tmp_path: Path, values: Any, texts: list[str]) -> None:
    found = read_all(written(tmp_path / "t.parquet", pd.DataFrame({"id": values, "x": [1, 2]})), **HOW)
    assert found["id"].tolist() == texts


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            pd.DataFrame({"ID": ["a"], "x": [1]}),
            "has no column 'id', only 'ID', 'x'; expected a table; is it 'ID'?",
        ),
        (pd.DataFrame({"id": ["a", None], "x": [1, 2]}), "the column 'id' has gaps"),
        (pd.DataFrame({"id": ["a"], "x": ["one"]}), "the column 'x' cannot be read"),
    ],
)
def test_what_is_wrong_is_a_line(tmp_path: Path, name: str, table: pd.DataFrame, words: str) -> None:
    with pytest.raises(DataError) as told:
        read_all(written(tmp_path / name, table, index=False), **HOW)
    assert words in str(told.value)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
def test_what_is_no_table(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for content in (b"", b"\0\xff\xfe", b"PAR1PAR1", b"\x1f\x8b\x08\x00"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=name):
            read_all(path, **HOW)


def test_no_rows(tmp_path: Path) -> None:
    for name in ("t.parquet", "t.csv"):
        found = read_all(written(tmp_path / name, TABLE[["id", "x"]][:0]), **HOW)
        assert found.shape == (0, 2)


def test_a_small_file_of_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prestige.data.platforms.parquet._FREE_ROWS", 0)
    table = pd.DataFrame({"id": "a", "x": np.zeros(100_000)})
    with pytest.raises(DataError, match="declares 100,000 rows, more than its bytes can hold"):
        read_all(written(tmp_path / "t.parquet", table), **HOW)
    monkeypatch.setattr(rows, "_FREE_BYTES", 1000)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"id,x\n" + b"a,1\n" * 1_000_000))
    with pytest.raises(DataError, match="larger than it may be, unpacked"):
        read_all(tmp_path / "t.csv.gz", **HOW)

"""Files of parquet: only what is wanted is held against what they hold, and texts stay shared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prestige.data.platforms.flat import read_flat
from prestige.data.platforms.parquet import is_parquet, is_text, opened_parquet
from prestige.data.platforms.rows import read_all
from prestige.data.platforms.space_ranger.positions import read_positions
from prestige.errors import DataError


def _write(path: Path, n: int, **columns: object) -> Path:
    table = pa.table({"id": pa.array(["a"] * n), "x": pa.array(np.zeros(n)), **columns})
    pq.write_table(table, path, use_dictionary=["id"], compression="zstd")
    return path


def test_columns_that_are_wanted_are_opened(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.parquet", 5, more=pa.array([{"b": 1}] * 5))
    assert is_parquet(path, expected="a table")
    with opened_parquet(path, lambda names: names[1::-1], expected="a table") as (file, wanted):
        table = file.read(columns=wanted)
    assert wanted == ["x", "id"]
    assert pa.types.is_dictionary(table.schema.field("id").type)
    assert not is_parquet(Path(__file__), expected="a table")
    assert [is_text(kind) for kind in (pa.string(), pa.large_binary(), pa.int8())] == [True, True, False]


def test_more_rows_than_a_file_can_hold_are_refused_by_every_reader(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.parquet", 2_000_000)
    assert path.stat().st_size < 20_000
    told = r"a\.parquet: declares 2,000,000 rows, more than its bytes can hold; expected .*; copy it again"
    for read in (
        lambda: read_flat(path, expected="a table"),
        lambda: read_all(path, texts=["id"], numbers=["x"], expected="a table"),
    ):
        with pytest.raises(DataError, match=told):
            read()
    frame = pd.DataFrame(np.zeros((2_000_000, 5), np.int8))
    frame.columns = ["in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"]
    frame.assign(barcode="a").to_parquet(path, compression="zstd")
    with pytest.raises(DataError, match=told):
        read_positions(path)


def test_bytes_count_in_columns_that_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, n in (("_FREE_BYTES", 100_000), ("_MOST_RATIO", 1)):
        monkeypatch.setattr(f"prestige.data.platforms.parquet.{limit}", n)
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"text": [f"{'-' * 1000}{n}" for n in range(1000)], "x": np.arange(1000)}),
        path,
        use_dictionary=False,
        compression="zstd",
    )
    assert list(read_flat(path, expected="a table", choose=lambda _: ["x"])) == ["x"]
    with pytest.raises(
        DataError, match=r"declares 1,000 rows of 1,0[0-9,]+ bytes, of which [0-9,]+ are stored"
    ):
        read_flat(path, expected="a table")

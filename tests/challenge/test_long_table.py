"""The long table: written in blocks, read in blocks, refused where a rule is broken."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.challenge import long_table as module
from prestige.challenge.long_table import Cells, blocks, checked_name, collect, long_table, rounded
from prestige.errors import ConfigError, DataError

GENES = ("A", "B", "C,D")


def write(path: Path) -> Path:
    with long_table(path, GENES) as add:
        add("S1", np.array([7, 3]), np.array([[0.125, 1.0, 2.345], [0.0, -0.001, 3.999]]))
        add("S2", np.array([7]), np.array([[9.0, 8.0, 7.5]]))
    return path


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_row_a_cell_and_gene(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"s.{ending}")
    frame = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
    assert list(frame.columns) == ["cell_id", "gene", "prediction", "sample"]
    assert list(frame["cell_id"]) == [7, 7, 7, 3, 3, 3, 7, 7, 7]
    assert list(frame["gene"]) == list(GENES) * 3
    assert list(frame["sample"]) == ["S1"] * 6 + ["S2"] * 3
    assert list(frame["prediction"]) == [0.12, 1.0, 2.35, 0.0, 0.0, 4.0, 9.0, 8.0, 7.5]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_what_was_written_is_read_in_any_order_of_cells_and_genes(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"s.{ending}")
    wanted = Cells("S1", np.array([3, 7]), ("C,D", "A"))
    assert collect(path, [wanted]) == {"S1": 2, "S2": 3}  # rows of gene B, and of the other sample
    np.testing.assert_array_equal(wanted.prediction, [[4.0, 0.0], [2.35, 0.12]])


def test_blocks_are_smaller_than_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS", 4)
    parts = list(blocks(write(tmp_path / "s.parquet")))
    assert len(parts) > 1
    assert sum(len(part.prediction) for part in parts) == 9


@given(st.lists(st.floats(-1, 20), min_size=1, max_size=20))
def test_predictions_have_two_decimals_and_are_not_below_0(values: list[float]) -> None:
    found = rounded(np.array([values]))
    assert (found >= 0).all()
    assert not np.signbit(found).any()
    for one, other in zip(values, found[0], strict=True):
        assert other == max(round(np.float64(one), 2), 0.0)


def frame(**changes: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {"cell_id": [1, 1, 2, 2], "gene": list("ABAB"), "prediction": [0.5, 1.0, 2.0, 0.25], "sample": "S"}
    )
    return table.assign(**changes)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (frame().drop(columns="gene"), "lacks the column 'gene'"),
        (frame(more=1), "has a column too many: 'more'"),
        (frame(prediction=[0.5, np.nan, 1, 1]), "'prediction' has gaps|NaN or infinite"),
        (frame(prediction=[0.5, np.inf, 1, 1]), "NaN or infinite"),
        (frame(prediction=[0.5, -0.01, 1, 1]), "a prediction is -0.01; expected 0 or more"),
        (frame(prediction=list("abcd")), "'prediction' holds .*string; expected numbers"),
        (frame(cell_id=[1.5, 1.5, 2, 2]), "'cell_id' holds double; expected whole numbers"),
        (frame(gene=["A", None, "A", "B"]), "'gene' has gaps"),
        (frame(cell_id=[1, 1, 1, 2]), "1 pairs stand twice"),
        (frame(sample="T"), "sample 'S': is not predicted"),
        (frame(gene=list("ACAC")), r"genes without a prediction: 1 \(B\)"),
        (frame(cell_id=[1, 1, 3, 3]), r"cells without a prediction: 1 \(2\)"),
        (frame().iloc[:3], "1 of 4 pairs of cell and gene are missing"),
        (frame().iloc[:0], "is not predicted"),
    ],
)
def test_a_broken_rule_is_one_line(tmp_path: Path, table: pd.DataFrame, said: str) -> None:
    table.to_parquet(tmp_path / "s.parquet", index=False)
    with pytest.raises(DataError, match=said) as told:
        collect(tmp_path / "s.parquet", [Cells("S", np.array([1, 2]), ("A", "B"))])
    assert "\n" not in str(told.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends with '.tsv'; expected .parquet or .csv; name it s.parquet"):
        checked_name(tmp_path / "s.tsv")
    for name, content in (("a.parquet", b"PAR1 no more"), ("b.csv", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name}: cannot be read"):
            list(blocks(tmp_path / name))
    with pytest.raises(DataError, match="no such file"):
        list(blocks(tmp_path / "c.csv"))
    cut = write(tmp_path / "d.parquet")
    cut.write_bytes(cut.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"d.parquet: cannot be read"):
        list(blocks(cut))


def cut_off(path: Path) -> None:
    with long_table(path, GENES) as add:
        add("S", np.array([1]), np.ones((1, 3)))
        raise RuntimeError


def test_half_a_table_is_none(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        cut_off(tmp_path / "s.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_memory_is_a_few_blocks_however_many_are_written(tmp_path: Path, ending: str) -> None:
    """10,000 cells x 500 genes are ten blocks of 500,000 rows: 40 MB of predictions if all stood at once."""
    genes = tuple(f"G{k}" for k in range(500))
    part = np.random.default_rng(0).random((1000, 500))
    with long_table(tmp_path / f"s.{ending}", genes) as add:
        add("S", np.arange(1000), part)
        held = pa.total_allocated_bytes()
        tracemalloc.start()
        for start in range(1000, 10_000, 1000):
            add("S", np.arange(start, start + 1000), part)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert pa.total_allocated_bytes() - held < part.nbytes
    assert peak < 5 * part.nbytes

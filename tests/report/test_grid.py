"""The grid: a row an encoder, a column a patch."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report.grid import grid


def test_the_grid_has_a_row_an_encoder_and_a_column_a_patch(tiny_bench: Path) -> None:
    rows, columns = grid(summarise(load_bench(tiny_bench)).table)
    assert columns == ["16 µm", "32 µm", "64 µm"]
    cells = {row["name"]: row["cells"] for row in rows}
    assert {"compact_s", "resnet18", "ridge", "training mean"} == set(cells)
    marks = [cell["mark"] for row in cells.values() for cell in row if cell]
    assert marks.count("best") == 1
    mean = [cell["value"] for cell in cells["training mean"] if cell]
    assert mean == [0.0, 0.0, 0.0]  # it looks at no patch: one value for all


def test_a_baseline_with_a_patch_of_its_own_opens_no_column(tiny_bench: Path) -> None:
    table = summarise(load_bench(tiny_bench)).table
    own = (
        table[table["name"] == "ridge"].iloc[:1].assign(name="hest", encoder="baseline:hest", patch_um=112.0)
    )
    rows, columns = grid(pd.concat([table, own], ignore_index=True))
    assert columns == grid(table)[1]
    cells = next(row["cells"] for row in rows if row["name"] == "hest")
    assert [cell["value"] for cell in cells] == [own["score"].item()] * len(columns)


def test_baselines_above_the_encoders_can_be_told_apart(tiny_bench: Path) -> None:
    table = summarise(load_bench(tiny_bench)).table
    above = table["name"].isin(["ridge", "training mean"])
    table.loc[above, "score"] = [0.7 + 0.04 * k for k in range(int(above.sum()))]
    rows, _ = grid(table)
    grounds = [cell["ground"] for row in rows if row["name"] == "ridge" for cell in row["cells"] if cell]
    assert len(set(grounds)) == len(grounds) > 1

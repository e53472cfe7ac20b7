"""Tables hold the numbers of the runs, and lie whole beside the page."""

from __future__ import annotations

import json
import math
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report.bench.tables import (
    detection,
    gene_data,
    grid,
    json_for_page,
    runs_table,
    summary_table,
    write_tables,
)

NO_CEILINGS = pd.DataFrame(columns=["ceiling", "lower", "usable"], dtype=float)


def test_tables_are_written_whole(tmp_path: Path) -> None:
    write_tables(tmp_path / "t", {"a": pd.DataFrame({"x": [1.0, math.nan], "y": ["p,q", "r"]})})
    assert (tmp_path / "t" / "a.csv").read_text() == 'x,y\n1,"p,q"\n,r\n'
    assert [path.name for path in (tmp_path / "t").iterdir()] == ["a.csv"]


def test_every_run_has_a_row_with_its_own_score(tiny_bench: Path) -> None:
    (tiny_bench / "runs" / "resnet18-64-0" / "DONE").unlink()
    bench = load_bench(tiny_bench)
    table = runs_table(bench).set_index("folder")
    assert len(table) == len(json.loads((tiny_bench / "bench.json").read_text())["runs"])
    scores = pd.read_parquet(tiny_bench / "runs" / "compact_s-32-1" / "scores.parquet")
    expected = scores.query("level == 'genes' and metric == 'pearson'")["value"].mean()
    assert table.loc["compact_s-32-1", "pearson"] == pytest.approx(expected)
    unfinished = [name for name, state in table["state"].items() if state != "finished"]
    assert len(unfinished) == 1
    assert "resnet18-64-0" in str(unfinished[0])


def test_the_summary_has_one_best_and_the_scores_beside_it(tiny_bench: Path) -> None:
    table = summary_table(summarise(load_bench(tiny_bench)))
    best = table[table["best"].astype(bool)]
    assert len(best) == 1
    assert best["encoder"].item() == "compact_s"
    assert best["pearson_low"].item() < best["pearson"].item() < best["pearson_high"].item()
    assert set(table.loc[~table["baseline"], "patch_um"]) == {16.0, 32.0, 64.0}
    assert table["r2_mean_over_genes"].notna().all()


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


def test_the_gene_table_is_sorted_by_the_best_configuration(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    best = summary.table.loc[summary.table["score"].idxmax(), "configuration"]
    data = gene_data(summary, best, pd.Series({"GENE00": 0.25}), NO_CEILINGS)
    scores = [row[2] for row in data["rows"] if row[2] is not None]
    assert scores == sorted(scores, reverse=True)
    assert next(row for row in data["rows"] if row[0] == "GENE00")[1] == 25.0
    assert all(len(row) == 1 + len(data["columns"]) for row in data["rows"])
    assert gene_data(summary, None, pd.Series(dtype=float), NO_CEILINGS) == {"columns": [], "rows": []}


def test_detection_is_the_share_of_observations_with_a_count(tmp_path: Path) -> None:
    for fold, counts in enumerate(([[1, 0], [0, 0]], [[5, 0], [2, 1]])):
        (tmp_path / f"fold-{fold}").mkdir()
        table = ad.AnnData(np.array(counts, dtype=np.float32), var=pd.DataFrame(index=["A", "B"]))
        table.write_h5ad(tmp_path / f"fold-{fold}" / "S.h5ad")
    assert detection([tmp_path]).to_dict() == {"A": 0.75, "B": 0.25}
    (tmp_path / "fold-0" / "S.h5ad").write_bytes(b"cut off")
    assert detection([tmp_path]).to_dict() == {"A": 1.0, "B": 0.5}


def test_json_may_stand_in_a_script() -> None:
    text = json_for_page({"a": "</script>\u2028"})
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == {"a": "</script>\u2028"}
    with pytest.raises(ValueError, match="JSON"):
        json_for_page(math.nan)

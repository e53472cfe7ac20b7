"""Tables of the page: which columns, in which order."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from prestige.analysis.ceilings import ceilings_of
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report.bench.tables import gene_data

from ...analysis.test_ceilings import keep as keep_ceilings

NO_CEILINGS = pd.DataFrame(columns=["ceiling", "lower", "usable"], dtype=float)


def test_the_gene_table_is_sorted_by_the_best_configuration(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    best = summary.table.loc[summary.table["score"].idxmax(), "configuration"]
    data = gene_data(summary, best, pd.Series({"GENE00": 0.25}), NO_CEILINGS)
    scores = [row[2] for row in data["rows"] if row[2] is not None]
    assert scores == sorted(scores, reverse=True)
    assert next(row for row in data["rows"] if row[0] == "GENE00")[1] == 25.0
    assert all(len(row) == 1 + len(data["columns"]) for row in data["rows"])
    assert gene_data(summary, None, pd.Series(dtype=float), NO_CEILINGS) == {"columns": [], "rows": []}


def test_the_gene_table_shows_the_fraction_of_the_best(tiny_bench: Path) -> None:
    keep_ceilings(tiny_bench, {"GENE00": (0.8, 0.7), "GENE02": (0.3, 0.1)})
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    best = summary.table.loc[summary.table["score"].idxmax(), "configuration"]
    data = gene_data(summary, best, pd.Series(dtype=float), ceilings_of(bench))
    labels = [column["label"] for column in data["columns"]]
    rows = {row[0]: dict(zip(labels, row[1:], strict=True)) for row in data["rows"]}
    assert rows["GENE00"]["ceiling"] == 0.8
    assert rows["GENE00"]["of it"] == pytest.approx(100 * rows["GENE00"][best.name] / 0.8, abs=0.02)
    assert rows["GENE02"]["ceiling"] is None  # its bound is too low
    assert rows["GENE02"]["of it"] is None

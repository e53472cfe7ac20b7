"""Ceilings in the report: which genes they are shown for, and the fractions by hand."""

import math
from pathlib import Path

import pandas as pd
import pytest

from prestige.analysis.ceilings import ceiling_facts, ceilings_of, fractions
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report import write_report
from prestige.report.bench.tables import gene_data


def keep(bench: Path, ceilings: dict[str, tuple[float, float]]) -> None:
    """Write the ceilings of two folds as a bench does: gene -> (ceiling, lower bound)."""
    for fold in (0, 1):
        table = pd.DataFrame(
            [
                {
                    "sample": f"S{fold + 1}", "gene": gene, "n_obs": 300, "n_blocks": 12,
                    "ceiling_counts": 0.9, "ceiling_counts_lower": 0.8,
                    "ceiling_log": ceiling, "ceiling_log_lower": lower,
                }
                for gene, (ceiling, lower) in ceilings.items()
            ]
        )  # fmt: skip
        folder = bench / "truth" / f"fold-{fold}"
        folder.mkdir(parents=True, exist_ok=True)
        table.to_parquet(folder / "ceilings.parquet")


def test_only_genes_whose_bound_is_above_a_fifth_count(tiny_bench: Path) -> None:
    keep(
        tiny_bench,
        {"GENE00": (0.8, 0.7), "GENE01": (0.5, 0.4), "GENE02": (0.3, 0.15), "GENE03": (0.9, math.nan)},
    )
    bench = load_bench(tiny_bench)
    summary, ceilings = summarise(bench), ceilings_of(bench)
    assert ceilings.index[ceilings["usable"].astype(bool)].tolist() == ["GENE00", "GENE01"]
    table = fractions(summary, ceilings)
    best = table.iloc[0]
    own = summary.genes[summary.genes["configuration"] == best["configuration"]].set_index("gene")["pearson"]
    assert best["n_genes"] == 2
    assert best["score"] == pytest.approx((own["GENE00"] + own["GENE01"]) / 2)
    assert best["ceiling"] == pytest.approx(0.65)
    assert best["fraction"] == pytest.approx((own["GENE00"] / 0.8 + own["GENE01"] / 0.5) / 2)
    assert (table["n_genes"] == 2).all()  # the same genes for all


def test_the_page_says_how_much_of_the_ceiling_is_reached(tiny_bench: Path) -> None:
    keep(tiny_bench, {"GENE00": (0.8, 0.7), "GENE01": (0.5, 0.4)})
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    assert "What counting noise allows" in page
    assert "For 2 of" in page
    genes = pd.read_csv(tiny_bench / "report" / "tables" / "genes.csv")
    assert genes.loc[genes["gene"] == "GENE01", "ceiling"].unique().tolist() == [0.5]
    assert genes.loc[genes["gene"] == "GENE05", "ceiling"].isna().all()


def test_the_gene_table_shows_the_fraction_of_the_best(tiny_bench: Path) -> None:
    keep(tiny_bench, {"GENE00": (0.8, 0.7), "GENE02": (0.3, 0.1)})
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


def test_without_ceilings_nothing_is_said(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    ceilings = ceilings_of(bench)
    assert ceilings.empty
    assert ceiling_facts(summarise(bench), ceilings) == {}
    assert "counting noise allows" not in write_report(tiny_bench).read_text(encoding="utf-8")

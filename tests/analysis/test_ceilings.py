"""Ceilings: which genes count, and the fractions by hand."""

import math
from pathlib import Path

import pandas as pd
import pytest

from prestige.analysis.ceilings import ceilings_of, fractions
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench


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


def test_without_ceilings_there_are_no_fractions(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    assert ceilings_of(bench).empty
    assert fractions(summarise(bench), ceilings_of(bench)).empty

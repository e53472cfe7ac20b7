"""Effects on gene sets: numbers from the scores of genes, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from prestige.analysis.ceilings import ceilings_of
from prestige.analysis.effects import WIDTH, family
from prestige.analysis.gene_sets import effects as module
from prestige.analysis.gene_sets.comparison import common_sets
from prestige.analysis.gene_sets.effects import OVER_ALL, OVER_RANDOM, effects_on_sets
from prestige.analysis.gene_sets.scores import set_scores
from prestige.analysis.summary import Summary, summarise
from prestige.records.folders import load_bench

from ...small_bench import Recipe
from .test_comparison import EASY, HARD, give
from .test_scores import keep_ceilings

ALONE = f"{WIDTH}, compact alone"


def effects_of_sets(folder: Path) -> tuple[Any, Summary]:
    bench = load_bench(folder)
    summary = summarise(bench)
    scores = set_scores(bench, summary, common_sets(bench, summary), ceilings_of(bench))
    return effects_on_sets(summary, summary.groups[0], scores), summary


@pytest.fixture
def bench(tiny_bench: Path) -> Path:
    give(tiny_bench, *[{"easy": EASY, "hard": HARD}] * 2)
    keep_ceilings(tiny_bench)
    return tiny_bench


def slope_by_hand(summary: Summary, genes: list[str] | None, *, of: str | None = None) -> float:
    """Return the slope on log2 of the width within encoders, of mean scores over some genes."""
    rows = []
    for key in summary.used:
        if key.baseline or (of is not None and family(key.encoder) != of):
            continue
        r = summary.genes[summary.genes["configuration"] == key].set_index("gene")["pearson"].fillna(0)
        varies = [gene for gene in summary.common_genes if gene != "GENE38"]  # its truth is constant
        rows.append((key.encoder, np.log2(key.patch_um), r.reindex(genes or varies).mean()))
    table = pd.DataFrame(rows, columns=["encoder", "x", "y"])
    x, y = (table[c] - table.groupby("encoder")[c].transform("mean") for c in ("x", "y"))
    return float((x * y).sum() / (x**2).sum())


def test_effects_are_slopes_of_mean_scores(bench: Path) -> None:
    found, summary = effects_of_sets(bench)
    everyone = slope_by_hand(summary, None)
    assert found.overall[WIDTH] == pytest.approx(everyone, abs=1e-4)
    for name, genes in (("easy", EASY), ("hard", HARD)):
        own = slope_by_hand(summary, genes)
        assert found.on(WIDTH, name) == pytest.approx(own, abs=1e-4)
        assert found.effects[WIDTH, name, OVER_ALL].estimate == pytest.approx(own - everyone, abs=1e-4)
    alone = slope_by_hand(summary, EASY, of="compact") - slope_by_hand(summary, None, of="compact")
    assert found.effects[ALONE, "easy", OVER_ALL].estimate == pytest.approx(alone, abs=1e-4)


def test_genes_that_can_be_predicted_gain(bench: Path) -> None:
    found, _ = effects_of_sets(bench)
    # Their correlation is 1.4 to 1.2 times the quality that rises with the width; that of hard ones a third.
    assert found.effects[WIDTH, "easy", OVER_ALL].sign == 1
    assert found.effects[WIDTH, "hard", OVER_ALL].sign == -1


def test_intervals_hold_the_estimates_and_random_sets_stand_beside(bench: Path) -> None:
    found, _ = effects_of_sets(bench)
    assert {kind for _, _, kind in found.effects} == {OVER_ALL, OVER_RANDOM}
    for one in found.effects.values():
        assert one.low < one.estimate < one.high
        assert one.at_once


def test_one_patch_width_asks_nothing_of_it(make_bench) -> None:
    folder = make_bench(Recipe(quality={"compact_s": (0.2, 0.2, 0.2)}))
    give(folder, *[{"easy": EASY}] * 2)
    for run in (folder / "runs").iterdir():
        if "-16-" not in run.name:
            (run / "DONE").unlink()
    found, _ = effects_of_sets(folder)
    assert found is None


def test_few_blocks_have_no_interval_and_say_so(make_bench) -> None:
    folder = make_bench(Recipe(block_um=1000.0))
    give(folder, *[{"easy": EASY}] * 2)
    found, _ = effects_of_sets(folder)
    assert found.reason


def test_no_more_sets_than_intervals_can_bear(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SETS", 1)
    found, _ = effects_of_sets(bench)
    assert {name for _, name, _ in found.effects} == {"easy"}
    assert found.left_out == 1

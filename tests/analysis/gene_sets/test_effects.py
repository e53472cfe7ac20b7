"""Effects on gene sets in the report: numbers from the scores of genes, words, table, what is left out."""

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
from prestige.analysis.gene_sets.effects import OVER_ALL, OVER_RANDOM, set_question_facts, set_questions
from prestige.analysis.gene_sets.scores import set_scores
from prestige.analysis.summary import Summary, summarise
from prestige.records.folders import load_bench
from prestige.report import write_report

from ...small_bench import Recipe
from .test_comparison import EASY, HARD, give
from .test_scores import keep_ceilings

ALONE = f"{WIDTH}, compact alone"


def asked(folder: Path) -> tuple[Any, Summary]:
    bench = load_bench(folder)
    summary = summarise(bench)
    scores = set_scores(bench, summary, common_sets(bench, summary), ceilings_of(bench))
    return set_questions(summary, summary.groups[0], scores), summary


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
    found, summary = asked(bench)
    everyone = slope_by_hand(summary, None)
    assert found.overall[WIDTH] == pytest.approx(everyone, abs=1e-4)
    for name, genes in (("easy", EASY), ("hard", HARD)):
        own = slope_by_hand(summary, genes)
        assert found.on(WIDTH, name) == pytest.approx(own, abs=1e-4)
        assert found.effects[WIDTH, name, OVER_ALL].estimate == pytest.approx(own - everyone, abs=1e-4)
    alone = slope_by_hand(summary, EASY, of="compact") - slope_by_hand(summary, None, of="compact")
    assert found.effects[ALONE, "easy", OVER_ALL].estimate == pytest.approx(alone, abs=1e-4)


def test_genes_that_can_be_predicted_gain_and_the_words_say_so(bench: Path) -> None:
    found, _ = asked(bench)
    # Their correlation is 1.4 to 1.2 times the quality that rises with the width; that of hard ones a third.
    assert found.effects[WIDTH, "easy", OVER_ALL].sign == 1
    assert found.effects[WIDTH, "hard", OVER_ALL].sign == -1
    facts = set_question_facts(found)
    width = next(
        one
        for one in facts["effects"]
        if one["title"].startswith("A doubled patch width, at equal parameters:")
    )
    assert "higher than on all genes" in width["text"]
    assert [row[0] for row in width["rows"]] == ["easy", "hard"]
    assert all(len(row) == len(width["head"]) for row in width["rows"])
    assert width["rows"][0][-1].startswith("higher than on all genes")
    assert width["rows"][1][-1].startswith("lower than on all genes")


def test_intervals_hold_the_estimates_and_random_sets_stand_beside(bench: Path) -> None:
    found, _ = asked(bench)
    assert {kind for _, _, kind in found.effects} == {OVER_ALL, OVER_RANDOM}
    for one in found.effects.values():
        assert one.low < one.estimate < one.high
        assert one.at_once


def test_the_page_and_a_table_carry_them(bench: Path) -> None:
    page = write_report(bench).read_text(encoding="utf-8")
    assert "Do some genes gain more than others?" in page
    table = pd.read_csv(bench / "report" / "tables" / "set_effects.csv")
    assert set(table["effect"]) >= {WIDTH, ALONE}
    assert np.isfinite(table[["on_set", "difference", "low", "high"]].to_numpy()).all()


def test_one_patch_width_asks_nothing_of_it(make_bench) -> None:
    folder = make_bench(Recipe(quality={"compact_s": (0.2, 0.2, 0.2)}))
    give(folder, *[{"easy": EASY}] * 2)
    for run in (folder / "runs").iterdir():
        if "-16-" not in run.name:
            (run / "DONE").unlink()
    found, _ = asked(folder)
    assert found is None
    assert set_question_facts(found) == {}


def test_few_blocks_have_no_interval_and_say_so(make_bench) -> None:
    folder = make_bench(Recipe(block_um=1000.0))
    give(folder, *[{"easy": EASY}] * 2)
    found, _ = asked(folder)
    facts = set_question_facts(found)
    assert found.reason
    assert facts["reason"] == found.reason
    assert all(one["text"].startswith("Not decided") for one in facts["effects"])
    assert facts["effects"][0]["rows"][0][-1] == "not decided"


def test_no_more_sets_than_intervals_can_bear(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SETS", 1)
    found, _ = asked(bench)
    assert {name for _, name, _ in found.effects} == {"easy"}
    assert found.left_out == 1
    assert "Of 1 further set nothing was asked" in set_question_facts(found)["left_out"]

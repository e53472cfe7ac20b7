"""What the page says of effects on gene sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.analysis.analyse import analyse
from prestige.analysis.effects import WIDTH
from prestige.analysis.gene_sets import effects as module
from prestige.report import write_report
from prestige.report.gene_sets.effects import set_effect_facts

from ...analysis.gene_sets.test_comparison import EASY, HARD, give
from ...analysis.gene_sets.test_effects import ALONE
from ...analysis.gene_sets.test_scores import keep_ceilings
from ...small_bench import Recipe


@pytest.fixture
def bench(tiny_bench: Path) -> Path:
    give(tiny_bench, *[{"easy": EASY, "hard": HARD}] * 2)
    keep_ceilings(tiny_bench)
    return tiny_bench


def test_the_words_say_where_an_effect_is_higher(bench: Path) -> None:
    facts = set_effect_facts(analyse(bench).effects_on_sets)
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


def test_without_intervals_nothing_is_decided(make_bench) -> None:
    folder = make_bench(Recipe(block_um=1000.0))
    give(folder, *[{"easy": EASY}] * 2)
    effects = analyse(folder).effects_on_sets
    assert effects is not None
    facts = set_effect_facts(effects)
    assert facts["reason"] == effects.reason
    assert all(one["text"].startswith("Not decided") for one in facts["effects"])
    assert facts["effects"][0]["rows"][0][-1] == "not decided"
    assert set_effect_facts(None) == {}


def test_sets_that_were_left_out_are_counted(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SETS", 1)
    facts = set_effect_facts(analyse(bench).effects_on_sets)
    assert "Of 1 further set nothing was asked" in facts["left_out"]


def test_the_page_and_a_table_carry_them(bench: Path) -> None:
    page = write_report(bench).read_text(encoding="utf-8")
    assert "Do some genes gain more than others?" in page
    table = pd.read_csv(bench / "report" / "tables" / "set_effects.csv")
    assert set(table["effect"]) >= {WIDTH, ALONE}
    assert np.isfinite(table[["on_set", "difference", "low", "high"]].to_numpy()).all()

"""What the page says of which configuration is best for which genes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from prestige.analysis.analyse import analyse
from prestige.report import write_report
from prestige.report.gene_sets.comparison import set_facts

from ...analysis.gene_sets.test_comparison import EASY, HARD, give


def test_the_page_answers_set_by_set_and_names_what_is_too_small(tiny_bench: Path) -> None:
    give(tiny_bench, *[{"easy": EASY, "hard": HARD, "tiny": EASY[:3]}] * 2)
    facts = set_facts(analyse(tiny_bench))
    assert [row[0] for row in facts["rows"]] == ["easy", "hard"]
    assert all(len(row) == len(facts["head"]) for row in facts["rows"])
    assert facts["small"] == ["tiny: 3 of 9 genes in the panel"]
    assert "easy" in facts["text"]
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    assert "Not scored: tiny: 3 of 9 genes in the panel." in page
    table = pd.read_csv(tiny_bench / "report" / "tables" / "gene_sets.csv")
    assert set(table["gene_set"]) == {"easy", "hard"}
    assert np.isfinite(table["pearson"]).all()


def test_a_bench_without_sets_says_nothing_of_them(tiny_bench: Path) -> None:
    assert set_facts(analyse(tiny_bench)) == {}
    assert 'id="sets"' not in write_report(tiny_bench).read_text(encoding="utf-8")

"""Gene sets in the report: the comparison again on their genes alone."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.analysis.answer import answers
from prestige.analysis.gene_sets.comparison import (
    all_scored_sets,
    common_sets,
    scored_sets,
    set_facts,
    sets_table,
)
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report import write_report

EASY, HARD = [f"GENE{i:02d}" for i in range(8)], [f"GENE{i:02d}" for i in range(30, 38)]


def give(bench: Path, *folds: dict[str, list[str]]) -> None:
    path = bench / "bench.json"
    raw = json.loads(path.read_text())
    for fold, sets in zip(raw["folds"], folds, strict=True):
        fold["gene_sets"] = {
            name: {"genes": genes, "missing": [], "scored": len(genes) >= 5, "source": "made",
                   "text": f"{name}: {len(genes)} of 9 genes in the panel"}
            for name, genes in sets.items()
        }  # fmt: skip
    path.write_text(json.dumps(raw))


def test_the_score_of_a_set_is_the_mean_over_its_genes(tiny_bench: Path) -> None:
    give(tiny_bench, *[{"easy": EASY, "hard": HARD}] * 2)
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    easy, hard = scored_sets(bench, summary, pretrained=False)
    assert (easy.genes, hard.genes) == (tuple(EASY), tuple(HARD))
    for one in (easy, hard):
        for key, standing in one.group.standings.items():
            genes = summary.genes[summary.genes["configuration"] == key].set_index("gene")["pearson"]
            expected = genes.reindex(list(one.genes)).fillna(0).mean()
            assert standing.score == pytest.approx(expected, abs=1e-4)
    best = max(easy.group.standings.values(), key=lambda standing: standing.score)
    assert best.best
    assert easy.group.standings != hard.group.standings


def test_a_set_counts_the_genes_that_all_folds_have(tiny_bench: Path) -> None:
    give(tiny_bench, {"easy": EASY, "only one": EASY}, {"easy": EASY[2:]})
    bench = load_bench(tiny_bench)
    found = scored_sets(bench, summarise(bench), pretrained=False)
    assert {one.name: one.genes for one in found} == {"easy": tuple(EASY[2:])}


def test_the_fewest_genes_of_a_set_are_the_benchs(tiny_bench: Path) -> None:
    """Each fold has five genes of the set, and both only four."""
    give(tiny_bench, {"easy": EASY[:5]}, {"easy": EASY[1:6]})
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    (tiny_bench / "bench.yaml").unlink(missing_ok=True)
    assert common_sets(bench, summary) == {}
    (tiny_bench / "bench.yaml").write_text("name: tiny\ngenesets: {min_genes: 4}\n")
    assert common_sets(bench, summary) == {"easy": tuple(EASY[1:5])}


def test_the_page_answers_set_by_set_and_names_what_is_too_small(tiny_bench: Path) -> None:
    give(tiny_bench, *[{"easy": EASY, "hard": HARD, "tiny": EASY[:3]}] * 2)
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    facts = set_facts(bench, summary, answers(bench, summary)[0], all_scored_sets(bench, summary))
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
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    assert set_facts(bench, summary, answers(bench, summary)[0], all_scored_sets(bench, summary)) == {}
    assert sets_table(all_scored_sets(bench, summary)).empty
    assert 'id="sets"' not in write_report(tiny_bench).read_text(encoding="utf-8")

"""Gene sets: the comparison again on their genes alone."""

import json
from pathlib import Path

import pytest

from prestige.analysis.answer import answers
from prestige.analysis.gene_sets.comparison import bests_of_sets, common_sets, scored_sets
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench

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
    easy, hard = scored_sets(summary, summary.groups[0], common_sets(bench, summary))
    assert (easy.genes, hard.genes) == (tuple(EASY), tuple(HARD))
    for one in (easy, hard):
        for key, result in one.group.results.items():
            genes = summary.genes[summary.genes["configuration"] == key].set_index("gene")["pearson"]
            expected = genes.reindex(list(one.genes)).fillna(0).mean()
            assert result.score == pytest.approx(expected, abs=1e-4)
    best = max(easy.group.results.values(), key=lambda result: result.score)
    assert best.best
    assert easy.group.results != hard.group.results


def test_a_set_counts_the_genes_that_all_folds_have(tiny_bench: Path) -> None:
    give(tiny_bench, {"easy": EASY, "only one": EASY}, {"easy": EASY[2:]})
    bench = load_bench(tiny_bench)
    assert common_sets(bench, summarise(bench)) == {"easy": tuple(EASY[2:])}


def test_the_fewest_genes_of_a_set_are_the_benchs(tiny_bench: Path) -> None:
    """Each fold has five genes of the set, and both only four."""
    give(tiny_bench, {"easy": EASY[:5]}, {"easy": EASY[1:6]})
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    (tiny_bench / "bench.yaml").unlink(missing_ok=True)
    assert common_sets(bench, summary) == {}
    (tiny_bench / "bench.yaml").write_text("name: tiny\ngenesets: {min_genes: 4}\n")
    assert common_sets(bench, summary) == {"easy": tuple(EASY[1:5])}


def test_the_best_of_a_set_stands_beside_the_best_of_all_genes(tiny_bench: Path) -> None:
    give(tiny_bench, *[{"easy": EASY, "hard": HARD}] * 2)
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    (answer,) = answers(bench, summary)
    scored = scored_sets(summary, summary.groups[0], common_sets(bench, summary))
    for one in bests_of_sets(summary, answer, scored):
        encoders = {key: result.score for key, result in one.scored.group.results.items() if not key.baseline}
        assert one.best == max(encoders, key=encoders.__getitem__)
        assert one.best_of_all == answer.best
        assert one.alike or one.best != one.best_of_all
    assert [one.scored.name for one in bests_of_sets(summary, answer, scored)] == ["easy", "hard"]
    assert bests_of_sets(summary, answer, []) == []


def test_a_set_whose_truth_never_varies_is_left_out(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    assert scored_sets(summary, summary.groups[0], {"constant": ("GENE38",)}) == []

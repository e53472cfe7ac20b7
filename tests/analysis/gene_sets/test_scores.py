"""Scores of gene sets against the tables they are made of, and against predictions whose excess is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.analysis.ceilings import ceilings_of
from prestige.analysis.gene_sets.estimates import FRACTION, QUANTILES, SetGenes
from prestige.analysis.gene_sets.scores import SetScores, set_scores
from prestige.analysis.summary import Summary, compare_group, summarise
from prestige.analysis.values import gene_values
from prestige.errors import ConfigError
from prestige.evaluate.ceilings import COLUMNS
from prestige.genesets import matched_random_sets
from prestige.records.configuration import Configuration
from prestige.records.folders import load_bench
from prestige.records.run import Run

from ...small_bench import Recipe

EASY = tuple(f"GENE{i:02d}" for i in range(0, 12, 2))  # the first genes are predicted best
ODD = tuple(f"GENE{i:02d}" for i in range(1, 40, 6))
RARE = ("GENE04", "GENE06", "GENE07")


def keep_ceilings(bench: Path, *, rare: tuple[str, ...] = RARE, bounds: bool = True) -> None:
    """Write ceilings of 0.8 whose bound is 0.7; of rare genes 0.25, and nothing is known below."""
    for fold in range(2):
        genes = [f"GENE{i:02d}" for i in range(40)]
        table = pd.DataFrame({"sample": f"S{fold + 1}", "gene": genes, "n_obs": 300, "n_blocks": 40})
        for kind in ("ceiling_counts", "ceiling_log"):
            table[kind] = np.where(table["gene"].isin(rare), 0.25, 0.8)
            lower = np.where(table["gene"].isin(rare), 0.0, 0.7)
            table[f"{kind}_lower"] = lower if bounds else np.nan
        table[list(COLUMNS)].to_parquet(bench / "truth" / f"fold-{fold}" / "ceilings.parquet")


def values_of(runs: Iterable[Run]) -> pd.DataFrame:
    return gene_values((run.fold, run.scores) for run in runs)


def scored(bench_folder: Path, **sets: tuple[str, ...]) -> tuple[SetScores, Summary, Configuration]:
    bench = load_bench(bench_folder)
    summary = summarise(bench)
    best = next(key for key in summary.used if key.encoder == "compact_s" and key.patch_um == 64)
    return set_scores(bench, summary, sets, ceilings_of(bench)), summary, best


def test_mean_and_quartiles_of_every_metric_are_those_of_the_genes(tiny_bench: Path) -> None:
    scores, summary, best = scored(tiny_bench, easy=EASY)
    values = values_of(summary.used[best]).loc[list(EASY)]
    assert set(values) == {"pearson", "spearman", "r2", "mse"}  # all that the runs hold
    for metric in values:
        assert scores.of(best, "all", metric, "mean")["easy"].value == pytest.approx(
            values[metric].mean(), abs=1e-5
        )
        for word, p in QUANTILES.items():
            found = scores.of(best, "all", metric, word)["easy"].value
            assert found == pytest.approx(np.quantile(values[metric], p), abs=1e-5)
            if metric != "pearson":
                assert np.isnan(scores.of(best, "all", metric, word)["easy"].low)


def test_intervals_hold_the_estimate_and_are_the_comparison_s(tiny_bench: Path) -> None:
    scores, summary, best = scored(tiny_bench, easy=EASY)
    assert scores.reason is None
    mean = scores.of(best, "all", "pearson", "mean")["easy"]
    alone = compare_group(False, {best: summary.used[best]}, EASY, summary.patient_of)
    assert alone.results[best].score == pytest.approx(mean.value, abs=1e-12)
    assert alone.results[best].interval == pytest.approx((mean.low, mean.high), abs=1e-9)
    for word in QUANTILES:
        one = scores.of(best, "all", "pearson", word)["easy"]
        assert one.low < one.value < one.high


def test_rare_genes_are_counted_apart_and_score_nowhere_else(tiny_bench: Path) -> None:
    keep_ceilings(tiny_bench)
    scores, summary, best = scored(tiny_bench, easy=EASY)
    one = scores.sets["easy"]
    assert (one.genes, one.rare) == (EASY, ("GENE04", "GENE06"))
    assert scores.known_rare
    assert scores.matched_on == "mean expression and ceiling"
    pearson = values_of(summary.used[best])["pearson"]
    kept = [gene for gene in EASY if gene not in RARE]
    measurable = scores.of(best, "measurable", "pearson", "mean")["easy"]
    assert (measurable.n_genes, measurable.n_rare) == (4, 2)
    assert measurable.value == pytest.approx(pearson[kept].mean(), abs=1e-5)
    fraction = scores.of(best, "measurable", FRACTION, "mean")["easy"]
    assert fraction.value == pytest.approx((pearson[kept] / 0.8).mean(), abs=1e-5)
    # The ceiling is taken as known, so the interval is that of the score, stretched.
    assert (fraction.low, fraction.high) == pytest.approx((measurable.low / 0.8, measurable.high / 0.8))
    assert not {"GENE07", "GENE38"} & {f"GENE{i:02d}" for i in one.random.index.ravel()}


def test_a_gene_whose_truth_never_varies_is_rare_without_ceilings_too(tiny_bench: Path) -> None:
    scores, _, best = scored(tiny_bench, last=("GENE34", "GENE35", "GENE36", "GENE37", "GENE38", "GENE39"))
    assert scores.sets["last"].rare == ("GENE38",)
    assert not scores.known_rare
    assert scores.matched_on == "mean expression"
    assert scores.of(best, "measurable", FRACTION, "mean") == {}
    # A prediction that is constant where the truth varies counts 0.
    pearson = values_of(load_bench(tiny_bench).runs[0:1])["pearson"]
    assert pearson["GENE39"] == 0.0
    assert np.isnan(pearson["GENE38"])


def test_ceilings_without_bounds_say_of_no_gene_that_it_is_rare(tiny_bench: Path) -> None:
    keep_ceilings(tiny_bench, bounds=False)
    scores, _, _ = scored(tiny_bench, easy=EASY)
    assert not scores.known_rare
    assert scores.sets["easy"].rare == ()


def test_the_excess_is_that_of_the_genes_scores(tiny_bench: Path) -> None:
    keep_ceilings(tiny_bench, rare=())
    scores, summary, best = scored(tiny_bench, easy=EASY, odd=ODD)
    values = values_of(summary.used[best]).reindex(list(summary.common_genes))["pearson"].fillna(0)
    for name in ("easy", "odd"):
        random = scores.sets[name].random
        excess = scores.of(best, "matched", "pearson", "excess")[name]
        one_by_one = values.to_numpy()
        expected = one_by_one[random.members].mean() - one_by_one[random.index].mean()
        assert excess.value == pytest.approx(expected, abs=1e-5)
        mean = scores.of(best, "matched", "pearson", "mean")[name].value
        drawn = scores.of(best, "matched", "pearson", "random sets")[name]
        assert mean - drawn.value == pytest.approx(excess.value, abs=1e-12)
        assert drawn.low < drawn.value < drawn.high
    easy = scores.of(best, "matched", "pearson", "excess")["easy"]
    assert easy.low > 0.1  # their predictions were made so
    assert scores.of(best, "matched", "pearson", "p (descriptive)")["easy"].value < 0.01
    mean = next(key for key in summary.used if key.encoder == "baseline:mean")
    assert scores.of(mean, "all", "pearson", "mean") == {}


def test_a_set_with_few_stand_ins_is_not_compared(tiny_bench: Path) -> None:
    scores, _, best = scored(tiny_bench, few=EASY[:4], most=tuple(f"GENE{i:02d}" for i in range(38)))
    assert not any(one.compared for one in scores.sets.values())
    assert scores.of(best, "matched", "pearson", "excess") == {}
    assert np.isfinite(scores.of(best, "all", "pearson", "mean")["few"].value)
    assert scores.sets["most"].random.unmatched


def test_the_number_of_random_sets_and_their_seed_are_the_benchs(tiny_bench: Path) -> None:
    (tiny_bench / "bench.yaml").write_text("name: tiny\ngenesets:\n  draws: 123\n  seed: 5\n  min_genes: 5\n")
    scores, _, _ = scored(tiny_bench, easy=EASY)
    assert scores.draws == len(scores.sets["easy"].random.index) == 123
    (tiny_bench / "bench.yaml").write_text("{broken: [yaml")
    with pytest.raises(ConfigError, match="not valid yaml"):
        scored(tiny_bench, easy=EASY)
    (tiny_bench / "bench.yaml").write_text("name: tiny\ngenesets: {draws: 3}\n")
    with pytest.raises(ConfigError, match="100"):
        scored(tiny_bench, easy=EASY)
    (tiny_bench / "bench.yaml").unlink()
    again, _, _ = scored(tiny_bench, easy=EASY)
    assert again.draws == 1000


def test_too_few_blocks_give_scores_without_intervals(make_bench: Callable[[Recipe], Path]) -> None:
    scores, _, best = scored(make_bench(Recipe(block_um=1000.0)), easy=EASY)
    assert scores.reason is not None
    one = scores.of(best, "all", "pearson", "mean")["easy"]
    assert np.isfinite(one.value)
    assert np.isnan(one.low)
    assert np.isnan(scores.of(best, "matched", "pearson", "excess")["easy"].low)


def test_measurable_genes_are_those_that_are_not_rare() -> None:
    random = matched_random_sets(["A"], ["A", "B"], np.zeros((2, 1)), draws=1)
    one = SetGenes("x", ("A", "B"), ("B",), random)
    assert one.measurable == ("A",)
    assert not one.compared


def test_seeds_are_averaged(tiny_bench: Path) -> None:
    """A second seed of one run: its scores and moments are averaged with the first."""
    bench = load_bench(tiny_bench)
    run = next(r for r in bench.runs if r.configuration.encoder == "compact_s" and r.fold == 0)
    other = next(r for r in bench.runs if r.configuration.encoder == "resnet18" and r.fold == 0)
    mixed = values_of([run, other])["pearson"]
    single = [values_of([one])["pearson"] for one in (run, other)]
    pd.testing.assert_series_equal(mixed, (single[0] + single[1]) / 2, check_names=False)
    assert json.loads((tiny_bench / "bench.json").read_text())["name"] == "tiny"

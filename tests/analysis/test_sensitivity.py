"""Scores at moved centres."""

from pathlib import Path

import numpy as np
import pytest

from prestige.analysis.sensitivity import best_at_shifts, shifted_scores
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.stats.moments import Moments, mean_gene_pearson


def keep(bench: Path, kept_at_8_um: dict[str, float]) -> None:
    """Give every run moments at 0 and 8 um; at 8 um products with the truth are so much of what they were."""
    for run in load_bench(bench).runs:
        moments = run.moments
        moments.save(run.folder.moments_at(0.0))
        share = kept_at_8_um[run.configuration.name]
        n = np.maximum(moments.n, 1)[:, None]
        product = moments.sum_p * moments.sum_t / n + share * (
            moments.sum_pt - moments.sum_p * moments.sum_t / n
        )
        sums = {name: getattr(moments, name) for name in ("sum_p", "sum_t", "sum_pp", "sum_tt")}
        Moments(moments.sample, moments.block, moments.n, sum_pt=product, genes=moments.genes, **sums).save(
            run.folder.moments_at(8.0)
        )


KEPT = {"compact_s": 0.3, "resnet18": 1.0, "ridge": 0.9, "training mean": 1.0}


def test_each_configuration_has_its_score_at_each_shift(tiny_bench: Path) -> None:
    keep(tiny_bench, KEPT)
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    table = shifted_scores(bench, summary)
    assert list(table.columns) == [0.0, 8.0]
    assert len(table) == summary.table["compared"].sum()
    for key in table.index:
        runs = [run for run in bench.runs if run.configuration == key]
        assert table.at[key, 0.0] == pytest.approx(np.mean([mean_gene_pearson(run.moments) for run in runs]))
        if key.name == "compact_s":
            assert table.at[key, 8.0] < table.at[key, 0.0]


def test_a_shift_that_one_configuration_lacks_is_left_out_for_all(tiny_bench: Path) -> None:
    keep(tiny_bench, KEPT)
    bench = load_bench(tiny_bench)
    (bench.runs[0].folder.moments_at(8.0)).unlink()
    assert shifted_scores(bench, summarise(bench)).empty


def test_the_best_encoder_at_each_shift_has_its_smallest_patch(tiny_bench: Path) -> None:
    keep(tiny_bench, KEPT)
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    table = shifted_scores(bench, summary)
    before, after = best_at_shifts(table, summary.groups[0], 0.01)
    assert (before.shift_um, after.shift_um) == (0.0, 8.0)
    assert (before.best.encoder, after.best.encoder) == ("compact_s", "resnet18")
    assert before.score == table.loc[[key for key in table.index if not key.baseline], 0.0].max()
    near = [
        key.patch_um for key in table.index if not key.baseline and table.at[key, 0.0] >= before.score - 0.01
    ]
    assert before.patch_um == min(near)
    assert best_at_shifts(table.iloc[:0], summary.groups[0], 0.01) == []
    only_baselines = table.loc[[key for key in table.index if key.baseline]]
    assert best_at_shifts(only_baselines, summary.groups[0], 0.01) == []

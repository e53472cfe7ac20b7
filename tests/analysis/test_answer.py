"""The answer in numbers, in the situations a bench can end in."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prestige.analysis.advice import advise
from prestige.analysis.answer import Answer, answers, choose_patch, leading, mapped, margin_of
from prestige.analysis.summary import Result, Summary, summarise
from prestige.errors import ConfigError
from prestige.records.configuration import Configuration
from prestige.records.folders import load_bench

from ..small_bench import Recipe


def answered(folder: Path) -> tuple[Answer, Summary]:
    bench = load_bench(folder)
    summary = summarise(bench)
    (answer,) = answers(bench, summary)
    return answer, summary


def _result(score: float) -> Result:
    return Result(score, None, best=False, tied=None)


def _key(
    encoder: str, patch_um: float, *, baseline: bool = False, visible_um: float = math.inf
) -> Configuration:
    return Configuration(False, baseline, encoder, patch_um, 32, visible_um)


def test_a_constant_prediction_counts_zero_and_a_constant_truth_not_at_all(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    best = summary.genes[summary.genes["configuration"] == summary.groups[0].best].set_index("gene")
    assert math.isnan(best.at["GENE38", "pearson"])
    assert math.isnan(best.at["GENE39", "pearson"])
    assert summary.groups[0].comparison.n_genes_scored == 39
    by_hand = best.drop(index="GENE38")["pearson"].fillna(0.0).mean()
    score = summary.table.loc[summary.table["best"], "score"].item()
    assert score == pytest.approx(by_hand, abs=1e-6)


def test_the_smallest_width_within_the_margin_is_chosen() -> None:
    results = {
        _key("a", 16.0): _result(0.139),
        _key("a", 32.0): _result(0.141),
        _key("b", 32.0): _result(0.120),
        _key("b", 64.0): _result(0.150),
        _key("a", 64.0, visible_um=16.0): _result(0.149),
        _key("baseline:ridge", 8.0, baseline=True): _result(0.200),
    }
    assert choose_patch(results, 0.01) == (32.0, _key("a", 32.0))
    assert choose_patch(results, 0.02) == (16.0, _key("a", 16.0))
    assert choose_patch(results, 0.0) == (64.0, _key("b", 64.0))
    assert choose_patch({_key("baseline:ridge", 8.0, baseline=True): _result(0.2)}, 0.01) is None
    assert np.isinf(_key("baseline:mean", math.inf, baseline=True).patch_um)


@pytest.mark.parametrize(("right", "agrees"), [(32.0, True), (16.0, False)])
def test_a_phantom_s_right_width_is_compared_with_the_answer(
    tiny_bench: Path, right: float, agrees: bool
) -> None:
    info = json.loads((tiny_bench / "bench.json").read_text())
    info["truth"] = {"radius_um": 20.0, "margin": 0.02, "oracle": {"32.0": 0.7}, "right_patch_um": right}
    (tiny_bench / "bench.json").write_text(json.dumps(info))
    answer, _ = answered(tiny_bench)
    assert (answer.margin, answer.patch_um, answer.right_patch_um) == (0.02, 32.0, right)
    assert answer.agrees is agrees


def test_the_recommended_configuration_is_shown_or_the_best_encoder(tiny_bench: Path) -> None:
    answer, summary = answered(tiny_bench)
    assert answer.recommendation == advise(summary, summary.groups[0], answer.margin)
    assert answer.shown is not None
    assert answer.shown.label == "compact_s at 64 µm"
    info = json.loads((tiny_bench / "bench.json").read_text())
    info["truth"] = {"margin": 5.0}  # all lie within it: the cheapest
    (tiny_bench / "bench.json").write_text(json.dumps(info))
    wide, _ = answered(tiny_bench)
    assert wide.shown is not None
    assert wide.recommendation is not None
    assert wide.shown == wide.recommendation.chosen
    assert wide.shown.patch_um == 16


def test_the_margin_is_that_of_the_yaml_then_of_the_data_then_the_usual(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    assert margin_of(bench) == 0.01
    info = json.loads((tiny_bench / "bench.json").read_text())
    info["truth"] = {"margin": 0.02}
    (tiny_bench / "bench.json").write_text(json.dumps(info))
    assert margin_of(load_bench(tiny_bench)) == 0.02
    (tiny_bench / "bench.yaml").write_text("evaluation: {margin: 5, block_um: 100}\n")
    answer, _ = answered(tiny_bench)
    assert answer.margin == 5.0
    assert answer.recommendation is not None
    assert answer.recommendation.chosen is not None
    (tiny_bench / "bench.yaml").write_text("name: b\nevaluation: {margin: -1}\n")
    with pytest.raises(ConfigError, match=r"line 2: 'margin' is -1; expected a number of 0 or more"):
        margin_of(bench)


def test_where_no_interval_is_there_the_best_encoder_is_shown(
    make_bench: Callable[[Recipe], Path],
) -> None:
    answer, _ = answered(make_bench(Recipe(block_um=1000.0)))
    assert (answer.interval, answer.tied) == (None, None)
    assert answer.recommendation is not None
    assert answer.recommendation.chosen is None
    assert answer.shown is not None
    assert answer.shown.label == "compact_s at 64 µm"


def test_where_a_baseline_wins_the_best_encoder_is_mapped(make_bench: Callable[[Recipe], Path]) -> None:
    recipe = Recipe(quality={"compact_s": (0.1, 0.15, 0.1)}, ridge=(0.6, 0.6, 0.6))
    answer, summary = answered(make_bench(recipe))
    assert answer.best.baseline
    shown = mapped(summary, answer)
    assert (shown.encoder, shown.patch_um) == ("compact_s", 32.0)


def test_the_leading_answer_has_the_best_score(tiny_bench: Path) -> None:
    answer, _ = answered(tiny_bench)
    better = replace(answer, pretrained=True, score=answer.score + 0.1)
    assert leading([answer, better]) is better
    assert leading([]) is None

"""Predictions of every kind on a phantom: what is smoothed is called so, what is not is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from prestige import metrics
from prestige.biology.noise import draw
from prestige.biology.pair import Pair
from prestige.biology.space.smoothing import Smoothing
from prestige.biology.space.structure import Structure, structure, verdict_of
from prestige.errors import DataError
from prestige.genesets import morans_i
from prestige.report.biology.space import structure_sentences

Blur = Callable[..., np.ndarray]
Make = Callable[..., Pair]


@pytest.fixture(scope="module")
def pair(tissue: Any, make_pair: Make) -> Pair:
    return make_pair(tissue.mean, tissue.xy_um, seed=1)


def of(pair: Pair, predicted: np.ndarray) -> Structure:
    """The structure of a prediction in counts, or on the log scale where it is no mean of counts."""
    values = np.log1p(100 * predicted / predicted.sum(axis=1, keepdims=True))
    return structure(replace(pair, predicted=values.astype(np.float32)))


def logged(pair: Pair, values: np.ndarray, **other: Any) -> Structure:
    return structure(replace(pair, predicted=values.astype(np.float32), mean_of="log1p", **other))


def test_the_true_mean_is_not_over_smoothed(pair: Pair) -> None:
    found = structure(pair)
    assert found.verdict == "not over-smoothed"
    assert found.smoothing.length_um < 0.5 * found.smoothing.spacing_um
    assert found.variance_ratio == pytest.approx(1, abs=0.04)
    assert found.signal_ratio == pytest.approx(1, abs=0.1)
    table = found.table
    # The true mean by itself is far smoother than the measurement; with noise it is as rough as that.
    bare = morans_i(pair.predicted, pair.xy_um, pair.sample_of).mean()
    assert bare > 1.15 * table["morans_i_measured"].mean()
    assert table["morans_i_predicted"].mean() == pytest.approx(table["morans_i_measured"].mean(), rel=0.12)
    assert table["morans_i_predicted_half"].mean() == pytest.approx(table["morans_i_half"].mean(), rel=0.15)
    told = " ".join(structure_sentences(found))
    assert told.startswith("Not over-smoothed")
    assert "nan" not in told


def test_nor_is_it_as_the_mean_of_logs_nor_what_an_image_shows_of_it(pair: Pair, tissue: Any) -> None:
    assert logged(pair, pair.predicted).verdict == "not over-smoothed"
    found = of(pair, tissue.visible)
    assert found.verdict == "not over-smoothed"
    assert found.signal_ratio < 0.95  # what it does not see it does not have
    mean = pair.predicted.mean(axis=0)
    weak = logged(pair, mean + 0.3 * (pair.predicted - mean))
    assert weak.verdict == "not over-smoothed"
    assert weak.signal_ratio < 0.25


@pytest.mark.parametrize("radius", [50.0, 100.0])
def test_a_blurred_truth_scores_well_and_is_over_smoothed(
    pair: Pair, tissue: Any, blur: Blur, radius: float
) -> None:
    for values in (
        blur(tissue.mean, tissue.xy_um, radius),
        blur(pair.counts.toarray(), tissue.xy_um, radius),
    ):
        found = of(pair, values)
        assert found.verdict == "over-smoothed"
        # A disc has a quarter of its squared radius as its variance along an axis.
        assert found.smoothing.length_um == pytest.approx(radius / 2, rel=0.3)
        assert found.signal_ratio < 0.5
        assert structure_sentences(found)[0].startswith("Over-smoothed: ")
    wide = blur(pair.predicted, tissue.xy_um, 50.0)
    assert metrics.pearson(wide, pair.predicted).mean() > 0.4


@pytest.mark.parametrize("gene", [0, 10, 23])
def test_one_gene_is_enough_for_the_verdict(pair: Pair, tissue: Any, blur: Blur, gene: int) -> None:
    """Gene 0 follows the nucleus, 10 the surroundings, 23 nothing visible; the shallow ones have 2 counts."""
    one = pair.of_genes([pair.genes[gene]])
    assert structure(one).verdict in ("not over-smoothed", "undecided")
    wide = blur(one.predicted, tissue.xy_um, 50.0)
    assert logged(one, wide).verdict == "over-smoothed"


def test_training_mean_and_shuffled_cells_have_no_structure(pair: Pair) -> None:
    constant = np.broadcast_to(pair.predicted.mean(axis=0), pair.predicted.shape)
    shuffled = pair.predicted[np.random.default_rng(0).permutation(len(pair))]
    for values in (constant, shuffled):
        found = logged(pair, values)
        assert found.verdict == "no structure predicted"
        assert structure_sentences(found)[0].startswith("No structure predicted")
        assert np.abs(found.table["morans_i_predicted"]).max() < 5 / math.sqrt(4 * len(pair))
    assert np.abs(metrics.pearson(shuffled, pair.measured)).max() < 4.5 / math.sqrt(len(pair))
    assert logged(pair, constant).signal_ratio < 0.1
    assert logged(pair, shuffled).signal_ratio > 0.7  # it varies as it should, in the wrong places


def test_a_measurement_without_structure_is_said(pair: Pair) -> None:
    places = pair.xy_um[np.random.default_rng(1).permutation(len(pair))]
    found = structure(replace(pair, xy_um=places))
    assert found.verdict == "no structure measured"
    assert "nothing can be said" in structure_sentences(found)[0]


def test_the_true_mean_is_rarely_flagged_and_a_blur_always(tissue: Any, make_pair: Make, blur: Blur) -> None:
    """Eight measurements of 700 cells and 4 genes: far less than any user has."""
    few = np.argsort(np.hypot(*(tissue.xy_um - tissue.xy_um.mean(axis=0)).T))[:700]
    mean, xy = tissue.mean[few], tissue.xy_um[few]
    verdicts: dict[str, list[str]] = {"true": [], "blurred": []}
    for seed in range(8):
        pair = make_pair(mean, xy, seed=seed, panel=4)
        verdicts["true"].append(structure(pair, seed=seed).verdict)
        wide = blur(pair.predicted, xy, 50.0)
        verdicts["blurred"].append(structure(replace(pair, predicted=wide.astype(np.float32))).verdict)
    assert "over-smoothed" not in verdicts["true"]
    assert verdicts["blurred"].count("over-smoothed") >= 7


@pytest.mark.parametrize("depth", [0.3, 30.0])
def test_a_weak_prediction_of_smooth_tissue_is_not_called_smoothed(make_pair: Make, depth: float) -> None:
    """An exponential of a field is finer than the field, and a weak prediction is nearer to the field."""
    side = 70
    rng = np.random.default_rng(0)
    xy = 10.0 * np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    fields = [gaussian_filter(rng.standard_normal((side, side)), 3.0, mode="wrap").ravel() for _ in range(20)]
    rate = np.stack(fields, axis=1)
    rate *= 0.7 / rate.std()
    pair = make_pair(depth * np.exp(rate), xy.astype(float), predicted=np.exp(0.4 * rate))
    found = structure(pair)
    assert found.smoothing.length_um > 0.3 * found.smoothing.spacing_um  # so it is somewhat smoother
    assert found.smoothing.lost < 0.2
    assert found.verdict == "not over-smoothed"
    blurred = gaussian_filter(rate.reshape(side, side, -1), (4.0, 4.0, 0.0), mode="wrap").reshape(rate.shape)
    wide = structure(make_pair(depth * np.exp(rate), xy.astype(float), predicted=np.exp(blurred)))
    assert wide.verdict == "over-smoothed"


def smoothing(low: float, high: float, **other: Any) -> Smoothing:
    given: dict[str, Any] = {
        "length_um": (low + high) / 2,
        "low_um": low,
        "high_um": high,
        "lost": 0.5,
        "lost_low": 0.3,
        "lost_high": 0.6,
        "spacing_um": 10.0,
        "n_genes": 5,
        "measured_structure": True,
        "n_blocks": 64,
        "distance_um": np.ones(1),
        "measured": np.ones(1),
        "predicted": np.ones(1),
    }
    return Smoothing(**(given | other))


def test_the_verdict_goes_by_the_interval() -> None:
    # Seven observations: 4 pi w^2 = 7 x 100 um^2, w = 7.46 um.
    assert verdict_of(smoothing(7.5, 20.0)) == "over-smoothed"
    assert verdict_of(smoothing(7.4, 20.0)) == "undecided"
    assert verdict_of(smoothing(0.0, 7.4)) == "not over-smoothed"
    assert verdict_of(smoothing(math.nan, math.nan)) == "undecided"
    # Seven observations and more, but of a tissue so smooth that it loses little.
    assert verdict_of(smoothing(7.5, 20.0, lost=0.2)) == "undecided"
    assert verdict_of(smoothing(7.5, 20.0, lost=0.1, lost_high=0.2)) == "not over-smoothed"
    assert verdict_of(smoothing(7.5, 20.0, n_genes=0)) == "no structure predicted"
    assert verdict_of(smoothing(7.5, 20.0, measured_structure=False)) == "no structure measured"


def test_what_is_undecided_is_said(pair: Pair) -> None:
    found = structure(pair)
    unsure = replace(found, smoothing=smoothing(3.0, 20.0), verdict="undecided")
    assert "cannot be told" in structure_sentences(unsure)[0]
    few = replace(unsure, smoothing=smoothing(math.nan, math.nan, length_um=9.0, n_blocks=8))
    assert "8 blocks of tissue are too few" in structure_sentences(few)[0]


def test_variances_are_within_samples(make_pair: Make) -> None:
    rng = np.random.default_rng(2)
    xy = rng.uniform(0, 300, (400, 2))
    pair = make_pair(rng.gamma(2.0, 10.0, (400, 3)), xy)
    pair = replace(pair, sample_of=np.repeat(["a", "b"], 200))
    found = structure(pair, draw(pair, 3))
    y = pair.measured.astype(np.float64)
    wanted = (y[:200].var(axis=0) * 200 + y[200:].var(axis=0) * 200) / 398
    np.testing.assert_allclose(found.table["variance_measured"], wanted, rtol=1e-6)
    assert list(found.table["gene"]) == list(pair.genes)


def test_a_strip_takes_nothing_from_a_whole_section(pair: Pair) -> None:
    """A sample one observation wide, and one of 20 observations, beside a section: both are named."""
    strip = np.abs(pair.xy_um[:, 0] - np.median(pair.xy_um[:, 0])) < 14
    few = ~strip & (np.arange(len(pair)) % (len(pair) // 20) == 0)
    assert strip.sum() >= 100
    of = np.where(strip, "strip", np.where(few, "few", "whole"))
    found = structure(replace(pair, sample_of=of))
    assert found.verdict == "not over-smoothed"
    assert found.smoothing.left_out == ("few", "strip")
    alone = structure(pair.take(of == "whole")).smoothing
    assert found.smoothing.length_um == pytest.approx(alone.length_um, abs=0.3 * alone.spacing_um)
    told = "Too small or too narrow to have a part in the smoothing length: few, strip."
    assert structure_sentences(found)[-1] == told


def test_too_little_tissue_for_a_length_keeps_the_rest(pair: Pair) -> None:
    few = pair.take(slice(0, 80))
    found = structure(few)
    assert found.verdict == "not judged"
    assert structure_sentences(found)[0].startswith("Whether the prediction is over-smoothed is not judged: ")
    assert "no sample has 100 observations" in structure_sentences(found)[0]
    assert not any("nan" in line for line in structure_sentences(found))
    np.testing.assert_allclose(
        found.table["morans_i_measured"], morans_i(few.measured, few.xy_um, few.sample_of), atol=1e-9
    )
    assert np.isfinite(found.variance_ratio)
    assert not len(found.smoothing.distance_um)
    assert math.isnan(found.smoothing.averaged)


def test_depth_with_a_pattern_in_space_is_told_from_a_prediction(make_pair: Make) -> None:
    rng = np.random.default_rng(3)
    xy = rng.uniform(0, 600, (1500, 2))
    depth = np.where(np.hypot(*(xy - 300).T) < 150, 60.0, 8.0)[:, None]
    found = structure(make_pair(depth * rng.dirichlet(np.full(20, 3.0)), xy))  # the same everywhere
    mean = found.table.filter(like="morans_i_").mean()
    assert mean["morans_i_predicted_half"] > 0.03
    assert mean["morans_i_depth"] == pytest.approx(mean["morans_i_predicted_half"], rel=0.4)
    assert f"depth alone {mean['morans_i_depth']:.3f}" in structure_sentences(found)[1]
    assert found.verdict == "no structure predicted"  # the length needs no noise, so depth is not in it


def test_without_positions_nothing_is_made_up(pair: Pair) -> None:
    with pytest.raises(DataError, match="no positions"):
        structure(replace(pair, has_positions=False))

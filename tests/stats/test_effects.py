"""Effects against least squares, the scores they are made of, and means of per-gene scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.errors import DataError
from prestige.stats.compare import Comparison, compare
from prestige.stats.effects import (
    Contrast,
    SetEffect,
    contrast,
    contrasts,
    equally,
    interaction_weights,
    set_effects,
    slope_weights,
)
from prestige.stats.moments import Moments, gene_pearson, moments_of

Key = tuple[str, int]
GENES = ("A", "B", "C", "D")
GRID = [(name, width) for name in ("small", "large", "other") for width in (1, 2, 3)]
PARAMETERS = {"small": 5.0, "large": 6.0, "other": 6.5}
FIVE = ("A", "B", "C", "D", "E")
WIDTHS = (1, 2, 3)
DOUBLED = slope_weights({width: float(width) for width in WIDTHS})
FAMILY = {"small": "compact", "large": "compact", "other": "alone"}


def tissue(quality: float, blocks: int = 20) -> Moments:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(20 * blocks, len(GENES)))
    own = np.random.default_rng(int(1000 * quality)).normal(size=truth.shape)
    pred = quality * truth + 0.9 * rng.normal(size=truth.shape) + 0.1 * own
    return moments_of(pred, truth, np.array(["S"] * len(truth)), np.repeat(np.arange(blocks), 20), GENES)


@pytest.fixture(scope="module")
def grid() -> Comparison[Key]:
    def quality(key: Key) -> float:
        return 0.1 * PARAMETERS[key[0]] + 0.05 * key[1] + 0.02 * (PARAMETERS[key[0]] - 6) * (key[1] - 2)

    return compare({key: [tissue(quality(key))] for key in GRID}, draws=400)


def test_an_effect_is_the_combination_of_scores_and_its_interval_holds_it(grid: Comparison[Key]) -> None:
    found = contrast(grid, {("large", 3): 1.0, ("small", 3): -1.0})
    assert found.estimate == pytest.approx(
        grid.rows["large", 3].score - grid.rows["small", 3].score, abs=1e-9
    )
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.estimate < found.high
    assert found.sign == 1
    difference = grid.draws[5] - grid.draws[2]
    assert found.se == pytest.approx(difference.std(), rel=0.3)
    assert (found.level, found.at_once, found.reason) == (0.95, False, None)


@given(st.floats(0.1, 50), st.sampled_from([-1.0, 1.0]))
def test_scale_of_the_weights_scales_the_effect(grid: Comparison[Key], size: float, sign: float) -> None:
    weights = {("large", 3): 1.0, ("small", 3): -0.4, ("other", 1): -0.6}
    one = contrast(grid, weights)
    other = contrast(grid, {key: sign * size * weight for key, weight in weights.items()})
    assert one.low is not None
    assert one.high is not None
    ends = sorted((sign * size * one.low, sign * size * one.high))
    assert other.estimate == pytest.approx(sign * size * one.estimate, rel=1e-9, abs=1e-9)
    assert (other.low, other.high) == pytest.approx(tuple(ends), rel=1e-6, abs=1e-9)


def test_a_slope_is_that_of_least_squares_within_groups(grid: Comparison[Key]) -> None:
    x = {key: PARAMETERS[key[0]] for key in GRID}
    found = contrast(grid, slope_weights(x, {key: (FAMILY[key[0]], key[1]) for key in GRID})).estimate
    # Only the compact family has two sizes at one width: the mean of three differences per one log10.
    wanted = np.mean([grid.rows["large", w].score - grid.rows["small", w].score for w in (1, 2, 3)])
    assert found == pytest.approx(wanted, abs=1e-12)
    widths = {key: float(key[1]) for key in GRID}
    found = contrast(grid, slope_weights(widths, {key: key[0] for key in GRID})).estimate
    groups = np.repeat(np.eye(3), 3, axis=0)
    design = np.column_stack([groups, [key[1] for key in GRID]])
    assert found == pytest.approx(np.linalg.lstsq(design, grid.scores, rcond=None)[0][-1], abs=1e-12)


def test_slopes_beside_others_and_interactions_are_those_of_least_squares(grid: Comparison[Key]) -> None:
    x, y = {key: PARAMETERS[key[0]] for key in GRID}, {key: float(key[1] ** 2) for key in GRID}
    a, b = np.array(list(x.values())), np.array(list(y.values()))
    design = np.column_stack([np.ones(9), a, b])
    found = contrast(grid, slope_weights(x, beside=[y])).estimate
    assert found == pytest.approx(np.linalg.lstsq(design, grid.scores, rcond=None)[0][1], abs=1e-10)
    design = np.column_stack([design, a * b])
    found = contrast(grid, interaction_weights(x, y)).estimate
    assert found == pytest.approx(np.linalg.lstsq(design, grid.scores, rcond=None)[0][3], abs=1e-10)
    family = {key: FAMILY[key[0]] for key in GRID}
    design = np.column_stack([np.repeat([[1, 0], [1, 0], [0, 1]], 3, axis=0), a, b, a * b])
    found = contrast(grid, interaction_weights(x, y, family)).estimate
    assert found == pytest.approx(np.linalg.lstsq(design, grid.scores, rcond=None)[0][4], abs=1e-10)


def test_the_interaction_is_the_difference_of_differences() -> None:
    x = {"a": 1.0, "b": 1.0, "c": 3.0, "d": 3.0}
    y = {"a": 0.0, "b": 2.0, "c": 0.0, "d": 2.0}
    assert interaction_weights(x, y) == pytest.approx({"a": 0.25, "b": -0.25, "c": -0.25, "d": 0.25})


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 2)), min_size=4, max_size=9))
def test_slope_weights_are_contrasts_that_give_back_a_slope(points: list[tuple[float, int]]) -> None:
    x = {i: round(value, 2) for i, (value, _) in enumerate(points)}
    group = {i: name for i, (_, name) in enumerate(points)}
    spread = [x[i] - np.mean([x[j] for j in x if group[j] == group[i]]) for i in x]
    if max(map(abs, spread)) < 1e-3:
        return
    weights = slope_weights(x, group)
    assert sum(weights.values()) == pytest.approx(0, abs=1e-9)
    line = {i: 3.0 * x[i] + 10.0 * group[i] for i in x}
    assert sum(weights[i] * line[i] for i in x) == pytest.approx(3.0, abs=1e-6)


def test_several_at_once_are_wider(grid: Comparison[Key]) -> None:
    wanted = {w: {("large", w): 1.0, ("small", w): -1.0} for w in (1, 2, 3)}
    alone, together = contrasts(grid, wanted, at_once=False), contrasts(grid, wanted)
    assert list(together) == [1, 2, 3]
    for w in (1, 2, 3):
        a, b = alone[w], together[w]
        assert a.low is not None
        assert a.high is not None
        assert b.low is not None
        assert b.high is not None
        assert b.at_once
        assert a.estimate == b.estimate
        assert b.low < a.low
        assert a.high < b.high


def test_few_clusters_give_the_effect_without_interval_and_the_reason() -> None:
    few = compare({"a": [tissue(0.5, blocks=9)], "b": [tissue(0.2, blocks=9)]}, draws=20)
    found = contrast(few, {"a": 1.0, "b": -1.0})
    assert found.estimate == pytest.approx(few.rows["a"].score - few.rows["b"].score, abs=1e-9)
    assert (found.low, found.high, found.se, found.sign) == (None, None, None, 0)
    assert found.reason is not None
    assert "9 spatial blocks" in found.reason


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({("small", 1): 1.0}, "sum to 1"),
        ({("small", 1): 0.0}, "in absolute value to 0"),
        ({("small", 1): float("nan"), ("small", 2): 1.0}, "nan"),
        ({("small", 9): 1.0, ("small", 1): -1.0}, "not in the comparison"),
        ({}, "in absolute value to 0"),
    ],
)
def test_weights_that_are_no_contrast_are_refused(
    grid: Comparison[Key], weights: dict[Key, float], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        contrast(grid, weights)


def test_bad_requests_are_refused(grid: Comparison[Key]) -> None:
    with pytest.raises(DataError, match="no contrast"):
        contrasts(grid, {})
    with pytest.raises(DataError, match="no slope"):
        slope_weights({"a": 1.0, "b": 2.0}, {"a": 0, "b": 1})
    with pytest.raises(DataError, match="no slope"):
        slope_weights({"a": 1.0, "b": 2.0}, beside=[{"a": 3.0, "b": 5.0}])
    with pytest.raises(DataError, match="no slope"):
        slope_weights({})
    with pytest.raises(DataError, match="no slope"):
        interaction_weights({}, {})
    with pytest.raises(DataError, match="'b' has no group"):
        slope_weights({"a": 1.0, "b": 2.0}, {"a": 0})
    with pytest.raises(DataError, match="'b' has no number"):
        interaction_weights({"a": 1.0, "b": 2.0}, {"a": 0.0})
    with pytest.raises(DataError, match="'a' has no number"):
        slope_weights({"a": float("nan"), "b": 2.0})


def tissue_of_width(width: int, *, samples: int = 2, blocks: int = 15, seed: int = 0) -> Moments:
    """Return moments of predictions in which a wider patch helps genes A and B alone."""
    rng = np.random.default_rng(5)
    n = samples * blocks * 20
    truth = rng.normal(size=(n, len(FIVE))) + rng.normal(size=(n // 20, len(FIVE))).repeat(20, axis=0)
    quality = 0.4 + np.array([0.3, 0.3, 0.0, 0.0, 0.0]) * width
    own = np.random.default_rng([width, seed]).normal(size=truth.shape)
    pred = quality * truth + 1.4 * rng.normal(size=truth.shape) + 0.1 * own
    sample = np.repeat([f"S{i}" for i in range(samples)], blocks * 20)
    return moments_of(pred, truth, sample, np.tile(np.repeat(np.arange(blocks), 20), samples), FIVE)


@pytest.fixture(scope="module")
def configs() -> dict[int, list[list[Moments]]]:
    return {width: [[tissue_of_width(width)], [tissue_of_width(width, seed=1)]] for width in WIDTHS}


def ends(effect: Contrast) -> tuple[float, float, float, float]:
    assert effect.low is not None
    assert effect.high is not None
    assert effect.se is not None
    return effect.estimate, effect.se, effect.low, effect.high


@pytest.mark.parametrize("patients", [False, True])
def test_an_effect_on_one_set_is_that_of_the_comparison(patients: bool) -> None:
    samples = 12 if patients else 2
    runs = {width: [tissue_of_width(width, samples=samples, blocks=6)] for width in WIDTHS}
    of = {f"S{i}": f"P{i}" for i in range(samples)}
    subset = ("A", "C", "E")
    expected = contrasts(compare(runs, genes=subset, patient_of=of, draws=300), {"x": DOUBLED})["x"]
    asked = {"x": SetEffect(DOUBLED, equally(subset))}
    found = set_effects({key: [[one]] for key, (one,) in runs.items()}, asked, patient_of=of, draws=300)["x"]
    assert ends(found) == pytest.approx(ends(expected), rel=1e-6, abs=1e-9)


def test_the_estimate_is_a_difference_of_means_of_genes(configs: dict[int, list[list[Moments]]]) -> None:
    found = set_effects(configs, {"gain": SetEffect(DOUBLED, equally("AB"), equally(FIVE))}, draws=200)[
        "gain"
    ]
    r = {
        width: np.mean([list(gene_pearson(folds[0]).values()) for folds in seeds], axis=(0, 1))
        for width, seeds in configs.items()
    }
    expected = sum(weight * (r[width][:2].mean() - r[width].mean()) for width, weight in DOUBLED.items())
    assert found.estimate == pytest.approx(float(expected), abs=1e-9)
    assert found.sign == 1


def test_what_a_set_gains_over_all_is_a_share_of_what_it_gains_over_the_rest(
    configs: dict[int, list[list[Moments]]],
) -> None:
    # mean over all = (2 set + 3 rest) / 5, so set - all = 3 / 5 (set - rest), draw by draw
    over_all = set_effects(configs, {"x": SetEffect(DOUBLED, equally("AB"), equally(FIVE))}, draws=200)["x"]
    over_rest = set_effects(configs, {"x": SetEffect(DOUBLED, equally("AB"), equally("CDE"))}, draws=200)["x"]
    assert ends(over_all) == pytest.approx([0.6 * value for value in ends(over_rest)], rel=1e-6, abs=1e-9)


def test_intervals_hold_at_once(configs: dict[int, list[list[Moments]]]) -> None:
    asked = {gene: SetEffect(DOUBLED, equally(gene), equally(FIVE)) for gene in FIVE}
    together = set_effects(configs, asked, draws=300)
    for gene, one in asked.items():
        alone = set_effects(configs, {gene: one}, draws=300)[gene]
        estimate, se, low, high = ends(together[gene])
        assert (estimate, se) == pytest.approx(ends(alone)[:2], abs=1e-9)
        assert low <= ends(alone)[2] + 1e-12
        assert high >= ends(alone)[3] - 1e-12


def test_few_blocks_have_an_estimate_and_a_reason() -> None:
    runs = {width: [[tissue_of_width(width, samples=1, blocks=4)]] for width in WIDTHS}
    found = set_effects(runs, {"x": SetEffect(DOUBLED, equally("A"), equally(FIVE))}, draws=50)["x"]
    assert np.isfinite(found.estimate)
    assert (found.low, found.high, found.se) == (None, None, None)
    assert "blocks" in str(found.reason)


def test_weights_of_genes_are_shares(configs: dict[int, list[list[Moments]]]) -> None:
    # Twice A and once B is two thirds of the effect on A and one third of that on B.
    asked = {
        "both": SetEffect(DOUBLED, {"A": 2.0, "B": 1.0}),
        "A": SetEffect(DOUBLED, equally("A")),
        "B": SetEffect(DOUBLED, equally("B")),
    }
    found = set_effects(configs, asked, draws=50)
    assert found["both"].estimate == pytest.approx(
        (2 * found["A"].estimate + found["B"].estimate) / 3, abs=1e-9
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "no effect is asked for"),
        ({"x": SetEffect(DOUBLED, equally("AZ"))}, "'Z' was not scored"),
        ({"x": SetEffect(DOUBLED, {})}, "a set of no gene"),
        ({"x": SetEffect(DOUBLED, {"A": -1.0})}, "weight is not above 0"),
        ({"x": SetEffect({1: 1.0, 2: -0.5}, equally("A"))}, "the weights sum to 0.5"),
        ({"x": SetEffect({1: 1.0, 9: -1.0}, equally("A"))}, "'9' is not in the comparison"),
        ({"x": SetEffect({1: float("nan"), 2: 1.0}, equally("A"))}, "the weights sum to nan"),
    ],
)
def test_bad_effects_on_sets_are_refused(
    configs: dict[int, list[list[Moments]]], asked: dict[str, SetEffect[int]], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        set_effects(configs, asked)

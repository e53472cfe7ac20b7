"""Effects against least squares and against the scores they are made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.errors import DataError
from prestige.stats import (
    Comparison,
    Moments,
    compare,
    contrast,
    contrasts,
    interaction_weights,
    moments_of,
    slope_weights,
)

Key = tuple[str, int]
GENES = ("A", "B", "C", "D")
GRID = [(name, width) for name in ("small", "large", "other") for width in (1, 2, 3)]
PARAMETERS = {"small": 5.0, "large": 6.0, "other": 6.5}
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

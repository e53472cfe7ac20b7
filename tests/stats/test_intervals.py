"""Intervals against Student's, and the comparison with the best."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from prestige.errors import DataError
from prestige.stats.bootstrap import Draws, draw, resample
from prestige.stats.intervals import bounds, combine, compare_with_best
from prestige.stats.moments import moments_of

ONE = np.ones((1, 1))


def means(values: np.ndarray, draws: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Draws]:
    """Resample the means of k columns: as `Draws`, with the covariance of each draw."""
    n, k = values.shape
    rows = np.random.default_rng(seed).integers(n, size=(draws, n))
    off = values[rows] - values[rows].mean(axis=1, keepdims=True)
    covariances = np.einsum("dnk,dnl->dkl", off, off) / n**2
    return (
        values.mean(axis=0),
        np.cov(values.T, ddof=0).reshape(k, k) / n,
        Draws(values[rows].mean(axis=1).T, covariances),
    )


def alike(draws: np.ndarray) -> tuple[np.ndarray, Draws]:
    """Return the covariance of k rows of draws, and the draws as if each had given that very covariance."""
    covariance = np.cov(draws).reshape(len(draws), len(draws))
    return covariance, Draws(draws, np.broadcast_to(covariance, (draws.shape[1], *covariance.shape)))


def percentiles(draws: np.ndarray) -> np.ndarray:
    return np.quantile(draws, [0.025, 0.975])


def test_studentised_is_student_for_a_mean_of_normal_values() -> None:
    # Twelve values at the normal's quantiles: percentiles are too narrow, studentised finds Student's 11.
    values = student(1e6).ppf((np.arange(12) + 0.5) / 12)[:, None]
    mean, covariance, drawn = means(values, 20_000)
    (low,), (high,) = bounds(combine(ONE, mean, covariance, drawn))
    wanted = student(11).ppf(0.975) * values.std(ddof=1) / np.sqrt(12)
    assert high == pytest.approx(wanted, rel=0.08)
    assert low == pytest.approx(-wanted, rel=0.08)
    assert percentiles(drawn.scores[0])[1] < 0.85 * wanted


def test_a_biased_estimate_is_corrected_not_doubled() -> None:
    # The mean of squares less the square of the mean: biased down, and its draws once more.
    rng, covered, plain = np.random.default_rng(0), 0, 0
    for _ in range(300):
        values = rng.normal(size=12)
        rows = rng.integers(12, size=(400, 12))

        def spread(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            square = (v - v.mean(axis=-1, keepdims=True)) ** 2
            off = square - square.mean(axis=-1, keepdims=True)
            return square.mean(axis=-1), (off**2).sum(axis=-1) / 144

        score, variance = spread(values)
        drawn, own = spread(values[rows])
        found = combine(
            ONE, np.array([score]), variance.reshape(1, 1), Draws(drawn[None], own[:, None, None])
        )
        (low,), (high,) = bounds(found)
        covered += low <= 1 <= high
        low, high = percentiles(drawn)
        plain += low <= 1 <= high
    assert covered / 300 > plain / 300 + 0.08


def test_combinations_have_the_variance_of_their_weights() -> None:
    values = np.random.default_rng(1).normal(size=(30, 3)) @ np.array([[1, 0.9, 0], [0, 0.3, 0], [0, 0, 1.0]])
    mean, covariance, drawn = means(values, 200)
    weights = np.array([[1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])
    found = combine(weights, mean, covariance, drawn)
    direct = means(values @ weights.T, 200)
    np.testing.assert_allclose(found.estimate, direct[0], atol=1e-12)
    np.testing.assert_allclose(found.se, np.sqrt(np.diag(direct[1])), rtol=1e-9)
    t = (direct[2].scores - direct[0][:, None]) / np.sqrt(
        np.diagonal(direct[2].covariances, axis1=1, axis2=2).T
    )
    np.testing.assert_allclose(found.t, t, rtol=1e-6, atol=1e-9)


def test_intervals_at_once_are_wider_and_hold_together() -> None:
    values = np.random.default_rng(2).normal(size=(60, 8))
    mean, covariance, drawn = means(values, 1500)
    found = combine(np.eye(8), mean, covariance, drawn)
    alone, together = bounds(found), bounds(found, at_once=True)
    assert (together[0] < alone[0]).all()
    assert (together[1] > alone[1]).all()
    missed = lost = 0
    for seed in range(150):
        values = np.random.default_rng([7, seed]).normal(size=(60, 8))
        found = combine(np.eye(8), *means(values, 300, seed))
        for at_once in (False, True):
            low, high = bounds(found, at_once=at_once)
            out = not ((low <= 0) & (high >= 0)).all()
            missed, lost = missed + (out and at_once), lost + (out and not at_once)
    assert missed <= 15
    assert lost > 30


def test_what_cannot_vary_has_an_interval_of_no_width() -> None:
    values = np.random.default_rng(3).normal(size=(20, 1)).repeat(2, axis=1)
    mean, covariance, drawn = means(values, 100)
    found = combine(np.array([[1.0, -1.0], [1.0, 0.0]]), mean, covariance, drawn)
    assert found.se[0] == 0
    low, high = bounds(found)
    assert (low[0], high[0]) == (0.0, 0.0)
    assert low[1] < mean[0] < high[1]


def test_draws_of_no_spread_are_left_out() -> None:
    drawn = Draws(np.array([[1.0, 2.0, np.nan]]), np.array([0.0, 0.0, np.nan]).reshape(3, 1, 1))
    found = combine(ONE, np.array([1.0]), ONE, drawn)
    assert found.t.shape == (1, 0)
    with pytest.raises(DataError, match="no standard error"):
        bounds(found)
    nothing = Draws(np.full((2, 5), np.nan), np.full((5, 2, 2), np.nan))
    assert compare_with_best(np.array([1.0, 0.0]), np.eye(2), nothing)[0] is None


def test_studentised_intervals_of_blocks_cover_the_true_score() -> None:
    # Sections of 30 blocks with deviations shared within a block.  Resampling pairs of rows instead of
    # blocks takes neighbours for independent, and misses the true score far more often than 1 in 20.
    def tissue(seed: int, blocks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        shared = np.repeat(rng.normal(size=(2, blocks, 3)), 20, axis=1)
        truth = shared[0] + rng.normal(size=(20 * blocks, 3))
        return 0.5 * truth + shared[1] + rng.normal(size=truth.shape), truth, np.repeat(np.arange(blocks), 20)

    def ends(pred: np.ndarray, truth: np.ndarray, block: np.ndarray) -> tuple[float, float]:
        one = moments_of(pred, truth, np.array(["S"] * len(block)), block, ("A", "B", "C"))
        plan = draw([one], draws=199, seed=0)
        seen = resample(plan.whole(), [[[one]]])
        found = combine(ONE, seen.scores[:, 0], seen.covariances[0], resample(plan, [[[one]]]))
        (low,), (high,) = bounds(found)
        return float(low), float(high)

    true = 1 / np.sqrt(5)  # covariance 0.5 x 2, variances 2 and 0.25 x 2 + 2
    covered = naive = 0
    for seed in range(60):
        pred, truth, block = tissue(seed, 30)
        low, high = ends(pred, truth, block)
        covered += low <= true <= high
        if seed < 30:
            low, high = ends(pred, truth, np.arange(len(block)) // 2 * 1000)  # no two of them touch
            naive += low <= true <= high
    assert 52 <= covered <= 60
    assert naive <= 24


def test_who_cannot_be_told_from_the_best() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=2000)
    scores = np.array([0.50, 0.49, 0.30])
    noise = 0.1 * shared + 0.02 * rng.normal(size=(3, 2000))  # paired: the shared part cancels
    found, reason = compare_with_best(scores, *alike(scores[:, None] + noise))
    assert reason is None
    assert found is not None
    assert found.tied.tolist() == [True, True, False]
    assert (found.low[:2] == 0).all()
    # Standard error of a difference 0.0283; the larger of two normals (correlated 0.5) is 2.21 at 97.5 %.
    # The second may be the best, and lies nearer.
    assert found.low[2] == pytest.approx(0.19 - 2.21 * 0.0283, abs=0.006)
    assert found.high[2] == pytest.approx(0.2 + 2.21 * 0.0283, abs=0.006)
    gap = scores.max() - scores
    assert (found.low <= gap).all()
    assert (gap <= found.high).all()


def test_one_clear_best_has_no_other_tied_and_bounds_on_both_sides() -> None:
    scores = np.array([0.5, 0.1])
    draws = scores[:, None] + 0.02 * np.random.default_rng(0).normal(size=(2, 4000))
    found, _ = compare_with_best(scores, *alike(draws))
    assert found is not None
    assert found.tied.tolist() == [True, False]
    assert found.high[0] == 0.0  # it is the best of all that may be
    assert found.low[1] == pytest.approx(0.4 - 1.96 * 0.0283, abs=0.004)
    assert found.high[1] == pytest.approx(0.4 + 1.96 * 0.0283, abs=0.004)


@pytest.mark.parametrize("equal", [True, False])
def test_the_best_is_kept_and_all_bounds_hold_at_once(equal: bool) -> None:
    # Twelve means of 40 values: testing against the best-looking one would lose the best too often.
    true = np.zeros(12) if equal else np.linspace(0, 0.8, 12)
    lost = broken = 0
    for seed in range(200):
        values = np.random.default_rng([3, seed]).normal(size=(40, 12)) + true
        mean, covariance, drawn = means(values, 300, seed)
        found, _ = compare_with_best(mean, covariance, drawn)
        assert found is not None
        lost += not found.tied[-1]
        gap = true.max() - true
        broken += not ((found.low <= gap) & (gap <= found.high)).all()
    assert lost / 200 <= 0.08
    assert broken / 200 <= 0.08


def test_studentised_against_the_definition() -> None:
    values = np.random.default_rng(5).normal(size=(25, 3)) + [0.0, 0.1, 0.9]
    mean, covariance, drawn = means(values, 400)
    found, _ = compare_with_best(mean, covariance, drawn, level=0.9)
    assert found is not None
    up = np.zeros((3, 3))
    for i in range(3):
        t = np.zeros((3, 400))
        for j in {0, 1, 2} - {i}:
            pair = values[:, j] - values[:, i]
            m, v, d = means(pair[:, None], 400)
            t[j] = (d.scores[0] - m[0]) / np.sqrt(d.covariances[:, 0, 0])
            up[i, j] = np.sqrt(v[0, 0])
        up[i] *= np.quantile(t.max(axis=0), 0.95, method="weibull")
    tied = [all(mean[j] - mean[i] <= up[i, j] for j in range(3)) for i in range(3)]
    assert found.tied.tolist() == tied
    for j in range(3):
        most = max((mean[i] - mean[j] + up[i, j] for i in range(3) if tied[i] and i != j), default=0.0)
        assert found.high[j] == pytest.approx(max(most, 0.0), abs=1e-12)


def test_equal_configurations_are_tied_and_a_single_one_is_best() -> None:
    draws = np.random.default_rng(0).normal(size=(1, 100))
    found, _ = compare_with_best(np.zeros(1), *alike(draws))
    assert found is not None
    assert found.tied.tolist() == [True]
    assert found.high.tolist() == [0.0]
    found, _ = compare_with_best(np.zeros(2), *alike(np.repeat(draws, 2, axis=0)))
    assert found is not None
    assert found.tied.tolist() == [True, True]
    assert found.high.tolist() == [0.0, 0.0]


def test_a_score_without_weight_has_no_part_in_a_combination() -> None:
    values = np.random.default_rng(0).normal(size=(20, 2))
    mean, covariance, drawn = means(values, 200)
    alone = combine(np.array([[1.0, -1.0]]), mean, covariance, drawn)
    nothing = np.full((3, 3), np.nan)
    nothing[:2, :2] = covariance
    tables = np.full((200, 3, 3), np.nan)
    tables[:, :2, :2] = drawn.covariances
    wide = Draws(np.vstack([drawn.scores, np.full(200, np.nan)]), tables)
    beside = combine(np.array([[1.0, -1.0, 0.0]]), np.array([*mean, np.nan]), nothing, wide)
    assert bounds(beside) == bounds(alone)
    assert np.isfinite(bounds(beside)).all()
    # One that has weight counts: there is no combination with it.
    assert np.isnan(combine(np.array([[1.0, -1.0, 1.0]]), np.array([*mean, np.nan]), nothing, wide).estimate)

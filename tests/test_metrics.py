"""Metrics against scipy and scikit-learn, and what must hold whatever the numbers are."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn import metrics as sk

from prestige import metrics
from prestige.errors import DataError

NAMES = tuple(metrics.HIGHER_IS_BETTER)
OTHERS = {
    "pearson": lambda p, t: scipy_stats.pearsonr(p, t)[0],
    "spearman": lambda p, t: scipy_stats.spearmanr(p, t)[0],
    "mse": lambda p, t: sk.mean_squared_error(t, p),
    "rmse": lambda p, t: sk.root_mean_squared_error(t, p),
    "mae": lambda p, t: sk.mean_absolute_error(t, p),
    "r2": lambda p, t: sk.r2_score(t, p),
    "explained_variance": lambda p, t: sk.explained_variance_score(t, p),
    "cosine": lambda p, t: float(p @ t / np.linalg.norm(p) / np.linalg.norm(t)),
}


def score(name: str, pred: np.ndarray, truth: np.ndarray, axis: int = 0) -> np.ndarray:
    return getattr(metrics, name)(pred, truth, axis=axis)


@st.composite
def pairs(draw: st.DrawFn, min_rows: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of one shape, of either precision, with many ties and some constant columns."""
    seed = draw(st.integers(0, 2**32 - 1))
    shape = draw(st.integers(min_rows, 12)), draw(st.integers(1, 6))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(seed)
    levels = draw(st.integers(1, 9))
    pred = rng.integers(-levels, levels + 1, shape) / 2 + draw(st.sampled_from([0.0, 3.0]))
    return pred.astype(kind), rng.integers(0, levels + 1, shape).astype(kind)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("decimals", [0, 8], ids=["ties", "distinct"])
def test_equals_scipy_and_sklearn(name: str, axis: int, kind: type, decimals: int) -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(2, 3, (60, 40)).round(decimals).astype(kind)
    pred = (0.6 * truth + rng.normal(1, 2, truth.shape)).round(decimals).astype(kind)
    found = score(name, pred, truth, axis)
    p, t = (pred.T, truth.T) if axis == 0 else (pred, truth)
    wanted = [OTHERS[name](a.astype(float), b.astype(float)) for a, b in zip(p, t, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


@given(pairs())
def test_all_metrics_are_the_single_ones(pair: tuple[np.ndarray, np.ndarray]) -> None:
    for axis in (0, 1):
        found = metrics.all_metrics(*pair, axis=axis)
        for name in NAMES:
            np.testing.assert_array_equal(found[name], score(name, *pair, axis=axis))


@given(pairs())
def test_bounds_and_where_nothing_is_defined(pair: tuple[np.ndarray, np.ndarray]) -> None:
    pred, truth = pair
    flat_p, flat_t = np.ptp(pred, axis=0) == 0, np.ptp(truth, axis=0) == 0
    for name in ("pearson", "spearman"):
        r = score(name, pred, truth)
        np.testing.assert_array_equal(np.isnan(r), flat_p | flat_t)
        assert (np.abs(r[~np.isnan(r)]) <= 1).all()
    for name in ("r2", "explained_variance"):
        value = score(name, pred, truth)
        np.testing.assert_array_equal(np.isnan(value), flat_t)
        assert (value[~flat_t] <= 1).all()
    np.testing.assert_array_equal(
        np.isnan(metrics.cosine(pred, truth)), (pred == 0).all(axis=0) | (truth == 0).all(axis=0)
    )
    assert (metrics.rmse(pred, truth) >= metrics.mae(pred, truth) - 1e-12).all()
    assert (np.nan_to_num(metrics.r2(pred, truth) - metrics.explained_variance(pred, truth)) <= 1e-9).all()


@given(pairs(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_columns_does_not_matter(
    pair: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    pred, truth = pair
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(pred.shape[0]), rng.permutation(pred.shape[1])
    for name in NAMES:
        before = score(name, pred, truth)
        after = score(name, pred[rows][:, columns], truth[rows][:, columns])
        np.testing.assert_allclose(after, before[columns], rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(score(name, pred.T.copy(), truth.T.copy(), axis=1).shape, before.shape)
        np.testing.assert_allclose(score(name, pred.T.copy(), truth.T.copy(), axis=1), before, atol=1e-12)


@given(pairs(), st.sampled_from([0.25, 2.0, 8.0]), st.sampled_from([-4.0, 16.0]))
def test_correlations_ignore_shift_and_scale(
    pair: tuple[np.ndarray, np.ndarray], scale: float, shift: float
) -> None:
    pred, truth = (array.astype(np.float64) for array in pair)
    for name in ("pearson", "spearman"):
        r = score(name, pred, truth)
        np.testing.assert_allclose(score(name, pred * scale + shift, truth), r, atol=1e-12)
        np.testing.assert_allclose(score(name, -pred, truth), -r, atol=1e-12)
        np.testing.assert_allclose(score(name, truth, pred), r, atol=1e-12)
    np.testing.assert_allclose(
        metrics.spearman(np.exp(pred), truth), metrics.spearman(pred, truth), atol=1e-12
    )


@given(pairs())
def test_a_perfect_prediction_is_perfect(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth = pair[1]
    for name, higher in metrics.HIGHER_IS_BETTER.items():
        value = score(name, truth, truth)
        np.testing.assert_allclose(value[~np.isnan(value)], 1.0 if higher else 0.0, atol=1e-12)


def test_large_means_do_not_hide_small_deviations() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(500, 3))
    truth, pred = noise + 1e8, noise + rng.normal(size=noise.shape) + 1e8
    wanted = metrics.pearson(pred - 1e8, truth - 1e8)
    np.testing.assert_allclose(metrics.pearson(pred, truth), wanted, atol=1e-6)
    np.testing.assert_allclose(
        metrics.explained_variance(pred, truth), 1 - (pred - truth).var(0) / truth.var(0), atol=1e-7
    )


def test_a_constant_that_no_binary_fraction_holds_is_constant() -> None:
    truth = np.random.default_rng(0).normal(size=(10_000, 2)).astype(np.float32)
    for kind in (np.float32, np.float64):
        assert np.isnan(metrics.pearson(np.full_like(truth, 0.1, dtype=kind), truth)).all()


def test_minus_zero_ties_with_zero() -> None:
    pred = np.array([[-0.0], [0.0], [1.0]], dtype=np.float32)
    truth = np.array([[0.0], [0.0], [1.0]], dtype=np.float32)
    assert metrics.spearman(pred, truth)[0] == 1.0


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_blocks_give_what_one_piece_gives(name: str, axis: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    pred, truth = rng.normal(size=(2, 97, 13)).astype(np.float32)
    whole = score(name, pred, truth, axis)
    monkeypatch.setattr(metrics, "_BLOCK", 70)
    np.testing.assert_allclose(score(name, pred, truth, axis), whole, rtol=1e-12, atol=1e-12)


def test_memory_stays_small_beside_the_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_BLOCK", 1 << 15)
    pred, truth = np.random.default_rng(0).standard_normal((2, 30_000, 120), dtype=np.float32)  # 14 MB each
    for axis in (0, 1):
        tracemalloc.start()
        try:
            metrics.all_metrics(pred, truth, axis=axis)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 9e6


def test_challenge_scores_by_hand() -> None:
    truth = np.array([[1, 2, 3], [1, 2, 3], [0, 0, 0], [3, 2, 1], [1, 2, 3]], dtype=float)
    pred = np.array([[1, 2, 3], [3, 2, 1], [1, 2, 3], [3, 2, 1], [1, 3, 2]], dtype=float)
    region = np.array(["validation", "validation", "test", "test", "test"])
    sample = np.array(["A", "A", "A", "A", "B"])
    # cells: 1, -1, NaN -> 0, 1, 0.5; A: validation 0, test 0.5 -> 0.25; B: 0.5
    assert metrics.challenge_spearman(pred, truth, region, sample=sample) == pytest.approx(0.375)
    # without samples the last cell is one of three in "test"
    assert metrics.challenge_spearman(pred, truth, region) == pytest.approx((0 + 0.5) / 2)
    # squared errors: 0, 8/3, 14/3, 0, 2/3
    wanted = ((0 + 8 / 3) / 2 + (14 / 3 + 0) / 2) / 2 / 2 + (2 / 3) / 2
    assert metrics.challenge_mse(pred, truth, region, sample=sample) == pytest.approx(wanted)


@pytest.mark.parametrize("name", NAMES)
def test_nan_and_wrong_shapes_are_refused(name: str) -> None:
    good = np.ones((4, 2))
    bad = good.copy()
    bad[2, 1] = np.nan
    with pytest.raises(DataError, match="truth holds NaN"):
        score(name, good, bad)
    with pytest.raises(DataError, match="prediction holds NaN"):
        score(name, np.full((4, 2), np.inf), good)
    with pytest.raises(DataError, match="nothing to score"):
        score(name, np.ones((0, 2)), np.ones((0, 2)))
    with pytest.raises(DataError, match="axis is 2"):
        score(name, good, good, axis=2)


def test_one_observation_is_no_warning() -> None:
    one = np.ones((1, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.all_metrics(one, one + 1)
    assert np.isnan(found["pearson"]).all()
    assert (found["mse"] == 1).all()

"""Metrics against scipy and scikit-learn, and what must hold whatever the numbers are."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

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
    return metrics.all_metrics(pred, truth, axis=axis)[name]


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


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("decimals", [0, 8], ids=["ties", "distinct"])
def test_equals_scipy_and_sklearn(axis: int, kind: type, decimals: int) -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(2, 3, (60, 40)).round(decimals).astype(kind)
    pred = (0.6 * truth + rng.normal(1, 2, truth.shape)).round(decimals).astype(kind)
    scores = metrics.all_metrics(pred, truth, axis=axis)
    p, t = (pred.T, truth.T) if axis == 0 else (pred, truth)
    for name, other in OTHERS.items():
        wanted = [other(a.astype(float), b.astype(float)) for a, b in zip(p, t, strict=True)]
        np.testing.assert_allclose(scores[name], wanted, rtol=1e-10, atol=1e-12, err_msg=name)


@given(pairs())
def test_pearson_alone_is_that_of_all_metrics(pair: tuple[np.ndarray, np.ndarray]) -> None:
    for axis in (0, 1):
        np.testing.assert_array_equal(metrics.pearson(*pair, axis=axis), score("pearson", *pair, axis=axis))


@given(pairs())
def test_bounds_and_where_nothing_is_defined(pair: tuple[np.ndarray, np.ndarray]) -> None:
    pred, truth = pair
    flat_p, flat_t = np.ptp(pred, axis=0) == 0, np.ptp(truth, axis=0) == 0
    scores = metrics.all_metrics(pred, truth)
    for name in ("pearson", "spearman"):
        r = scores[name]
        np.testing.assert_array_equal(np.isnan(r), flat_p | flat_t)
        assert (np.abs(r[~np.isnan(r)]) <= 1).all()
    for name in ("r2", "explained_variance"):
        value = scores[name]
        np.testing.assert_array_equal(np.isnan(value), flat_t)
        assert (value[~flat_t] <= 1).all()
    zero = (pred == 0).all(axis=0) | (truth == 0).all(axis=0)
    np.testing.assert_array_equal(np.isnan(scores["cosine"]), zero)
    assert (scores["rmse"] >= scores["mae"] - 1e-12).all()
    assert (np.nan_to_num(scores["r2"] - scores["explained_variance"]) <= 1e-9).all()


@given(pairs(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_columns_does_not_matter(
    pair: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    pred, truth = pair
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(pred.shape[0]), rng.permutation(pred.shape[1])
    before = metrics.all_metrics(pred, truth)
    after = metrics.all_metrics(pred[rows][:, columns], truth[rows][:, columns])
    turned = metrics.all_metrics(pred.T.copy(), truth.T.copy(), axis=1)
    for name in NAMES:
        np.testing.assert_allclose(after[name], before[name][columns], rtol=1e-12, atol=1e-12)
        assert turned[name].shape == before[name].shape
        np.testing.assert_allclose(turned[name], before[name], atol=1e-12)


@given(pairs(), st.sampled_from([0.25, 2.0, 8.0]), st.sampled_from([-4.0, 16.0]))
def test_correlations_ignore_shift_and_scale(
    pair: tuple[np.ndarray, np.ndarray], scale: float, shift: float
) -> None:
    pred, truth = (array.astype(np.float64) for array in pair)
    scores = metrics.all_metrics(pred, truth)
    shifted, turned = metrics.all_metrics(pred * scale + shift, truth), metrics.all_metrics(-pred, truth)
    swapped = metrics.all_metrics(truth, pred)
    for name in ("pearson", "spearman"):
        np.testing.assert_allclose(shifted[name], scores[name], atol=1e-12)
        np.testing.assert_allclose(turned[name], -scores[name], atol=1e-12)
        np.testing.assert_allclose(swapped[name], scores[name], atol=1e-12)
    np.testing.assert_allclose(score("spearman", np.exp(pred), truth), scores["spearman"], atol=1e-12)


@given(pairs())
def test_a_perfect_prediction_is_perfect(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth = pair[1]
    scores = metrics.all_metrics(truth, truth)
    for name, higher in metrics.HIGHER_IS_BETTER.items():
        value = scores[name]
        np.testing.assert_allclose(value[~np.isnan(value)], 1.0 if higher else 0.0, atol=1e-12)


def test_large_means_do_not_hide_small_deviations() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(500, 3))
    truth, pred = noise + 1e8, noise + rng.normal(size=noise.shape) + 1e8
    wanted = metrics.pearson(pred - 1e8, truth - 1e8)
    np.testing.assert_allclose(metrics.pearson(pred, truth), wanted, atol=1e-6)
    np.testing.assert_allclose(
        score("explained_variance", pred, truth), 1 - (pred - truth).var(0) / truth.var(0), atol=1e-7
    )


def test_a_constant_that_no_binary_fraction_holds_is_constant() -> None:
    truth = np.random.default_rng(0).normal(size=(10_000, 2)).astype(np.float32)
    for kind in (np.float32, np.float64):
        assert np.isnan(metrics.pearson(np.full_like(truth, 0.1, dtype=kind), truth)).all()


def test_minus_zero_ties_with_zero() -> None:
    pred = np.array([[-0.0], [0.0], [1.0]], dtype=np.float32)
    truth = np.array([[0.0], [0.0], [1.0]], dtype=np.float32)
    assert score("spearman", pred, truth)[0] == 1.0


@pytest.mark.parametrize("axis", [0, 1])
def test_blocks_give_what_one_piece_gives(axis: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    pred, truth = rng.normal(size=(2, 97, 13)).astype(np.float32)
    whole = metrics.all_metrics(pred, truth, axis=axis)
    monkeypatch.setattr(metrics, "_BLOCK", 70)
    pieces = metrics.all_metrics(pred, truth, axis=axis)
    for name in NAMES:
        np.testing.assert_allclose(pieces[name], whole[name], rtol=1e-12, atol=1e-12)


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


@pytest.mark.parametrize("function", [metrics.all_metrics, metrics.pearson])
def test_nan_and_wrong_shapes_are_refused(function: Callable[..., Any]) -> None:
    good = np.ones((4, 2))
    bad = good.copy()
    bad[2, 1] = np.nan
    with pytest.raises(DataError, match="truth holds NaN"):
        function(good, bad)
    with pytest.raises(DataError, match="prediction holds NaN"):
        function(np.full((4, 2), np.inf), good)
    with pytest.raises(DataError, match="nothing to score"):
        function(np.ones((0, 2)), np.ones((0, 2)))
    with pytest.raises(DataError, match="axis is 2"):
        function(good, good, axis=2)


def test_one_observation_is_no_warning() -> None:
    one = np.ones((1, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.all_metrics(one, one + 1)
    assert np.isnan(found["pearson"]).all()
    assert (found["mse"] == 1).all()

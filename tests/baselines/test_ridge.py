"""Ridge from sums against scikit-learn, and a strength chosen by whole groups."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SkRidge

from prestige.baselines.ridge import ALPHAS, N_GROUPS, fit_ridge, group_folds
from prestige.errors import DataError


def data(
    n: int = 400, f: int = 7, g: int = 3, noise: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, f)) * rng.uniform(0.1, 10, f) + 5
    y = 20 + (x - 5) @ rng.normal(size=(f, g)) + noise * rng.normal(size=(n, g))
    return x, y, np.arange(n) // 20


def test_equals_scikit_learn_at_the_same_strength() -> None:
    x, y, groups = data()
    x, y = np.clip(x, x.mean(0) - 4.9 * x.std(0), x.mean(0) + 4.9 * x.std(0)), np.maximum(y, 0)
    found = fit_ridge(x, y, groups, alphas=[0.3])
    z, scale = (x - x.mean(0)) / x.std(0), y.std(0)
    other = SkRidge(alpha=0.3 * len(x)).fit(z, y / scale)
    wanted = np.maximum(other.predict(z) * scale, 0)
    np.testing.assert_allclose(found.predict(x), wanted, rtol=1e-4, atol=1e-4)
    assert found.predict(x).dtype == np.float32


def test_errors_of_left_out_groups_are_those_of_refitting() -> None:
    x, y, groups = data(noise=4.0)
    found = fit_ridge(x, y, groups, alphas=[0.01, 1.0], seed=3)
    z, t = (x - x.mean(0)) / x.std(0), (y - y.mean(0)) / y.std(0)
    fold_of = group_folds(groups, 3)
    for alpha, error in found.errors.items():
        squares = 0.0
        for fold in range(N_GROUPS):
            rest = fold_of != fold
            model = SkRidge(alpha=alpha * rest.sum()).fit(z[rest], t[rest])
            squares += ((model.predict(z[~rest]) - t[~rest]) ** 2).sum()
        assert error == pytest.approx(squares / t.size, rel=1e-6)


def test_noise_asks_for_a_strong_penalty_and_signal_for_a_weak_one() -> None:
    x, y, groups = data(noise=0.01)
    assert fit_ridge(x, y, groups).alpha <= 1e-3
    rng = np.random.default_rng(1)
    assert fit_ridge(x, rng.normal(size=y.shape), groups).alpha == max(ALPHAS)


def test_groups_keep_together_what_belongs_together() -> None:
    # Features that name the group, and expression that varies between groups: worthless on new groups.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 25)
    x = np.eye(40)[groups] + 0.01 * rng.normal(size=(1000, 40))
    y = rng.normal(size=(40, 2))[groups] + 0.1 * rng.normal(size=(1000, 2))
    by_group = fit_ridge(x, y, groups)
    by_row = fit_ridge(x, y, np.arange(1000))
    assert by_row.alpha < by_group.alpha
    assert min(by_group.errors.values()) > 0.9
    assert min(by_row.errors.values()) < 0.1


def test_folds_are_of_about_equal_size_and_never_split_a_group() -> None:
    rng = np.random.default_rng(0)
    groups = rng.choice(23, p=rng.dirichlet(np.ones(23)), size=5000)
    fold = group_folds(groups, 0)
    assert set(fold) == set(range(N_GROUPS))
    assert all(len(set(fold[groups == group])) == 1 for group in np.unique(groups))
    np.testing.assert_array_equal(fold, group_folds(groups, 0))


def test_constant_features_and_genes_do_no_harm() -> None:
    x, y, groups = data()
    x[:, 2], y[:, 1] = 0.3, 4.0
    found = fit_ridge(x, y, groups)
    predicted = found.predict(x)
    assert np.isfinite(predicted).all()
    np.testing.assert_allclose(predicted[:, 1], 4.0, rtol=1e-6)


def test_a_strange_slide_is_no_extrapolation_without_end() -> None:
    x, y, groups = data()
    found = fit_ridge(x, y, groups)
    np.testing.assert_array_equal(found.predict(x[:5] + 1e3), found.predict(x[:5] + 1e6))


def test_one_group_means_a_middling_strength() -> None:
    x, y, _ = data()
    found = fit_ridge(x, y, np.zeros(len(x), dtype=int))
    assert (found.errors, found.alpha) == ({}, 1e-2)


def test_bad_input_is_refused() -> None:
    x, y, groups = data()
    with pytest.raises(DataError, match="do not fit"):
        fit_ridge(x[:1], y[:1], groups[:1])
    x[3, 3] = np.nan
    with pytest.raises(DataError, match="NaN"):
        fit_ridge(x, y, groups)

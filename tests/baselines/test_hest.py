"""HEST-Bench's recipe against its own steps in scikit-learn and in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge as SkRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prestige.baselines import hest
from prestige.baselines.fitted import TrainingSide, fit_baseline
from prestige.baselines.hest import COMPONENTS, fit_hest
from prestige.baselines.on_features import HestOnFeatures
from prestige.baselines.settings import BaselineConfig
from prestige.errors import DataError


def data(n: int, f: int, g: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, f)) @ rng.normal(size=(f, f)) * rng.uniform(0.1, 9, f) + 5
    y = 3 + 0.3 * rng.normal(size=(n, g)) + 0.3 * np.tanh(x @ rng.normal(size=(f, g)) / 50)
    return x.astype(np.float32), y.astype(np.float32)


@pytest.mark.parametrize(("n", "f"), [(600, 300), (200, 300), (400, 20)])
def test_equals_the_steps_of_the_benchmark(n: int, f: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hest, "_ROWS", 61)  # pieces do not matter
    x, y = data(n, f)
    new, _ = data(50, f, seed=1)
    c = min(COMPONENTS, n, f)
    steps = make_pipeline(StandardScaler(), PCA(n_components=c, svd_solver="full"))
    z = steps.fit_transform(x.astype(np.float64))
    theirs = SkRidge(alpha=100 / (c * y.shape[1]), fit_intercept=False, solver="cholesky").fit(z, y)
    found = fit_hest(x, y)
    assert found.components.shape == (f, c)
    assert found.alpha == 100 / (c * y.shape[1])
    assert found.n_parameters == (c + 1) * y.shape[1]
    # Their prediction lacks the training mean, which is added here.
    wanted = theirs.predict(steps.transform(new.astype(np.float64))) + y.mean(axis=0)
    assert (wanted > 0).mean() > 0.7
    wanted = np.maximum(wanted, 0)
    np.testing.assert_allclose(found.predict(new), wanted, rtol=1e-3, atol=1e-3)


def test_equals_the_closed_form_and_centring_the_target_changes_no_weight() -> None:
    x, y = data(300, 12)
    found = fit_hest(x, y)
    z = (x.astype(float) - x.mean(0, dtype=float)) / x.std(0, dtype=float)
    for target in (y, y - y.mean(axis=0)):
        # With all components kept the rotation drops out: (Z'Z + alpha)^-1 Z'y.
        weights = np.linalg.solve(z.T @ z + 100 / (12 * 5) * np.eye(12), z.T @ target)
        np.testing.assert_allclose(found.components @ found.weights, weights, rtol=1e-5, atol=1e-7)
    wanted = np.maximum(z @ weights + y.mean(axis=0), 0)
    np.testing.assert_allclose(found.predict(x), wanted, rtol=1e-4, atol=1e-4)


def test_nothing_is_predicted_below_zero() -> None:
    x, y = data(300, 12)
    found = fit_hest(x, y - 3)
    assert (found.predict(x) >= 0).all()
    assert (found.predict(x) == 0).any()


def test_constant_features_and_genes_do_no_harm() -> None:
    x, y = data(100, 8)
    x[:, 3], y[:, 1] = 0.25, 2.0
    found = fit_hest(x, y)
    predicted = found.predict(x)
    assert np.isfinite(predicted).all()
    np.testing.assert_allclose(predicted[:, 1], 2.0, rtol=1e-5)


def test_the_baseline_is_the_recipe_on_the_features_of_the_whole_patch(tissue) -> None:
    reader, places, y, blocks = tissue(n=300)
    config = BaselineConfig.model_validate({"hest": "compact_xs"})
    one = fit_baseline(config, TrainingSide(reader, places, y, blocks, seed=3))
    assert isinstance(one.fitted, HestOnFeatures)
    encoder = one.fitted.encoder
    assert encoder is not None
    patches = reader(places.slide_index, places.xy_px)
    features = encoder(patches)
    assert features.shape == (300, encoder.encoder.whole_dim)
    np.testing.assert_allclose(
        one.predict(reader, places), fit_hest(features, y).predict(features), atol=1e-4
    )
    described = one.describe()
    assert described["components"] == min(256, features.shape[1])
    assert described["alpha"] == pytest.approx(100 / (described["components"] * 3))


def test_bad_input_is_refused() -> None:
    x, y = data(10, 4)
    with pytest.raises(DataError, match="at least two"):
        fit_hest(x[:1], y[:1])
    x[2, 2] = np.inf
    with pytest.raises(DataError, match="NaN"):
        fit_hest(x, y)

"""Lines on the observation's own depth."""

from __future__ import annotations

import numpy as np
import pytest

from prestige.baselines.depth import DepthLines, fit_depth
from prestige.baselines.fitted import TrainingSide, fit_baseline
from prestige.baselines.settings import BaselineConfig
from prestige.errors import DataError


def test_each_line_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    totals = rng.lognormal(4, 1, 300)
    y = (0.1 * np.log1p(totals)[:, None] * [1, -1, 0] + 3 + rng.normal(size=(300, 3))).astype(np.float32)
    one = fit_depth(totals, y)
    for gene in range(3):
        slope, intercept = np.polyfit(np.log1p(totals), y[:, gene].astype(float), 1)
        assert one.slope[gene] == pytest.approx(slope, rel=1e-6, abs=1e-9)
        assert one.intercept[gene] == pytest.approx(intercept, rel=1e-6, abs=1e-9)
    new = np.array([0.0, 5.0, 1e6])
    wanted = np.maximum(np.log1p(new)[:, None] * one.slope + one.intercept, 0)
    np.testing.assert_allclose(one.of_totals(new), wanted, rtol=1e-6, atol=1e-6)
    assert one.n_parameters == 6


def test_nothing_is_predicted_below_zero() -> None:
    one = DepthLines(np.array([-1.0, 1.0]), np.array([2.0, 0.0]), 2)
    np.testing.assert_allclose(one.of_totals(np.array([np.e**3 - 1])), [[0.0, 3.0]], rtol=1e-6)


def test_equal_depth_everywhere_gives_the_mean() -> None:
    y = np.random.default_rng(0).uniform(0, 2, (20, 4)).astype(np.float32)
    one = fit_depth(np.full(20, 7.0), y)
    np.testing.assert_array_equal(one.slope, 0)
    np.testing.assert_allclose(
        one.of_totals(np.array([1.0, 99.0])), np.tile(y.mean(axis=0), (2, 1)), rtol=1e-5
    )


@pytest.mark.parametrize("totals", [np.array([1.0, -1.0]), np.array([1.0, np.nan])])
def test_totals_that_are_none_are_refused(totals: np.ndarray) -> None:
    with pytest.raises(DataError, match="total"):
        fit_depth(totals, np.ones((2, 2), dtype=np.float32))


def test_without_totals_nothing_is_fitted_and_nothing_predicted(tissue) -> None:
    reader, places, y, blocks = tissue(n=20)
    depth = BaselineConfig(name="depth")
    with pytest.raises(DataError, match="no total counts"):
        fit_baseline(depth, TrainingSide(reader, places, y, blocks))
    one = fit_baseline(depth, TrainingSide(reader, places, y, blocks, totals=np.arange(20.0)))
    with pytest.raises(DataError, match="no total counts"):
        one.predict(reader, places)

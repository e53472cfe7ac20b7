"""Natural cubic splines: linear beyond the ends, smooth between, and fitted within samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from prestige.biology.space.splines import NaturalSpline
from prestige.errors import DataError


def test_every_natural_cubic_spline_is_reached() -> None:
    x = np.random.default_rng(0).uniform(-100, 200, 500)
    spline = NaturalSpline.of(x, 5)
    own = CubicSpline(spline.knots, np.random.default_rng(1).normal(size=5), bc_type="natural")
    inside = (x >= spline.knots[0]) & (x <= spline.knots[-1])
    fitted = spline.curve(x[inside], own(x[inside])[:, None], np.full(inside.sum(), "s"), x[inside])
    assert fitted[:, 0] == pytest.approx(own(x[inside]), abs=1e-8)


def test_columns_are_uncorrelated_and_linear_beyond_the_ends() -> None:
    x = np.random.default_rng(0).normal(size=400)
    spline = NaturalSpline.of(x, 4)
    assert np.cov(spline(x).T) == pytest.approx(np.eye(3), abs=1e-6)
    beyond = spline(spline.knots[-1] + np.array([1.0, 2.0, 3.0]))
    assert np.diff(beyond, n=2, axis=0) == pytest.approx(0, abs=1e-7)


def test_levels_of_samples_are_no_slope() -> None:
    x = np.concatenate([np.linspace(0, 1, 50), np.linspace(1, 2, 50)])
    sample = np.repeat(["a", "b"], 50)
    values = np.where(sample == "a", 0.0, 5.0)[:, None]
    spline = NaturalSpline.of(x, 3)
    assert np.ptp(spline.curve(x, values, sample, np.linspace(0, 2, 9))) < 1e-9


def test_knots_at_one_place_are_refused() -> None:
    with pytest.raises(DataError, match="too few to place knots"):
        NaturalSpline.of(np.repeat([0.0, 1.0], 20), 5)

"""The correlation length of simulated fields whose length is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from prestige.errors import DataError
from prestige.stats.correlogram import blocks_to_merge, correlogram

N, SIDE, N_GENES = 1200, 1000.0, 24


def field(length: float, power: float = 1.0, seed: int = 0, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Return places and Gaussian fields of covariance exp(-(d / length)^power), by Cholesky's method."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, SIDE, (n, 2))
    covariance = np.exp(-((cdist(xy, xy) / length) ** power)) + 1e-8 * np.eye(n)
    return xy, np.linalg.cholesky(covariance) @ rng.normal(size=(n, N_GENES))


@pytest.mark.parametrize(("length", "power"), [(30, 1), (60, 1), (120, 1), (60, 2), (150, 2)])
@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_the_length_of_a_field_is_found_through_noise(length: float, power: float, noise: float) -> None:
    xy, values = field(length, power)
    values = values + noise * np.random.default_rng(1).normal(size=values.shape)
    found = correlogram(xy, values)
    assert found.length_um == pytest.approx(length, rel=0.3 if noise else 0.2)
    assert found.structured == pytest.approx(1 / (1 + noise**2), abs=0.12)
    assert found.distance_um[0] < found.length_um < found.longest_um


def test_counting_noise_does_not_shorten_it() -> None:
    xy, values = field(80)
    counts = np.random.default_rng(2).poisson(np.exp(0.7 * values - 1.0))
    clean, noisy = (
        correlogram(xy, np.exp(0.7 * values)).length_um,
        correlogram(xy, np.log1p(counts)).length_um,
    )
    assert noisy == pytest.approx(clean, rel=0.3)


def test_the_curve_is_that_of_all_pairs() -> None:
    xy, values = field(60, n=200)
    found = correlogram(xy, values, anchors=10_000)
    z = (values - values.mean(axis=0)) / values.std(axis=0)
    product, distance = z @ z.T / N_GENES, cdist(xy, xy)
    np.fill_diagonal(distance, np.nan)
    assert found.n_pairs.sum() == 200 * 199
    ends = np.nancumsum(found.n_pairs)
    order = np.argsort(distance[np.isfinite(distance)])
    pairs = product[np.isfinite(distance)][order]
    far = distance[np.isfinite(distance)][order]
    for k in range(len(ends)):
        part = slice(0 if k == 0 else ends[k - 1], ends[k])
        assert found.correlation[k] == pytest.approx(pairs[part].mean(), abs=2e-3)
        assert found.distance_um[k] == pytest.approx(far[part].mean(), rel=1e-3)


def test_another_share_is_read_from_the_same_curve() -> None:
    xy, values = field(60)
    one, other = correlogram(xy, values), correlogram(xy, values, share=0.05)
    np.testing.assert_array_equal(one.correlation, other.correlation)
    assert 2.2 < other.length_um / one.length_um < 4.5  # 3 for an exponential


@pytest.mark.parametrize("seed", range(6))
def test_no_correlation_is_zero(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = correlogram(rng.uniform(0, SIDE, (N, 2)), rng.gamma(0.3, size=(N, 10)))
    assert (found.length_um, found.structured) == (0.0, 0.0)
    assert len(found.distance_um) > 5


def test_what_goes_on_across_the_section_is_infinite() -> None:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, SIDE, (N, 2))
    trend = xy[:, :1] / SIDE + 0.2 * rng.normal(size=(N, 8))
    assert correlogram(xy, trend).length_um == math.inf
    assert blocks_to_merge(100.0, math.inf) is None


def test_samples_are_apart() -> None:
    # Two sections in the same coordinates, with values that have nothing to do with each other.
    (xy, values), (there, other) = field(60), field(60, seed=3)
    places, both_values = np.concatenate([xy, there]), np.concatenate([values, 5 * other + 100])
    both = correlogram(places, both_values, sample_of=np.array(["A"] * N + ["B"] * N))
    assert both.length_um == pytest.approx(60, rel=0.25)
    assert both.structured > 0.85
    assert both.n_pairs.sum() == 500 * (N - 1)


@given(st.floats(0.1, 100), st.floats(-1000, 1000), st.permutations(range(4)))
def test_scale_shift_and_order_of_genes_change_nothing(scale: float, shift: float, order: list[int]) -> None:
    xy, values = field(80, n=150)
    plain = correlogram(xy, values[:, :4])
    moved = correlogram(xy + 500.0, scale * values[:, list(order)] + shift)
    np.testing.assert_allclose(moved.correlation, plain.correlation, atol=2e-3)


def test_constant_genes_and_places_of_several_do_not_matter() -> None:
    xy, values = field(60)
    more = np.concatenate([values, np.full((N, 3), 0.7)], axis=1)
    assert correlogram(xy, more).length_um == correlogram(xy, values).length_um
    tied = np.concatenate([xy, xy[:50]])
    found = correlogram(tied, np.concatenate([values, values[:50]]))
    assert found.length_um == pytest.approx(60, rel=0.3)


@given(st.floats(1, 1000), st.floats(0, 1000))
def test_merged_blocks_are_just_wide_enough(block: float, length: float) -> None:
    times = blocks_to_merge(block, length)
    assert times is not None
    assert times * block >= 4 * length * (1 - 1e-6)
    assert times == 1 or (times - 1) * block < 4 * length


def test_bad_input_is_refused() -> None:
    xy, values = field(60, n=100)
    with pytest.raises(DataError, match="30 observations"):
        correlogram(xy[:20], values[:20])
    with pytest.raises(DataError, match="30 observations"):
        correlogram(xy, values, sample_of=np.arange(100))
    with pytest.raises(DataError, match="share"):
        correlogram(xy, values, share=1.0)
    with pytest.raises(DataError, match="nothing varies"):
        correlogram(xy, np.ones_like(values))
    with pytest.raises(DataError, match="one place"):
        correlogram(np.zeros_like(xy), values)
    for bad in (np.nan, np.inf):
        values[3, 1] = bad
        with pytest.raises(DataError, match="NaN or infinite"):
            correlogram(xy, values)
    with pytest.raises(DataError, match="blocks of 0"):
        blocks_to_merge(0.0, 10.0)

"""Noise on predictions is that of a measurement; halves are two measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from prestige.biology.noise import depth_alone, draw, halves, noisy
from prestige.biology.pair import Pair
from prestige.errors import DataError

N, G = 4000, 12
Make = Callable[..., Pair]


@pytest.fixture(scope="module")
def mean() -> np.ndarray:
    rng = np.random.default_rng(3)
    share = rng.dirichlet(np.full(G, 0.7), 6)[rng.integers(6, size=N)]
    return 60 * np.exp(rng.normal(0, 0.3, (N, 1))) * share


@pytest.fixture(scope="module")
def pair(mean: np.ndarray, make_pair: Make) -> Pair:
    return make_pair(mean, np.zeros((N, 2)), panel=9)


def test_noise_on_the_true_mean_makes_a_measurement(pair: Pair) -> None:
    found = noisy(pair, np.random.default_rng(1))
    wanted = pair.measured
    error = wanted.std(axis=0) * np.sqrt(2 / N)
    assert (np.abs(found.mean(axis=0) - wanted.mean(axis=0)) < 5 * error).all()
    # The spread of 4,000 values is known to 1 / sqrt(2 N) of itself, wider for skewed ones.
    np.testing.assert_allclose(found.std(axis=0), wanted.std(axis=0), rtol=0.06)
    assert (found.std(axis=0) > 1.1 * pair.predicted.std(axis=0)).all()
    between = np.corrcoef(found.T) - np.corrcoef(wanted.T)
    assert np.abs(between).max() < 0.12


def test_halves_of_predictions_have_the_noise_of_halves_of_measurements(pair: Pair) -> None:
    found = noisy(pair, np.random.default_rng(2), 0.5)
    first, second = halves(pair, np.random.default_rng(3))
    for half in (first, second):
        np.testing.assert_allclose(found.std(axis=0), half.std(axis=0), rtol=0.08)
        assert (np.abs(found.mean(axis=0) - half.mean(axis=0)) < 5 * half.std(axis=0) * np.sqrt(2 / N)).all()


@pytest.mark.parametrize("value", [0.05, 0.3, 0.9, 2.0, 3.5])
@pytest.mark.parametrize("depth", [20.0, 60.0, 600.0])
def test_noise_leaves_the_mean_of_logs_where_it_was(value: float, depth: float, make_pair: Make) -> None:
    rng = np.random.default_rng(4)
    n = 20_000
    mean = depth * np.exp(rng.normal(0, 0.4, (n, 1))) * np.array([[0.1, 0.9]])
    pair = make_pair(mean, np.zeros((n, 2)), panel=1)
    pair = replace(pair, mean_of="log1p", predicted=np.full((n, 1), value, np.float32))
    found = noisy(pair, rng)
    assert found.mean() == pytest.approx(value, abs=5 * found.std() / np.sqrt(n) + 0.002)
    # Without it a shallow measurement would be far below: the logarithm is taken of the noisy count.
    direct = noisy(replace(pair, mean_of="counts"), rng)
    if depth == 20.0 and value == 0.9:
        assert direct.mean() < 0.75 * value


def test_halves_are_whole_counts_that_add_up(pair: Pair) -> None:
    first, second = halves(pair, np.random.default_rng(5))
    counts = pair.counts.toarray()
    for half in (first, second):
        assert ((half > 0) <= (counts > 0)).all()
    rng = np.random.default_rng(6)
    whole = replace(pair, totals=np.asarray(pair.counts.sum(axis=1), dtype=np.float64).ravel() + 1e-9)
    a, b = halves(whole, rng)
    share = np.expm1(a) / 100, np.expm1(b) / 100
    for part in share:  # no gene outside the panel: shares of a half add up to 1, or to 0 where it has none
        sums = part.sum(axis=1)
        assert np.isclose(sums, np.round(sums), atol=1e-5).all()


def test_halves_of_one_mean_do_not_know_of_each_other(make_pair: Make) -> None:
    n = 20_000
    pair = make_pair(np.full((n, 8), 3.0), np.zeros((n, 2)), panel=4)
    first, second = halves(pair, np.random.default_rng(11))
    r = [np.corrcoef(first[:, gene], second[:, gene])[0, 1] for gene in range(4)]
    assert np.abs(r).max() < 5 / np.sqrt(n)


def test_same_seed_same_numbers(pair: Pair) -> None:
    once, again, other = draw(pair, 7), draw(pair, 7), draw(pair, 8)
    np.testing.assert_array_equal(once.predicted, again.predicted)
    np.testing.assert_array_equal(once.measured_halves[0], again.measured_halves[0])
    assert (once.predicted != other.predicted).any()
    first, second = once.predicted_halves
    assert (first != second).any()


def test_depth_alone_varies_with_depth_and_counting_only(pair: Pair) -> None:
    null = depth_alone(pair)
    assert (null.predicted == null.predicted[0]).all()
    found = noisy(null, np.random.default_rng(9))
    share = pair.counts.sum(axis=0).A1 / pair.totals.sum()  # type: ignore[attr-defined]
    expected = np.expm1(found).mean(axis=0) / 100
    np.testing.assert_allclose(expected, share, rtol=0.1)


def test_shares_above_1_and_values_below_0_are_brought_back(make_pair: Make) -> None:
    pair = make_pair(np.full((5, 3), 20.0), np.zeros((5, 2)))
    rng = np.random.default_rng(0)
    for mean_of in ("counts", "log1p"):
        high = replace(pair, predicted=np.full((5, 3), 9.0, np.float32), mean_of=mean_of)
        np.testing.assert_allclose(np.expm1(noisy(high, rng)).sum(axis=1), 100, rtol=1e-4)
        low = replace(pair, predicted=np.full((5, 3), -1.0, np.float32), mean_of=mean_of)
        assert not noisy(low, rng).any()


@pytest.mark.parametrize("share", [0.0, 1.5, -1.0, float("nan")])
def test_a_share_that_is_none_is_refused(share: float, pair: Pair) -> None:
    with pytest.raises(DataError, match="share"):
        noisy(pair, np.random.default_rng(0), share)


def test_the_sides_of_a_draw_are_those_that_are_compared(pair: Pair) -> None:
    drawn = draw(pair, 5)
    sides = drawn.sides(pair)
    assert list(sides) == ["measured", "predicted", "half", "other_half", "predicted_half", "depth"]
    assert sides["measured"] is pair.measured
    assert sides["half"] is drawn.measured_halves[0]
    assert sides["other_half"] is drawn.measured_halves[1]
    # What depth brings by itself is the same draw whoever asks for it.
    by_hand = noisy(depth_alone(pair), np.random.default_rng([5, 4]), 0.5)
    np.testing.assert_array_equal(sides["depth"], by_hand)

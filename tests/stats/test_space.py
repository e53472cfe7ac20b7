"""Neighbours, spacing and covariance within samples, against what is worked out place by place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.errors import DataError
from prestige.stats.space import (
    covariance_within,
    large_enough,
    nearest,
    nearest_others,
    neighbour_distances,
    rows_of_samples,
    spacing_um,
)


@given(seed=st.integers(0, 10_000), k=st.integers(1, 4))
def test_neighbours_are_the_nearest_of_the_own_sample(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    xy, sample = rng.uniform(0, 10, (40, 2)), rng.choice(["a", "b"], 40)
    sample[:12] = ["a", "b"] * 6
    near = nearest(xy, sample, k)
    for row in range(40):
        others = [j for j in range(40) if j != row and sample[j] == sample[row]]
        wanted = sorted(others, key=lambda j: float(np.hypot(*(xy[j] - xy[row]))))[:k]
        assert near[row].tolist() == wanted


@pytest.mark.parametrize("k", [1, 2, 4, 7])
def test_observations_at_one_place_are_not_their_own_neighbours(k: int) -> None:
    places = np.random.default_rng(0).uniform(0, 10, (4, 2))
    for times in (3, 9):  # fewer and more than the search looks at
        xy = np.repeat(places, times, axis=0)
        near = nearest(xy, np.full(len(xy), "s"), k)
        assert near.shape == (len(xy), k)
        for row in range(len(xy)):
            assert row not in near[row]
            assert len(set(near[row])) == k
            away = np.sort(np.delete(np.hypot(*(xy - xy[row]).T), row))[:k]
            assert np.hypot(*(xy[near[row]] - xy[row]).T) == pytest.approx(away, abs=1e-12)


def test_some_have_the_neighbours_that_they_have_among_all() -> None:
    xy = np.random.default_rng(0).uniform(0, 10, (50, 2))
    some = np.array([40, 3, 7])
    assert nearest_others(xy, 5, some).tolist() == nearest(xy, np.full(50, "s"), 5)[some].tolist()


def test_distances_are_those_to_the_neighbour_of_that_rank() -> None:
    line = np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [3.0, 0.0]])
    assert neighbour_distances(line, 1).tolist() == [1.0, 1.0, 0.0, 0.0]
    assert neighbour_distances(line, 2).tolist() == [3.0, 2.0, 2.0, 2.0]
    assert neighbour_distances(line, 2, np.array([0, 3])).tolist() == [3.0, 2.0]
    assert np.isinf(neighbour_distances(line, 4)).all()


@pytest.mark.parametrize("k", [6, 8])
def test_spacing_is_the_root_of_the_area_of_each(k: int) -> None:
    at = np.arange(30.0) * 16
    grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    # The sixth to eighth neighbours on a square grid are those on the diagonals.
    assert spacing_um(neighbour_distances(grid, k), k) == pytest.approx(16 * np.sqrt(2 * np.pi / k))
    places = np.random.default_rng(0).uniform(0, 480, (900, 2))
    assert spacing_um(neighbour_distances(places, k), k) == pytest.approx(16, rel=0.1)


def test_those_at_one_place_have_no_part_in_the_spacing() -> None:
    assert spacing_um(np.array([0.0, 2.0, 3.0, 4.0]), 1) == pytest.approx(3 * np.sqrt(np.pi))
    assert spacing_um(neighbour_distances(np.zeros((3, 2)), 1), 1) == 0


def test_covariance_is_that_about_the_means_of_the_samples() -> None:
    x = np.array([[0.0, 1.0], [2.0, 1.0], [10.0, 5.0], [12.0, 5.0], [14.0, 5.0]])
    y = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [3.0, 2.0], [0.0, 3.0]])
    sample = np.array(["a", "a", "b", "b", "b"])
    # Gene 0: -1 x 1/2 + 1 x -1/2 about 1 and 1/2, and -2 x -1 + 0 x 2 + 2 x -1 about 12 and 1, over 5 - 2.
    assert covariance_within(x, y, sample) == pytest.approx([-1 / 3, 0.0], abs=1e-12)
    assert covariance_within(x, x, sample) == pytest.approx([10 / 3, 0.0], abs=1e-12)
    many = np.random.default_rng(0).normal(size=(30, 150))
    whole = np.full(30, "s")
    assert covariance_within(many, many, whole) == pytest.approx(many.var(axis=0, ddof=1), rel=1e-12)
    assert np.isnan(covariance_within(x[:2], y[:2], np.array(["a", "b"]))).all()


def test_samples_are_yielded_by_name() -> None:
    found = dict(rows_of_samples(np.array(["b", "a", "b"])))
    assert list(found) == ["a", "b"]
    assert found["b"].tolist() == [0, 2]


def test_samples_that_are_too_small_are_named() -> None:
    kept, left = large_enough(np.array(["b", "a", "b", "c"]), 2, "maps")
    assert kept.tolist() == [True, False, True, False]
    assert left == ("a", "c")
    with pytest.raises(DataError, match="the largest of 3 samples has 2 observations"):
        large_enough(np.array(["b", "a", "b", "c"]), 3, "maps")


def test_bad_input() -> None:
    with pytest.raises(DataError, match="sample s: has 3 observations"):
        nearest(np.zeros((3, 2)), np.full(3, "s"), 3)
    with pytest.raises(DataError, match="0 nearest neighbours"):
        nearest(np.zeros((3, 2)), np.full(3, "s"), 0)
    for k in (0, 3):
        with pytest.raises(DataError, match=f"{k} nearest neighbours among 3 observations"):
            nearest_others(np.zeros((3, 2)), k)

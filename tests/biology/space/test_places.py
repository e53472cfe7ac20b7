"""Nearest neighbours within a sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.biology.space.places import (
    large_enough,
    left_out_sentence,
    nearest,
    rows_of_samples,
    spacing_um,
)
from prestige.errors import DataError


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


def test_observations_at_one_place_are_not_their_own_neighbours() -> None:
    near = nearest(np.zeros((6, 2)), np.full(6, "s"), 3)
    assert all(row not in near[row] for row in range(6))
    assert near.shape == (6, 3)


def test_spacing_is_the_root_of_the_area_of_each() -> None:
    at = np.arange(30.0) * 16
    grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    assert spacing_um(grid, np.full(900, "s")) == pytest.approx(16, rel=0.05)
    places = np.random.default_rng(0).uniform(0, 480, (900, 2))
    assert spacing_um(places, np.full(900, "s")) == pytest.approx(16, rel=0.1)
    # Two observations far apart are no tissue, and one has no neighbour at all.
    few = np.array(["two", "two", "one"] + ["s"] * 897)
    places[:3] = [[0, 0], [1e6, 0], [0, 1e6]]
    assert spacing_um(places, few) == pytest.approx(16, rel=0.1)


def test_samples_are_yielded_by_name() -> None:
    found = dict(rows_of_samples(np.array(["b", "a", "b"])))
    assert list(found) == ["a", "b"]
    assert found["b"].tolist() == [0, 2]


def test_samples_that_are_too_small_are_named() -> None:
    kept, left = large_enough(np.array(["b", "a", "b", "c"]), 2, "maps")
    assert kept.tolist() == [True, False, True, False]
    assert left == ("a", "c")
    assert left_out_sentence(left, 2, "maps") == [
        "Left out of maps, with fewer than 2 observations: samples a, c."
    ]
    assert left_out_sentence((), 2, "maps") == []
    with pytest.raises(DataError, match="the largest of 3 samples has 2 observations"):
        large_enough(np.array(["b", "a", "b", "c"]), 3, "maps")


def test_bad_input() -> None:
    with pytest.raises(DataError, match="sample s: has 3 observations"):
        nearest(np.zeros((3, 2)), np.full(3, "s"), 3)
    with pytest.raises(DataError, match="0 nearest neighbours"):
        nearest(np.zeros((3, 2)), np.full(3, "s"), 0)
    with pytest.raises(DataError, match="at one place"):
        spacing_um(np.zeros((3, 2)), np.full(3, "s"))

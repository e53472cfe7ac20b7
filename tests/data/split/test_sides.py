"""Chebyshev distances between the sides, worked out by brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.split.sides import TEST, TRAIN, UNUSED, VALIDATION, in_buffer, nearer_than


def chebyshev(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a[:, None] - b[None]).max(axis=2)


@given(seed=st.integers(0, 200), n=st.integers(0, 40), m=st.integers(0, 40), distance=st.floats(0, 60))
def test_near_is_brute_force(seed, n, m, distance) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 100, (n, 2)), rng.uniform(0, 100, (m, 2))
    expected = (chebyshev(a, b) < distance).any(axis=1) if m else np.zeros(n, bool)
    np.testing.assert_array_equal(nearer_than(a, b, distance), expected)


def test_exactly_the_distance_is_far_enough() -> None:
    a = np.array([[0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(nearer_than(a, np.array([[10.0, 3.0]]), 10.0), [False, True])


def test_validation_gives_way_to_test_and_training_to_both() -> None:
    x = np.arange(8.0) * 10
    side = np.array([TRAIN, TRAIN, VALIDATION, VALIDATION, TEST, UNUSED, TRAIN, TRAIN], np.int8)
    close = in_buffer(side, np.column_stack([x, np.zeros(8)]), 15.0)
    # the validation one at 30 is dropped for the test one at 40; the one at 20 stays and drops training at 10
    np.testing.assert_array_equal(close, [False, True, False, True, False, False, False, False])

"""What is done at once is what is done one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from prestige.data.patches.intrinsics import product


@njit
def multiplied(table, places, line, out, to):
    product(table, places, line, out, to)


@given(seed=st.integers(0, 1000), places=st.tuples(*[st.integers(0, 20)] * 3), to=st.integers(0, 6))
def test_a_product_of_four_is_that_of_each(seed, places, to) -> None:
    table = np.random.default_rng(seed).uniform(0, 1.6, 24).astype(np.float32)
    scale, offset = np.float32(256 / 255), np.float32(1 / 255)
    out = np.full(12, 9, np.float32)
    multiplied(table, places, (scale, offset), out, to)
    a, b, c = (table[place : place + 4] for place in places)
    expected = np.clip(a * b * c * scale - offset, np.float32(0), np.float32(1))
    np.testing.assert_array_equal(out[to : to + 4], expected)
    out[to : to + 4] = 9
    assert (out == 9).all()

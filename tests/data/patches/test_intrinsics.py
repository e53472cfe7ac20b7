"""Hints change nothing, wherever they point; what is done at once is what is done one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from prestige.data.patches.buffers import Buffers
from prestige.data.patches.intrinsics import WIDE, prefetch, product, settle, stream


@njit
def summed(values, ahead):
    total = 0
    for i in range(len(values)):
        prefetch(values, i + ahead)
        total += values[i]
    return total


@njit
def streamed(target, to, source, place):
    stream(target, to, source, place)
    settle()


@njit
def multiplied(table, places, line, out, to):
    product(table, places, line, out, to)


def test_a_hint_changes_nothing_and_may_point_outside() -> None:
    values = np.arange(1000, dtype=np.uint8)
    before = values.copy()
    for ahead in (0, 1, 64, -5000, 1 << 40):
        assert summed(values, ahead) == int(before.sum(dtype=np.int64))
    np.testing.assert_array_equal(values, before)


def test_the_processor_is_told() -> None:
    summed(np.zeros(4, np.uint8), 1)
    (code,) = summed.inspect_llvm().values()
    assert "llvm.prefetch" in code
    streamed(Buffers().take((WIDE,), np.uint8), 0, np.zeros(WIDE, np.uint8), 0)
    (code,) = streamed.inspect_llvm().values()
    assert "!nontemporal" in code
    assert "fence" in code


def test_bytes_are_streamed_to_their_place_and_nowhere_else() -> None:
    source = np.random.default_rng(0).integers(0, 256, 200, dtype=np.uint8)
    target = Buffers().take((4 * WIDE,), np.uint8)
    target[:] = 7
    streamed(target, 2 * WIDE, source, 13)
    np.testing.assert_array_equal(target[2 * WIDE : 3 * WIDE], source[13 : 13 + WIDE])
    target[2 * WIDE : 3 * WIDE] = 7
    assert (target == 7).all()


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

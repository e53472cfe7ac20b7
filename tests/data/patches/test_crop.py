"""The compiled crop writes only where it should."""

import numpy as np
import pytest

from prestige.data.patches.buffers import Buffers
from prestige.data.patches.crop import STREAMED_BYTES, crop


def test_writes_the_window_at_its_place_and_nothing_else() -> None:
    slide = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    batch = np.full((2, 4, 4, 3), 255, np.uint8)
    crop(slide, np.array([[1, 2, 1, 1, 2]]), 2, batch)
    assert (batch[0] == 255).all()
    np.testing.assert_array_equal(batch[1, 2:4, 1:3], slide[1:3, 2:4])
    batch[1, 2:4, 1:3] = 255
    assert (batch == 255).all()


def test_repeats_the_edge_outside() -> None:
    slide = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
    batch = np.zeros((1, 4, 4, 3), np.uint8)
    crop(slide, np.array([[0, -1, -1, 0, 0]]), 4, batch)
    np.testing.assert_array_equal(batch[0], np.pad(slide, ((1, 1), (1, 1), (0, 0)), mode="edge"))


@pytest.mark.parametrize(
    ("side", "size", "places", "off"),
    [
        (64, 64, (0, 0), 0),  # whole rows, streamed
        (64, 64, (0, 0), 1),  # their places are not even
        (64, 32, (32, 17), 0),  # a part of a patch, at an even place
        (64, 32, (5, 17), 0),
        (61, 61, (0, 0), 0),
    ],
)
def test_a_batch_that_no_cache_holds_is_the_same(
    side: int, size: int, places: tuple[int, int], off: int
) -> None:
    rng = np.random.default_rng(side + size)
    slide = rng.integers(0, 256, (300, 257, 3), dtype=np.uint8)
    n = STREAMED_BYTES // (side * side * 3) + 2
    starts = np.column_stack([rng.integers(0, 257 - size, n), rng.integers(0, 300 - size, n)])
    starts[3] = -2, 290  # over the edge
    windows = np.column_stack([np.arange(n), starts, np.tile(places, (n, 1))])
    memory = Buffers().take((n * side * side * 3 + off,), np.uint8)
    batch = memory[off:].reshape(n, side, side, 3)
    batch[:] = 3
    crop(slide, windows, size, batch)
    x, y = places
    edged = np.pad(slide, ((2, size), (2, size), (0, 0)), mode="edge")
    for j, (left, top) in enumerate(starts + 2):
        expected = np.full((side, side, 3), 3, np.uint8)
        expected[y : y + size, x : x + size] = edged[top : top + size, left : left + size]
        np.testing.assert_array_equal(batch[j], expected)

"""The compiled crop writes only where it should."""

import numpy as np
import pytest

from prestige.data.patches.crop import crop


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


@pytest.mark.parametrize(("side", "size", "place"), [(64, 64, (0, 0)), (64, 32, (5, 17)), (61, 61, (0, 0))])
def test_every_window_of_a_batch_is_its_tissue(side: int, size: int, place: tuple[int, int]) -> None:
    rng = np.random.default_rng(side + size)
    slide = rng.integers(0, 256, (300, 257, 3), dtype=np.uint8)
    n = 40
    starts = np.column_stack([rng.integers(0, 257 - size, n), rng.integers(0, 300 - size, n)])
    starts[3] = -2, 290  # over the edge
    windows = np.column_stack([np.arange(n), starts, np.tile(place, (n, 1))])
    batch = np.full((n, side, side, 3), 3, np.uint8)
    crop(slide, windows, size, batch)
    x, y = place
    edged = np.pad(slide, ((2, size), (2, size), (0, 0)), mode="edge")
    for j, (left, top) in enumerate(starts + 2):
        expected = np.full((side, side, 3), 3, np.uint8)
        expected[y : y + size, x : x + size] = edged[top : top + size, left : left + size]
        np.testing.assert_array_equal(batch[j], expected)

"""The compiled crop writes only where it should."""

import numpy as np

from prestige.data.crop import crop


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

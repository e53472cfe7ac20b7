"""Small pictures of slides."""

from __future__ import annotations

import numpy as np

from prestige.report.dataset.thumbnails import thumbnail


def test_a_thumbnail_is_the_mean_of_squares() -> None:
    pixels = np.zeros((5, 7, 3), dtype=np.uint8)
    pixels[:2, :2] = [[[10, 0, 255], [20, 0, 255]], [[30, 0, 255], [41, 0, 255]]]
    small = thumbnail(pixels, 2)
    assert small.shape == (2, 3, 3)
    np.testing.assert_array_equal(small[0, 0], [25, 0, 255])

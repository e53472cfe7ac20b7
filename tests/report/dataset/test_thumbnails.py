"""Small pictures of slides."""

from __future__ import annotations

import numpy as np
import pytest

from prestige.report.dataset.thumbnails import thumbnail


def test_a_thumbnail_is_the_mean_of_squares() -> None:
    pixels = np.zeros((5, 7, 3), dtype=np.uint8)
    pixels[:2, :2] = [[[10, 0, 255], [20, 0, 255]], [[30, 0, 255], [41, 0, 255]]]
    small = thumbnail(pixels, 2)
    assert small.shape == (2, 3, 3)
    np.testing.assert_array_equal(small[0, 0], [25, 0, 255])


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_its_means_are_those_of_numpy_rounded(step: int) -> None:
    pixels = np.random.default_rng(step).integers(0, 256, (23, 31, 3), dtype=np.uint8)
    height, width = 23 // step, 31 // step
    squares = pixels[: height * step, : width * step].reshape(height, step, width, step, 3)
    expected = np.floor(squares.astype(float).mean(axis=(1, 3)) + 0.5)
    np.testing.assert_array_equal(thumbnail(pixels, step), expected)

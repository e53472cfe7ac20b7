"""Optical density of a slide, downsampled: by values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from prestige.data.together.density import MOST_PX, density_map


def test_squares_hold_means_of_densities() -> None:
    pixels = np.full((7, 9, 3), 255, dtype=np.uint8)
    pixels[:2, :2] = (255, 15, 0)
    pixels[0, 0] = 255
    made = density_map(pixels, 2.0)
    assert made.step_px == 2
    assert made.values.shape == (3, 4, 3)  # a row and a column are left over
    green, blue = -np.log10(16 / 256), -np.log10(1 / 256)
    np.testing.assert_allclose(made.values[0, 0], [0, 0.75 * green, 0.75 * blue], atol=1e-6)
    assert not made.values[1:].any()


def test_places_are_looked_up_by_pixel_centres() -> None:
    pixels = np.full((6, 6, 3), 255, dtype=np.uint8)
    pixels[:, 4:] = 0  # the last two columns
    made = density_map(pixels, 2.0)
    found = made.at(np.array([[0.0, 0.0], [3.49, 5.0], [3.51, 5.0], [5.4, 2.0], [-9.0, 0.0], [99.0, 99.0]]))
    dark = -np.log10(1 / 256)
    np.testing.assert_allclose(found[:, 0], [0, 0, dark, dark, 0, dark], atol=1e-6)


def test_smoothing_takes_an_odd_number_of_squares() -> None:
    pixels = np.full((10, 10, 3), 255, dtype=np.uint8)
    pixels[4:6, 4:6] = 0
    made = density_map(pixels, 2.0)
    assert made.smoothed(2.9) is made
    np.testing.assert_allclose(made.smoothed(6.0).values[2, 2, 0], -np.log10(1 / 256) / 9, rtol=1e-5)
    np.testing.assert_allclose(made.smoothed(6.0).values[:, :, 0].sum(), -np.log10(1 / 256), rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (40, 9001), (4, 3), (3, 9001)])
def test_any_size_is_downsampled(shape: tuple[int, int]) -> None:
    made = density_map(np.full((*shape, 3), 100, dtype=np.uint8), 1.0)
    assert min(made.values.shape) >= 1
    assert max(made.values.shape) <= MOST_PX
    np.testing.assert_allclose(made.values, -np.log10(101 / 256), rtol=1e-5)

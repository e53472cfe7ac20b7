"""Area averaging."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.slides.on_demand.areas import area_mean

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def by_hand(pixels: np.ndarray, top: float, left: float, step: float, size: tuple[int, int]) -> np.ndarray:
    """Return the same by sums over every pixel and its overlap."""

    def overlap(begin: float, n: int, side: int) -> np.ndarray:
        first = begin + np.arange(n)[:, None] * step
        low, high = np.arange(side), np.arange(side) + 1
        return np.clip(np.minimum(first + step, high) - np.maximum(first, low), 0, None)

    rows, columns = overlap(top, size[0], pixels.shape[0]), overlap(left, size[1], pixels.shape[1])
    weight = rows.sum(axis=1)[:, None, None] * columns.sum(axis=1)[None, :, None]
    total = np.einsum("ry,yxk,cx->rck", rows, pixels.astype(float), columns)
    return np.where(weight > 1e-9, total / np.maximum(weight, 1e-9), 255)


@given(
    st.floats(-20, 30), st.floats(-20, 50), st.floats(1, 9), st.tuples(st.integers(1, 9), st.integers(1, 9))
)
def test_each_pixel_is_the_mean_of_what_lies_under_it(
    top: float, left: float, step: float, size: tuple[int, int]
) -> None:
    found = area_mean(PIXELS, top, left, step, size)
    expected = by_hand(PIXELS, top, left, step, size)
    share = by_hand(np.full_like(PIXELS, 1), top, left, step, size)
    sure = share == 1  # where next to nothing lies under a pixel, either is right
    assert np.abs(found - expected)[sure].max(initial=0) <= 0.6


@pytest.mark.parametrize("step", [2, 4, 5])
def test_whole_steps_are_means_of_squares(step: int) -> None:
    expected = PIXELS.reshape(40 // step, step, 60 // step, step, 3).mean(axis=(1, 3))
    assert np.abs(area_mean(PIXELS, 0.0, 0.0, float(step), (40 // step, 60 // step)) - expected).max() <= 0.51


def test_beyond_the_pixels_all_is_white() -> None:
    found = area_mean(PIXELS, 38.0, 0.0, 2.0, (3, 3))
    assert (found[1:] == 255).all()
    assert (found[0] != 255).any()

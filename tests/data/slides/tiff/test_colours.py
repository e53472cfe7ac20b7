"""Colours stored as YCbCr become red, green and blue."""

from __future__ import annotations

import numpy as np
import pytest

from prestige.data.slides.tiff.colours import is_rgb, rgb_of_ycbcr
from prestige.data.slides.tiff.directories import Directory

COLOURS = np.array([[255, 255, 255], [220, 130, 190], [120, 60, 150], [0, 0, 0], [255, 0, 0], [0, 128, 255]])


def encoded(luma: tuple[float, float, float], reference: tuple[float, ...]) -> np.ndarray:
    """Return the numbers for some colours, by the equations of TIFF 6.0 the other way."""
    red, green, blue = (COLOURS[:, k] / 1.0 for k in range(3))
    y = luma[0] * red + luma[1] * green + luma[2] * blue
    cb, cr = (blue - y) / (2 - 2 * luma[2]), (red - y) / (2 - 2 * luma[0])
    full = [y / 255, cb / 127, cr / 127]
    numbers = [f * (w - b) + b for f, b, w in zip(full, reference[::2], reference[1::2], strict=True)]
    return np.clip(np.rint(np.stack(numbers, axis=-1)), 0, 255).astype(np.uint8)[None]


@pytest.mark.parametrize("luma", [(0.299, 0.587, 0.114), (0.2125, 0.7154, 0.0721)])
@pytest.mark.parametrize("reference", [(0, 255, 128, 255, 128, 255), (15, 235, 128, 240, 128, 240)])
def test_the_pages_own_constants_are_used(luma: tuple[float, ...], reference: tuple[float, ...]) -> None:
    page = Directory((0,), {529: luma, 532: reference})
    found = rgb_of_ycbcr(encoded(luma, reference), page)  # type: ignore[arg-type]
    assert np.abs(found.astype(int) - COLOURS).max() <= 3


@pytest.mark.parametrize(
    "numbers", [{}, {529: (0.0, 0.0, 0.0)}, {529: (0.3,)}, {532: (0, 0, 0, 0, 0, 0)}, {532: (255, 0) * 3}]
)
def test_constants_that_cannot_be_true_are_not(numbers: dict[int, tuple[float, ...]]) -> None:
    wanted = encoded((0.299, 0.587, 0.114), (0, 255, 128, 255, 128, 255))
    found = rgb_of_ycbcr(wanted, Directory((0,), numbers))
    assert np.abs(found.astype(int) - COLOURS).max() <= 3


def test_what_cannot_be_ycbcr_is_rgb() -> None:
    tissue = np.repeat(COLOURS[:3].astype(np.uint8)[None], 8, axis=0)
    assert is_rgb([tissue])
    numbers = encoded((0.299, 0.587, 0.114), (0, 255, 128, 255, 128, 255))[:, :3]
    assert not is_rgb([np.repeat(numbers, 8, axis=0)])
    assert not is_rgb([])

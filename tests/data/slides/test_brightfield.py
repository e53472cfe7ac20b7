"""Stained tissue on bright glass, and what is none."""

from __future__ import annotations

import numpy as np
import pytest

from prestige.data.slides.brightfield import check_brightfield
from prestige.errors import DataError


def spots(background: int, spot: int) -> np.ndarray:
    """Return an image of discs on an even background."""
    y, x = np.mgrid[:400, :300]
    inside = ((y % 40 - 20) ** 2 + (x % 40 - 20) ** 2) < 60
    return np.repeat(np.where(inside, spot, background)[..., None], 3, axis=2).astype(np.uint8)


def test_tissue_on_glass_passes_also_with_a_black_border() -> None:
    image = spots(235, 120)
    check_brightfield(image, where="a")
    image[:, :200] = 0
    check_brightfield(image, where="a")
    check_brightfield(spots(110, 60), where="a")  # a section stained very darkly


def test_light_from_the_tissue_is_refused() -> None:
    for image in (spots(8, 220), spots(0, 200), spots(20, 90)):
        with pytest.raises(DataError, match=r"a: the image is dark: its pixels are .* in the mean"):
            check_brightfield(image, where="a")
    with pytest.raises(DataError, match="a: the image is black"):
        check_brightfield(spots(0, 2), where="a")


def test_a_colour_that_is_lost_is_refused() -> None:
    image = spots(235, 120)
    image[..., 2] = 0
    with pytest.raises(DataError, match=r"a: the image has no blue; .*; copy it again if it was cut off"):
        check_brightfield(image, where="a")
    with pytest.raises(DataError, match=r"a: the image has no red and no blue; .*; name the H&E image"):
        check_brightfield(image * np.array([0, 1, 0], np.uint8), where="a")  # a dye, shown in one colour
    image[::50, ::50, 2] = 1  # some, however little
    image[:8, :8, 2] = 1
    check_brightfield(image, where="a")


def test_small_images_are_looked_at_too() -> None:
    check_brightfield(np.full((1, 1, 3), 200, np.uint8), where="a")
    with pytest.raises(DataError):
        check_brightfield(np.full((5, 3, 3), 20, np.uint8), where="a")

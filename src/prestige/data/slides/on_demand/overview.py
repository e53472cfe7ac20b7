"""A slide small enough to look at as a whole, and which of its places show tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from prestige.compute.threads import as_done
from prestige.data.slides.glass import Glass, glass_of, on_glass
from prestige.data.slides.images import Image, blocks_of
from prestige.data.slides.on_demand.areas import area_mean

OVERVIEW_UM = 8.0
"""Width of a pixel of the overview in micrometres."""

_MOST_SIDE_PX = 8192
_SOURCE_PX = 2048  # of a level, read at once
_CLEAR = Glass(0.0, 0.0)  # where no glass is seen: what holds no pixels is white


@dataclass(frozen=True, eq=False)
class Overview:
    """A slide at low resolution.

    Parameters
    ----------
    pixels
        Shape (height, width, 3).
    factor
        How many pixels of the largest level one of its pixels is wide.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    factor: float

    def tissue(self, xy_px: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, " n"]:
        """Return whether places, in pixels of the largest level, show anything but bare glass."""
        glass = glass_of(self.pixels) or _CLEAR
        places = np.clip((xy_px + 0.5) / self.factor - 0.5, 0, np.array(self.pixels.shape[1::-1]) - 1.0)
        return ~on_glass(self.pixels, places, glass)


def overview_of(image: Image, um_per_px: float) -> Overview:
    """Return a slide with pixels of 8 um, or more where it is immense, from the smallest level of finer ones.

    A slide without smaller levels is decoded once, part by part.

    Parameters
    ----------
    um_per_px
        Width of a pixel of its largest level in micrometres.

    Raises
    ------
    DataError
        When the file is damaged.
    """
    factor = max(OVERVIEW_UM / um_per_px, max(image.height_px, image.width_px) / _MOST_SIDE_PX, 1.0)
    number = level_for(image, factor)
    level = image.levels[number]
    height, width = (max(1, round(side / factor)) for side in (image.height_px, image.width_px))
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    step = factor / level.downsample
    side = max(1, int(_SOURCE_PX / step))

    def fill(block: tuple[int, int, int, int]) -> None:
        x, y, columns, rows = block
        pixels[y : y + rows, x : x + columns] = part_at(
            image, number, x * step, y * step, step, (rows, columns)
        )

    for _ in as_done(fill, blocks_of(height, width, side, side)):
        pass
    return Overview(pixels, factor)


def level_for(image: Image, factor: float) -> int:
    """Return the number of the smallest level whose pixels are no wider than so many of the largest one."""
    fine = [number for number, level in enumerate(image.levels) if level.downsample <= factor * 1.01]
    return fine[-1] if fine else 0


def part_at(
    image: Image, level: int, left: float, top: float, step: float, size: tuple[int, int]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return rows and columns of pixels that are ``step`` pixels of a level wide, from a place in it on.

    Raises
    ------
    DataError
        When the file is damaged there.
    """
    x, y = int(np.floor(left + 1e-6)), int(np.floor(top + 1e-6))
    right, below = (int(np.ceil(begin + step * n - 1e-6)) for begin, n in ((left, size[1]), (top, size[0])))
    pixels = image.read(level, x, y, right - x, below - y)
    if step == 1 and (left, top) == (x, y):
        return pixels
    return area_mean(pixels, top - y, left - x, step, size)

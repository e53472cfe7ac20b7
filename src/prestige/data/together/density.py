"""Optical density around observations, from a slide that is read thinly and downsampled once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8
from scipy.ndimage import uniform_filter

MOST_PX = 3000
"""The longest side of a map: a larger slide is downsampled further."""

_SAMPLES = 3  # pixels that are read of each square of the map, along each side
_DECADIC = (-np.log10((np.arange(256) + 1) / 256)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class DensityMap:
    """Decadic optical density of red, green and blue, averaged over squares of the slide.

    Attributes
    ----------
    values
        (h, w, colours) densities; bare glass is near 0, and a nucleus is densest in red.
    step_px
        Side of a square in slide pixels.
    """

    values: Float32[np.ndarray, "h w c"]
    step_px: int

    def smoothed(self, width_px: float) -> DensityMap:
        """Return means over squares of about that many slide pixels, an odd number of squares of the map."""
        side = 2 * round((width_px / self.step_px - 1) / 2) + 1
        if side <= 1:
            return self
        return DensityMap(uniform_filter(self.values, (side, side, 1), mode="nearest"), self.step_px)

    def at(self, xy_px: Float[np.ndarray, "n 2"]) -> Float32[np.ndarray, "n c"]:
        """Return the densities at places in slide pixels; beyond the edge, those of the edge."""
        height, width = self.values.shape[:2]
        column, row = np.floor((xy_px + 0.5) / self.step_px).astype(np.int64).T
        return self.values[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]


def density_map(pixels: UInt8[np.ndarray, "height width 3"], square_px: float) -> DensityMap:
    """Return the density of a slide in squares of about ``square_px``; a rest at the far edges is left out.

    Of each square three times three pixels are read at least, of squares no larger than that all: their
    densities are averaged, not their colours.
    """
    height, width = pixels.shape[:2]
    step = max(1, round(square_px), -(-max(height, width) // MOST_PX))
    step = min(step, height, width)
    thin = max(1, step // _SAMPLES)
    side = step // thin
    step = side * thin
    rows, columns = height // step, width // step
    values = np.empty((rows, columns, 3), dtype=np.float32)
    for row in range(rows):
        band = pixels[row * step : (row + 1) * step : thin, : columns * step : thin]
        values[row] = _DECADIC[band].reshape(side, columns, side, 3).mean(axis=(0, 2))
    return DensityMap(values, step)

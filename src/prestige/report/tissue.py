"""Tissue drawn pixel by pixel, each in the colour of its nearest observation."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.transforms import ScaledTranslation

from prestige.report.style import INK, MICRO, MUTED
from prestige.text import format_number, round_length

CLIP_PERCENT = (1.0, 99.0)
PANEL_GROUND = "#e6e8eb"
RASTER_PX = 340


def draw_tissue(
    axes: Axes,
    index: Int[np.ndarray, "h w"],
    values: Shaped[np.ndarray, " n"],
    title: str,
    **colours: Any,
) -> AxesImage:
    """Draw each pixel in the colour of its observation, and what has none as the ground.

    Parameters
    ----------
    axes
        Where.
    index
        The nearest observation of each pixel, -1 for none, as :func:`raster` gives it.
    values
        Of the n observations.
    title
        Above the panel.
    colours
        ``cmap``, ``vmin`` and ``vmax`` of :meth:`matplotlib.axes.Axes.imshow`.
    """
    drawn = np.ma.masked_where(index < 0, values[np.maximum(index, 0)])
    image = axes.imshow(drawn, interpolation="none", **colours)
    axes.set_facecolor(PANEL_GROUND)
    axes.set_title(title, weight="normal", fontsize=8.5)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return image


def raster(
    xy_um: Float[np.ndarray, "n 2"], *, size_px: int = RASTER_PX
) -> tuple[Int[np.ndarray, "h w"], float]:
    """Return, for each pixel of a map, the nearest observation (-1 where none is near), and um per pixel.

    "Near" is 0.75 times the distance to the farther of an observation's two nearest
    neighbours, at the 90th percentile, so that a regular grid is filled and holes stay open.
    """
    from scipy.spatial import cKDTree

    low, high = xy_um.min(axis=0), xy_um.max(axis=0)
    tree: Any = cKDTree(xy_um)
    neighbours = min(3, len(xy_um))
    spacing = float(np.percentile(tree.query(xy_um, k=neighbours)[0][:, -1], 90)) or 1.0
    low, high = low - spacing / 2, high + spacing / 2
    um_per_map_px = float((high - low).max()) / size_px
    width, height = np.maximum(np.ceil((high - low) / um_per_map_px).astype(int), 1)
    x = low[0] + (np.arange(width) + 0.5) * um_per_map_px
    y = low[1] + (np.arange(height) + 0.5) * um_per_map_px
    centres = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    reach = max(0.75 * spacing, 0.75 * um_per_map_px)
    _, nearest = tree.query(centres, k=1, distance_upper_bound=reach)
    nearest[nearest == len(xy_um)] = -1
    return nearest.reshape(height, width), um_per_map_px


def draw_scale_bar(axes: Any, shape: tuple[int, ...], um_per_map_px: float) -> None:
    """Draw a bar of a round length, at most 30 % of the width, under the panel: it covers no tissue."""
    length_um = round_length(0.3 * (shape[1] * um_per_map_px))
    end = length_um / um_per_map_px / shape[1]
    below = axes.transAxes + ScaledTranslation(0.0, -6.0 / 72.0, axes.figure.dpi_scale_trans)
    line = {"color": INK, "linewidth": 2.0, "clip_on": False, "solid_capstyle": "butt"}
    axes.plot([0.0, end], [0.0, 0.0], transform=below, **line)
    text = f"{format_number(length_um)} {MICRO}"
    axes.text(end + 0.02, 0.0, text, transform=below, va="center", fontsize=7.5, color=MUTED)


def colour_range(
    measured: Float[np.ndarray, " n"], predicted: Float[np.ndarray, " n"]
) -> tuple[float, float]:
    """Return one range for both panels: their joint 1st to 99th percentile, never empty.

    Of a gene that is measured in fewer than one of a hundred places it reaches up to what was measured there:
    the percentiles would end at what is predicted for the others, next to nothing.
    """
    both = np.concatenate([measured, predicted])
    low, high = np.percentile(both, CLIP_PERCENT)
    top = float(np.percentile(measured, 99.0))
    top = top if top > measured.min() else float(measured.max())
    low, high = min(low, float(np.percentile(measured, 1.0))), max(high, top)
    if high <= low:
        low, high = float(both.min()), float(both.max())
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1e-6)

"""The picture of a sample: its whole slide, and a crop of each quarter, which shows a turn or a wrong scale.

About the middle a table that is turned or scaled still fits; away from it, it does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from prestige.data.sample import Sample
from prestige.data.together.alignment import spacing_px
from prestige.report.dataset.overlay import box_about, dots_legend, frame, picture
from prestige.report.style import MICRO

_CROP_SPACINGS = 12  # width of a crop in distances between neighbours


def draw_quarters(sample: Sample) -> Figure:
    """Draw the centres on the whole slide, and some tens of them in each quarter."""
    slide = sample.slide
    size, apart_px = np.array([slide.width_px, slide.height_px]), spacing_px(sample.xy_px)
    tall = slide.height_px > 1.3 * slide.width_px
    figure = Figure(figsize=(14, 8.6), layout="constrained")
    parts: Any = figure.subfigures(1, 2, width_ratios=(0.7, 1) if tall else (1, 0.85))
    whole = parts[0].subplots()
    picture(whole, sample, np.stack([np.zeros(2), size.astype(np.float64)]), apart_px)
    whole.set_title("the whole slide")
    crops, centres = parts[1].subplots(2, 2).flat, crop_centres(sample)
    for axes, centre in zip(crops[: len(centres)], centres, strict=True):
        box = box_about(centre, float(crop_width(apart_px)), size)
        picture(axes, sample, box, apart_px)
        frame(whole, box, linewidth=0.9)
        (x0, y0), (x1, y1) = box.astype(int)
        axes.set_title(f"x {x0:,} to {x1:,}, y {y0:,} to {y1:,} px", fontsize=8)
    for axes in crops[len(centres) :]:  # a quarter without observations
        axes.set_axis_off()
    figure.suptitle(
        f"{sample.id}, patient {sample.patient}: {sample.n_obs:,} observations, "
        f"{slide.um_per_px:.5g} {MICRO}/px{' (assumed)' if slide.um_per_px_assumed else ''}"
    )
    figure.legend(handles=dots_legend(sample), loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def crop_width(apart_px: float) -> int:
    """Return a width of crops, in pixels, that shows some tens of observations which lie so far apart."""
    return int(np.clip(_CROP_SPACINGS * apart_px, 32, 2048)) if apart_px > 0 else 256


def crop_centres(sample: Sample) -> list[Float[np.ndarray, "2"]]:
    """Return up to four places with measured observations (with any where none is), one a quarter."""
    measured = sample.xy_px[sample.measured if sample.measured.any() else slice(None)]
    right, below = (measured > np.median(measured, axis=0)).T
    centres = []
    for quarter in (~right & ~below, right & ~below, ~right & below, right & below):
        if quarter.any():
            there = measured[quarter]
            middle = np.median(there, axis=0)
            centres.append(there[np.argmin(((there - middle) ** 2).sum(axis=1))])
    return centres

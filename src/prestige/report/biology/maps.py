"""Maps of the page "Biology": measured beside predicted, of numbers and of labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from prestige.biology.pair import Pair
from prestige.biology.settings import THE_REGION
from prestige.biology.space.regions import Region
from prestige.report.style import BASELINE_GREYS, MICRO, OKABE_ITO, VALUES
from prestige.report.tissue import colour_range, draw_scale_bar, draw_tissue, raster
from prestige.stats.space import rows_of_samples

SECTIONS = 2
"""Sections of which maps are drawn, those with the most observations."""

SIGNED = "RdBu_r"
OTHERS, NO_LABEL = BASELINE_GREYS[1], BASELINE_GREYS[2]
_PER_ROW = 2
_WIDE = 0.5
_NAME = 46


@dataclass(frozen=True, eq=False)
class Section:
    """One section and its pixels.

    Attributes
    ----------
    name
        Of the sample.
    rows
        (m,) its observations in the pair.
    index, um_per_map_px
        The nearest observation of each pixel, counted within the section (-1: none), and a pixel's width.
    """

    name: str
    rows: Int[np.ndarray, " m"]
    index: Int[np.ndarray, "h w"]
    um_per_map_px: float

    @property
    def aspect(self) -> float:
        """Height over width, kept within what a panel can show."""
        return min(max(self.index.shape[0] / self.index.shape[1], 0.12), 1.6)

    @property
    def wide(self) -> bool:
        """Whether two panels stand one above the other rather than side by side."""
        return self.aspect < _WIDE


@dataclass(frozen=True, eq=False)
class Both:
    """One quantity of all n observations, measured and predicted."""

    title: str
    measured: Float[np.ndarray, " n"]
    predicted: Float[np.ndarray, " n"]
    unit: str


def sections_of(pair: Pair, limit: int = SECTIONS) -> list[Section]:
    """Return the sections with the most observations; none where there are no places."""
    if not pair.has_positions:
        return []
    names, count = np.unique(pair.sample_of.astype(np.str_), return_counts=True)
    sections = []
    for at in np.argsort(-count, kind="stable")[:limit]:
        rows = np.flatnonzero(pair.sample_of.astype(np.str_) == names[at])
        if len(rows) > 1:
            index, um_per_map_px = raster(pair.xy_um[rows])
            sections.append(Section(str(names[at]), rows, index.astype(np.int64), um_per_map_px))
    return sections


def shorter(name: str, length: int = _NAME) -> str:
    """Return a name that fits beside a figure; its middle is left out where it is too long."""
    if len(name) <= length:
        return name
    kept = length - 1
    return f"{name[: kept - kept // 3]}\N{HORIZONTAL ELLIPSIS}{name[-(kept // 3) :]}"


def percentiles(
    values: Float[np.ndarray, " n"], sample_of: Shaped[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Return the percentile of each value within its sample, ties at their mean."""
    from scipy.stats import rankdata

    out = np.empty(len(values))
    for _, rows in rows_of_samples(sample_of):
        out[rows] = 100.0 * (rankdata(values[rows]) - 0.5) / len(rows)
    return out


def draw_values(section: Section, items: Sequence[Both]) -> Figure:
    """Draw each quantity as two panels on one colour scale, two quantities in a row."""
    n_rows, per_row = -(-len(items) // _PER_ROW), min(_PER_ROW, len(items))
    height = 2 * (4.2 * section.aspect + 0.3) + 0.6 if section.wide else 2.2 * section.aspect + 0.72
    figure = Figure(figsize=(5.3 * per_row, height * n_rows), layout="constrained")
    panels_of_items = figure.subfigures(n_rows, per_row, squeeze=False).ravel()
    for panel, item in zip(panels_of_items, items, strict=False):
        _pair_of_values(panel, section, item)
    return figure


def _pair_of_values(panel: Any, section: Section, item: Both) -> None:
    both = {"measured": item.measured[section.rows], "predicted": item.predicted[section.rows]}
    low, high = colour_range(both["measured"], both["predicted"])
    panels = _panels(panel, section)
    panel.suptitle(item.title, x=0.02, ha="left", fontsize=9, weight="bold")
    image = None
    for axes, (name, values) in zip(panels, both.items(), strict=True):
        image = draw_tissue(axes, section.index, values, name, cmap=VALUES, vmin=low, vmax=high)
    draw_scale_bar(panels[-1 if section.wide else 0], section.index.shape, section.um_per_map_px)
    _colour_bar(panel, image, panels, item.unit)


def _panels(panel: Any, section: Section) -> Any:
    return panel.subplots(2, 1) if section.wide else panel.subplots(1, 2)


def _colour_bar(panel: Any, image: Any, panels: Any, unit: str) -> None:
    bar = panel.colorbar(image, ax=panels, shrink=0.85, pad=0.02, aspect=18)
    bar.set_label(unit, fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
    bar.locator = MaxNLocator(4)
    bar.update_ticks()
    bar.outline.set_visible(False)


def draw_labels(
    section: Section,
    measured: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, " n"],
    names: Sequence[str],
    none: str | None = None,
) -> Figure:
    """Draw labels measured and predicted in the same colours, with a legend.

    Parameters
    ----------
    measured, predicted
        Positions in ``names``.
    none
        The name of those that have no label, drawn in light grey.

    Notes
    -----
    There are eight colours that everyone can tell apart: of more labels, the rarest share a dark grey.
    """
    codes, entries = _coloured(measured, predicted, names, none)
    colours: Any = {
        "cmap": ListedColormap([colour for _, colour in entries]), "vmin": -0.5, "vmax": len(entries) - 0.5
    }  # fmt: skip
    columns = min(len(entries), 4)
    legend_rows = -(-len(entries) // columns)
    height = (2 * (8.8 * section.aspect + 0.3) if section.wide else 4.2 * section.aspect + 0.3) + 0.3
    height += 0.24 * legend_rows
    figure = Figure(figsize=(9.4, height), layout="constrained")
    panels = _panels(figure, section)
    both = {"measured": measured, "predicted": predicted}
    for axes, (title, values) in zip(panels, both.items(), strict=True):
        draw_tissue(axes, section.index, codes[values[section.rows]], title, **colours)
    draw_scale_bar(panels[-1 if section.wide else 0], section.index.shape, section.um_per_map_px)
    handles = [Patch(color=colour, label=name) for name, colour in entries]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _coloured(
    measured: np.ndarray, predicted: np.ndarray, names: Sequence[str], none: str | None
) -> tuple[Int[np.ndarray, " l"], list[tuple[str, str]]]:
    """Return the colour number of each label, and (name, colour) of each colour number."""
    count = np.bincount(np.concatenate([measured, predicted]), minlength=len(names))
    labels = [at for at, name in enumerate(names) if name != none and count[at] > 0]
    shown = labels
    if len(labels) > len(OKABE_ITO):
        largest = sorted(labels, key=lambda at: -count[at])[: len(OKABE_ITO)]
        shown = [at for at in labels if at in largest]
    entries = [(names[at], OKABE_ITO[place]) for place, at in enumerate(shown)]
    codes = np.zeros(len(names), dtype=np.int64)
    codes[shown] = np.arange(len(shown))
    rest = [at for at in labels if at not in shown]
    if rest:
        codes[rest] = len(entries)
        entries.append((f"{len(rest)} rarer ones", OTHERS))
    if none is not None and none in names:
        codes[list(names).index(none)] = len(entries)
        entries.append((none, NO_LABEL))
    return codes, entries


def draw_region(section: Section, region: Region, within_um: float, name: str = THE_REGION) -> Figure:
    """Draw where the region is, and the distance to its boundary as far as it is looked at."""
    height = 2 * (8.2 * section.aspect + 0.3) if section.wide else 4.0 * section.aspect + 0.3
    figure = Figure(figsize=(9.8, height + 0.5), layout="constrained")
    left, right = _panels(figure, section)
    inside, stray = region.inside[section.rows], region.stray[section.rows]
    code = np.where(inside, 2, np.where(stray, 1, 0))
    entries = [("outside", NO_LABEL), ("stray", OKABE_ITO[1]), ("inside", OKABE_ITO[0])]
    cmap = ListedColormap([colour for _, colour in entries])
    draw_tissue(left, section.index, code, name, cmap=cmap, vmin=-0.5, vmax=2.5)
    shown = [entry for number, entry in enumerate(entries) if (code == number).any()]
    handles = [Patch(color=colour, label=name) for name, colour in reversed(shown)]
    figure.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False)
    distance = region.distance_um[section.rows]
    reached = np.where(np.abs(distance) <= within_um, distance, math.nan)
    title = f"distance to its boundary, where within {within_um:g} {MICRO}"
    style: Any = {"cmap": SIGNED, "vmin": -within_um, "vmax": within_um}
    image = draw_tissue(right, section.index, np.ma.masked_invalid(reached), title, **style)
    draw_scale_bar(left, section.index.shape, section.um_per_map_px)
    _colour_bar(figure, image, [right], f"{MICRO}, negative inside")
    return figure

"""Figures of gene sets: the sets beside their random sets, and a heat map of the grid for each.

Blue and grey, and a different mark for each, are told apart by readers of every colour vision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from prestige.analysis.gene_sets.estimates import Estimate
from prestige.analysis.gene_sets.scores import SetScores, notable
from prestige.records.configuration import Configuration
from prestige.report.grid import draw_grid
from prestige.report.style import BASELINE_GREYS, INK, MUTED, OKABE_ITO

SET, RANDOM = OKABE_ITO[0], BASELINE_GREYS[2]
COLUMNS = 2  # of small heat maps
_LETTERS_A_COLUMN = 15  # of a title over cells


def forest(scores: SetScores, configuration: Configuration) -> Figure | None:
    """Draw the sets of one configuration against their random sets; None where there is nothing to compare.

    Left: the mean Pearson of the genes that have stand-ins, with its interval, on the range that holds 95 %
    of the random sets.  Right: the difference from the mean random set, with its interval.  Of many sets some
    are drawn (:func:`prestige.analysis.gene_sets.scores.notable`), and it is said how many are not.
    """
    matched = scores.of(configuration, "matched", "pearson", "mean")
    random = scores.of(configuration, "matched", "pearson", "random sets")
    excess = scores.of(configuration, "matched", "pearson", "excess")
    compared = [name for name in scores.sets if name in excess and math.isfinite(excess[name].value)]
    names = [name for name in notable(scores, configuration) if name in compared]
    if not names:
        return None
    figure = Figure(figsize=(9.4, 1.45 + 0.42 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.25, 1.0))
    for y, name in enumerate(names):
        drawn, around = random[name], [y - 0.3, y + 0.3]
        if math.isfinite(drawn.low):
            left.fill_betweenx(around, drawn.low, drawn.high, color=RANDOM, alpha=0.6, linewidth=0)
        left.plot([drawn.value, drawn.value], around, color=INK, linewidth=1.2)
        _point(left, matched[name], y)
        _point(right, excess[name], y)
    right.axvline(0, color=INK, linewidth=1.0)
    labels = [f"{name}, {len(scores.sets[name].random.genes)} genes" for name in names]
    left.set_yticks(np.arange(len(names)), labels)
    left.set(ylim=(len(names) - 0.4, -0.6), xlabel="mean per-gene Pearson")
    right.set(xlabel="excess over the random sets")
    right.margins(x=0.08)
    if len(compared) > len(names):
        note = f"{len(compared) - len(names):,} sets nearer to their random sets are not drawn"
        figure.supxlabel(note, fontsize="medium", color=MUTED)
    for axes in (left, right):
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0, labelcolor=INK)
    handles = [
        Line2D([], [], marker="o", color=SET, label="the set, 95 % interval"),
        Line2D([], [], color=INK, linewidth=1.2, label="mean of its random sets"),
        Patch(color=RANDOM, alpha=0.6, linewidth=0, label="95 % of its random sets"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False)
    return figure


def _point(axes: Axes, one: Estimate, y: int) -> None:
    if math.isfinite(one.low) and math.isfinite(one.high):
        axes.plot([one.low, one.high], [y, y], color=SET, linewidth=2.0, solid_capstyle="butt", zorder=3)
    axes.plot([one.value], [y], marker="o", markersize=6, color=SET, linestyle="", zorder=4)


def heatmaps(maps: Sequence[dict[str, Any]]) -> Figure | None:
    """Draw encoder by patch width for each set, each on a colour scale of its own; None without any.

    ``maps`` are those of ``set_facts``: ``name``, ``n``, ``rows``, ``columns``.
    """
    if not maps:
        return None
    n_columns = min(COLUMNS, len(maps))
    n_rows = -(-len(maps) // n_columns)
    widest = max(len(one["columns"]) or 1 for one in maps)
    tallest = max(len(one["rows"]) for one in maps)
    size = (n_columns * (1.7 + 0.85 * widest), n_rows * (0.75 + 0.3 * tallest))
    figure = Figure(figsize=(max(size[0], 5.0), size[1]), layout=ConstrainedLayoutEngine(h_pad=0.1))
    FigureCanvasAgg(figure)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for number, (axes, one) in enumerate(zip(panels, maps, strict=False)):
        draw_grid(axes, one["rows"], one["columns"], names=number % n_columns == 0, size=8)
        axes.set_title(fill(f"{one['name']}, {one['n']} genes", _LETTERS_A_COLUMN * widest))
    for axes in panels[len(maps) :]:
        axes.set_visible(False)
    return figure

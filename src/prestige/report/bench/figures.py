"""The figures of a report: heat map, score against cost, training curves.

Each function takes tables of :mod:`prestige.analysis.summary` and returns a matplotlib figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from prestige.report.grid import draw_grid
from prestige.report.style import MICRO, MUTED
from prestige.text import format_number, si

SCORE_LABEL = "mean per-gene Pearson"
_INCHES_A_LETTER = 0.085
_LONGEST_NAME = 60
COSTS = (
    ("parameters", "trainable parameters"),
    ("flops", "FLOPs per patch, one forward pass"),
    ("ms_per_observation", "training time per observation, ms"),
)


def heatmap(grid: Sequence[dict[str, Any]], columns: Sequence[str]) -> Figure:
    """Draw the grid of :func:`prestige.report.grid.grid`: rows of cells with value and mark."""
    title = f"{SCORE_LABEL}   \N{BLACK STAR} best   \N{ALMOST EQUAL TO} cannot be told from it"
    names = min(max((len(row["name"]) for row in grid), default=0), _LONGEST_NAME)
    # Names stand left of the cells, the title over them.
    width = max(2.2 + 1.15 * max(len(columns), 1), _INCHES_A_LETTER * (names + len(title)))
    figure = Figure(figsize=(width, 1.0 + 0.48 * len(grid)), layout="constrained")
    axes = figure.add_subplot()
    draw_grid(axes, grid, columns)
    axes.set_xlabel("patch width")
    axes.set_title(title, weight="normal")
    return figure


def cost(summary: pd.DataFrame, colours: dict[str, str]) -> Figure:
    """Draw score against parameters, FLOPs and training time; marker size is the patch width."""
    figure = Figure(figsize=(10.4, 4.1), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(COSTS), sharey=True)
    encoders = summary[~summary["baseline"] & ~summary["control"] & summary["score"].notna()]
    sizes = _marker_sizes(encoders["patch_um"])
    named: list[Annotation] = []
    for axes, (column, label) in zip(panels, COSTS, strict=True):
        drawn = _cost_panel(axes, encoders, column, colours, sizes)
        named += _baseline_lines(axes, summary, label=axes is panels[-1])
        axes.set(xlabel=label)
        if drawn:
            axes.set_xscale("log")
            axes.margins(x=0.12, y=0.1)
            _log_ticks(axes)
        else:
            axes.text(0.5, 0.5, "not recorded", transform=axes.transAxes, ha="center", color=MUTED)
    panels[0].set_ylabel(SCORE_LABEL)
    widths = [_key(f"{format_number(um)} {MICRO}", MUTED, math.sqrt(area)) for um, area in sizes.items()]
    names = [_key(str(name), colours[str(name)], 8.0) for name in encoders["name"].unique()]
    places: Any = (("encoder", names, "outside upper left"), ("patch width", widths, "outside upper right"))
    for title, handles, place in places:
        if handles:
            figure.legend(handles=handles, title=title, loc=place, ncols=min(len(handles), 6), frameon=False)
    _place_all(figure, [(panels[-1], named)], inside=False)
    return figure


def _key(label: str, colour: str, size: float) -> Line2D:
    return Line2D([], [], marker="o", linestyle="", color=colour, markersize=size, label=label)


def curves(histories: pd.DataFrame, colours: dict[str, str]) -> Figure:
    """Draw validation scores: a column a patch width, against seconds and observations seen.

    Encoders are named in the upper row, where all trainings end at about one time: below, names would lie on
    the lines of others.
    """
    widths = sorted(histories["patch_um"].unique())
    figure = Figure(figsize=(max(3.4 * len(widths), 5.0), 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, len(widths), sharey=True, squeeze=False)
    placed = []
    for i, (column, label) in enumerate((("seconds", "seconds of training"), ("seen", "observations seen"))):
        for j, width in enumerate(widths):
            axes = panels[i, j]
            here = histories[histories["patch_um"] == width]
            placed.append((axes, _curve_panel(axes, here, column, colours, name=i == 0)))
            axes.set_xlabel(label)
            axes.margins(x=0.02)
            axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: si(value)))
            if i == 0:
                axes.set_title(f"{format_number(width)} {MICRO} patch")
                axes.set_xlim(right=axes.get_xlim()[1] * 1.32)
        panels[i, 0].set_ylabel("validation score")
    _place_all(figure, placed)
    return figure


def _marker_sizes(widths: pd.Series) -> dict[float, float]:
    """Give each patch width an area in square points, growing with the width's logarithm."""
    unique = sorted(widths.unique())
    if len(unique) < 2:
        return dict.fromkeys(unique, 50.0)
    logs = np.log(unique)
    return {
        um: 18.0 + 110.0 * float(share)
        for um, share in zip(unique, (logs - logs[0]) / (logs[-1] - logs[0]), strict=True)
    }


def _cost_panel(
    axes: Axes, encoders: pd.DataFrame, column: str, colours: dict[str, str], sizes: dict[float, float]
) -> bool:
    """Draw each encoder's patch widths joined by a line; return whether there was anything to draw."""
    drawn = False
    for name, rows in encoders.groupby("name", sort=False):
        rows = rows[rows[column] > 0].sort_values("patch_um")
        if rows.empty:
            continue
        drawn = True
        colour = colours[str(name)]
        axes.plot(rows[column], rows["score"], color=colour, linewidth=1.0, alpha=0.55, zorder=2)
        areas = [sizes[um] for um in rows["patch_um"]]
        axes.scatter(rows[column], rows["score"], s=areas, color=colour, alpha=0.85, linewidth=0, zorder=3)
    return drawn


def _log_ticks(axes: Axes) -> None:
    """Label 1, 2 and 5 times powers of ten where the axis spans few of these, else the powers."""
    low, high = axes.get_xlim()
    if high < 4 * low:  # a few percent apart are not worlds apart
        middle = math.sqrt(low * high)
        low, high = axes.set_xlim(middle / 2, middle * 2)
    decades = math.log10(high / low)
    subs = (1.0, 2.0, 5.0) if decades < 2 else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: si(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)


def _baseline_lines(axes: Axes, summary: pd.DataFrame, *, label: bool) -> list[Annotation]:
    """Draw each baseline's best score as a dashed line; return the names at the right, where wanted."""
    names = []
    shown = summary["baseline"] & ~summary["control"] & summary["score"].notna()
    shown &= np.array([not key.diagnostic for key in summary["configuration"]], dtype=bool)
    for name, rows in summary[shown].groupby("name", sort=False):
        score = float(rows["score"].max())
        axes.axhline(score, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        if label:
            names.append(
                _beside(axes, name, (1.0, score), 4, color=MUTED, xycoords=("axes fraction", "data"))
            )
    return names


def _beside(axes: Axes, name: Any, xy: tuple[float, float], points: int, **kwargs: Any) -> Annotation:
    """Write a name some points to the right of a place."""
    return axes.annotate(
        str(name), xy, xytext=(points, 0), textcoords="offset points", fontsize=8, va="center", **kwargs
    )


def _curve_panel(
    axes: Axes, here: pd.DataFrame, column: str, colours: dict[str, str], *, name: bool
) -> list[Annotation]:
    """Draw the runs of a patch width; return the names at their ends, where wanted."""
    labels = []
    for encoder, of_encoder in here.groupby("name", sort=False):
        colour = colours[str(encoder)]
        ends = []
        for (_, phase), line in of_encoder.groupby(["run", "phase"], sort=False):
            look = {"linewidth": 0.8, "alpha": 0.3, "zorder": 2}
            if phase == "main":
                look = {"linewidth": 1.6, "alpha": 0.95, "zorder": 3}
                ends.append(line.iloc[-1])
            marker = "o" if len(line) == 1 else None
            axes.plot(
                line[column], line["validation_score"], color=colour, marker=marker, markersize=3, **look
            )
        if ends and name:
            end = max(ends, key=lambda row: row[column])
            labels.append(_beside(axes, encoder, (end[column], end["validation_score"]), 5, color=colour))
    return labels


def _place_all(figure: Figure, placed: list[tuple[Axes, list[Annotation]]], *, inside: bool = True) -> None:
    figure.draw_without_rendering()
    for axes, labels in placed:
        _place(axes, labels, inside=inside)


def _place(axes: Axes, labels: list[Annotation], *, inside: bool) -> None:
    """Move labels up or down until none covers another, and ``inside`` the panel where they leave it."""
    renderer = axes.figure.canvas.get_renderer()  # type: ignore[union-attr]
    scale = 72.0 / axes.figure.dpi  # type: ignore[union-attr]
    frame = axes.get_window_extent(renderer)
    taken: list[Any] = []
    for label in sorted(labels, key=lambda text: text.get_window_extent(renderer).y0):
        box = label.get_window_extent(renderer)
        shift_x = min(0.0, frame.x1 - box.x1) + max(0.0, frame.x0 - box.x0) if inside else 0.0
        box = box.translated(shift_x, 0.0)
        shift_y = 0.0
        for other in taken:
            if box.x0 < other.x1 and box.x1 > other.x0 and box.y0 < other.y1 + 1:
                rise = other.y1 + 1 - box.y0
                shift_y += rise
                box = box.translated(0.0, rise)
        taken.append(box)
        x, y = label.xyann
        label.xyann = (x + shift_x * scale, y + shift_y * scale)

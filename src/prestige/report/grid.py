"""The grid of a bench, encoder by patch width: its cells with their colours and marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from prestige.records.configuration import MEAN_BASELINE
from prestige.report.style import INK, MICRO, MUTED, cell_colours
from prestige.text import format_number

LEAST_SPAN = 0.03


def grid(table: pd.DataFrame, *, controls: bool = False) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the heat map's rows (name, baseline, cells) and its column labels.

    A cell holds ``value``, ``low``, ``high``, ``mark`` ("best", "tied" or ""), ``ground`` and ``ink``; None
    where the configuration was not finished.  A baseline that looks at no patch, or at one of its own that no
    encoder has, fills its row.
    """
    kept: Any = (
        table[(table["control"] == controls) & table["compared"]] if controls else table[~table["control"]]
    )
    keys = grid_columns(kept)
    low, high = _colour_range(kept)
    rows = []
    for name, of_name in kept.groupby("name", sort=False):
        by_key = {(row.patch_um, row.input_px, row.visible_um): row for row in of_name.itertuples()}
        blind = of_name["encoder"].iloc[0] == MEAN_BASELINE
        anywhere = next(
            (row for key, row in by_key.items() if blind or (row.baseline and key not in keys)), None
        )
        cells = [_cell(by_key.get(key, anywhere), low, high) for key in keys] or [_cell(anywhere, low, high)]
        first = of_name["configuration"].iloc[0]
        rows.append(
            {"name": str(name), "baseline": first.baseline, "diagnostic": first.diagnostic, "cells": cells}
        )
    return rows, _column_labels(keys)


def grid_columns(table: pd.DataFrame) -> list[tuple[float, int, float]]:
    """Return the patch width, input and visible width of each column of a grid, those of encoders if any."""
    placed = table[np.isfinite(table["patch_um"].to_numpy(dtype=float))]
    if not placed["baseline"].all():
        placed = placed[~placed["baseline"]]
    return sorted(set(zip(placed["patch_um"], placed["input_px"], placed["visible_um"], strict=True)))


def _colour_range(kept: Any) -> tuple[float, float]:
    """Return the range from the worst encoder's score to the best of all, baselines included.

    Baselines far below the encoders do not flatten it, and those above can be told apart.  It spans at least
    :data:`LEAST_SPAN`, so that equal scores look equal.
    """
    scores = kept.loc[~kept["baseline"], "score"].dropna()
    scores = scores if len(scores) else kept["score"].dropna()
    if not len(scores):
        return 0.0, 1.0
    high = float(kept["score"].max())
    return min(float(scores.min()), high - LEAST_SPAN), high


def _cell(row: Any, low: float, high: float) -> dict[str, Any] | None:
    if row is None or not math.isfinite(row.score):
        return None
    ground, ink = cell_colours(row.score, low, high)
    ends = (row.low, row.high) if row.high > row.low else (math.nan, math.nan)
    mark = "best" if row.best else "tied" if row.tied else ""
    return {"value": row.score, "low": ends[0], "high": ends[1], "mark": mark, "ground": ground, "ink": ink}


def _column_labels(keys: Sequence[tuple[float, int, float]]) -> list[str]:
    widths = [(um, visible) for um, _, visible in keys]
    labels = []
    for um, input_px, visible in keys:
        label = f"{format_number(um)} {MICRO}"
        if math.isfinite(visible):
            label = f"{format_number(visible)} of {label}"
        labels.append(label if widths.count((um, visible)) == 1 else f"{label} ({input_px} px)")
    return labels


def draw_grid(
    axes: Axes, rows: Sequence[dict[str, Any]], columns: Sequence[str], *, names: bool = True, **text: Any
) -> None:
    """Draw a grid of :func:`grid`: a cell is one unit wide and high, with value and mark.

    Parameters
    ----------
    axes
        Where.
    rows, columns
        Of the grid; without any column there is one without a label.
    names
        Whether the rows are labelled.
    text
        The font's.
    """
    columns = columns or [""]
    axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, **text)
    axes.set_yticks(np.arange(len(rows)) + 0.5, [row["name"] for row in rows] if names else [], **text)
    axes.tick_params(length=0, labelcolor=INK)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    for i, row in enumerate(rows):
        for j, cell in enumerate(row["cells"]):
            place = {"x": j + 0.5, "y": i + 0.5, "ha": "center", "va": "center"}
            if cell is None or not math.isfinite(cell["value"]):
                axes.text(s="\N{EN DASH}", color=MUTED, **place)
                continue
            axes.fill_between([j + 0.03, j + 0.97], i + 0.04, i + 0.96, color=cell["ground"], linewidth=0)
            mark = {"best": "\N{BLACK STAR} ", "tied": "\N{ALMOST EQUAL TO} "}.get(cell["mark"], "")
            weight = "bold" if cell["mark"] == "best" else "normal"
            axes.text(s=f"{mark}{cell['value']:.3f}", color=cell["ink"], weight=weight, **place, **text)

"""Figures of gene sets: what is drawn is what the table says, and no label is cut off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from prestige.analysis.gene_sets.estimates import FRACTION, Estimate, SetGenes
from prestige.analysis.gene_sets.scores import SetScores
from prestige.genesets import RandomSets
from prestige.records.configuration import Configuration
from prestige.report.gene_sets.figures import SET, forest, heatmaps
from prestige.report.style import cell_colours, drawing, save_figure

KEY = Configuration(pretrained=False, baseline=False, encoder="resnet18", patch_um=64.0, input_px=128)


def made(key: Configuration, excess: Mapping[str, tuple[float, float, float]]) -> SetScores:
    """Return scores of sets of seven genes, one of them rare and one without a match."""
    genes = tuple(f"G{i}" for i in range(7))
    random = RandomSets(np.arange(7, 12)[None].repeat(2, 0), np.arange(5), genes[:5], ("G5",))
    rows = []
    for name, (value, low, high) in excess.items():
        of_genes = [
            ("measurable", "pearson", "mean", 0.3, 0.25, 0.35),
            ("measurable", "pearson", "lower quartile", 0.21, 0.1, 0.3),
            ("measurable", "pearson", "median", 0.31, 0.2, 0.4),
            ("measurable", "pearson", "upper quartile", 0.41, 0.3, 0.5),
            ("measurable", FRACTION, "mean", 0.4, 0.35, 0.45),
        ]
        if math.isfinite(value):
            of_genes += [
                ("matched", "pearson", "mean", 0.2 + value, 0.2 + low, 0.2 + high),
                ("matched", "pearson", "random sets", 0.2, 0.12, 0.28),
                ("matched", "pearson", "excess", value, low, high),
                ("matched", "pearson", "p (descriptive)", 0.02, math.nan, math.nan),
            ]
        rows += [(key, name, which, 6, 1, *rest) for which, *rest in of_genes]
    table = pd.DataFrame(rows, columns=["configuration", *Estimate._fields])
    sets = {name: SetGenes(name, genes, ("G6",), random) for name in excess}
    return SetScores(table, sets, "mean expression and ceiling", 1000, True, None)


def inside(figure: Figure) -> bool:
    """Say whether everything that is drawn lies within the figure: no label is cut off."""
    figure.draw_without_rendering()
    box: Any = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    return bool(box.x0 >= -0.01 and box.y0 >= -0.01 and box.x1 <= width + 0.01 and box.y1 <= height + 0.01)


def test_the_forest_draws_the_sets_where_they_lie() -> None:
    excess = {"up": (0.1, 0.05, 0.15), "a set with a rather long name": (-0.05, -0.1, 0.02)}
    with drawing():
        figure = forest(made(KEY, excess), KEY)
        assert figure is not None
        assert inside(figure)
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == [
        "up, 5 genes", "a set with a rather long name, 5 genes"
    ]  # fmt: skip
    points = [line for line in right.lines if line.get_marker() == "o"]
    assert [float(line.get_xdata()[0]) for line in points] == [0.1, -0.05]
    spans = [line for line in right.lines if line.get_color() == SET and len(line.get_xdata()) == 2]
    assert [tuple(map(float, line.get_xdata())) for line in spans] == [(0.05, 0.15), (-0.1, 0.02)]
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first set on top
    assert len(left.collections) == 2  # the bands of the random sets


def test_of_many_sets_some_are_drawn_and_the_rest_is_counted() -> None:
    scores = made(KEY, {f"s{i:03d}": (0.001 * i, -0.2, 0.2) for i in range(200)})
    with drawing():
        figure = forest(scores, KEY)
        assert figure is not None
        assert inside(figure)
    names = [label.get_text().split(",")[0] for label in figure.axes[0].get_yticklabels()]
    assert names == [f"s{i}" for i in range(160, 200)]
    assert figure.get_supxlabel() == "160 sets nearer to their random sets are not drawn"


def test_the_check_sees_what_is_cut_off() -> None:
    with drawing():
        figure = forest(made(KEY, {"up": (0.1, 0.05, 0.15)}), KEY)
        assert figure is not None
        figure.text(0.98, 0.5, "a text that runs out of the figure")
        assert not inside(figure)


def test_without_intervals_the_points_stand_alone() -> None:
    scores = made(KEY, {"up": (0.1, math.nan, math.nan)})
    with drawing():
        figure = forest(scores, KEY)
    assert figure is not None
    assert [len(line.get_xdata()) for line in figure.axes[1].lines if line.get_color() == SET] == [1]


def test_where_nothing_is_compared_there_is_no_forest() -> None:
    assert forest(made(KEY, {"alone": (math.nan, math.nan, math.nan)}), KEY) is None
    other = Configuration(pretrained=False, baseline=False, encoder="x", patch_um=16.0, input_px=32)
    assert forest(made(KEY, {"up": (0.1, 0.05, 0.15)}), other) is None


def grid(names: list[str], columns: list[str]) -> list[dict[str, Any]]:
    def cell(value: float) -> dict[str, Any]:
        ground, ink = cell_colours(value, 0.0, 1.0)
        mark = "best" if value > 0.9 else ""
        return {"value": value, "low": math.nan, "high": math.nan, "mark": mark, "ground": ground, "ink": ink}

    values = np.linspace(0.1, 0.95, len(names) * len(columns)).reshape(len(names), -1)
    return [
        {"name": name, "cells": [cell(float(v)) if j else None for j, v in enumerate(row)]}
        for name, row in zip(names, values, strict=True)
    ]


@pytest.mark.parametrize("n_sets", [1, 3])
def test_each_set_has_its_heat_map(n_sets: int, tmp_path: Path) -> None:
    encoders, columns = ["compact_s", "an encoder of a long name", "ridge"], ["16 um", "32 um", "64 um"]
    rows = grid(encoders, columns)
    maps = [{"name": f"set {i}", "n": 10 + i, "rows": rows, "columns": columns} for i in range(n_sets)]
    with drawing():
        figure = heatmaps(maps)
        assert figure is not None
        assert inside(figure)
        svg = save_figure(figure, tmp_path / "maps")
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == [
        f"set {i}, {10 + i} genes" for i in range(n_sets)
    ]
    texts = [text.get_text() for text in shown[0].texts]
    assert len(texts) == 9
    assert "\N{BLACK STAR} 0.950" in texts
    assert texts.count("\N{EN DASH}") == 3  # not finished
    assert "an encoder of a long name" in svg
    assert (tmp_path / "maps.png").stat().st_size > 1000


@pytest.mark.parametrize("columns", [["16 um"], ["16 um", "32 um"]])
def test_a_long_title_is_not_cut_off(columns: list[str]) -> None:
    rows = grid(["compact_s"], columns)
    name = "most spatially variable"
    with drawing():
        figure = heatmaps([{"name": name, "n": 50, "rows": rows, "columns": columns}] * 2)
        assert figure is not None
        assert inside(figure)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [" ".join(title.split()) for title in titles] == [f"{name}, 50 genes"] * 2


def test_no_sets_no_heat_maps() -> None:
    assert heatmaps([]) is None

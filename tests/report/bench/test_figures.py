"""Figures show what they are given: every value, every encoder, every width."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report.bench.figures import cost, curves, heatmap
from prestige.report.style import colours_of, drawing


def cell(value: float, mark: str = "") -> dict[str, Any]:
    return {
        "value": value,
        "low": math.nan,
        "high": math.nan,
        "mark": mark,
        "ground": "#000000",
        "ink": "#ffffff",
    }


def words(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_the_heat_map_writes_every_value_and_marks_the_best() -> None:
    rows = [
        {"name": "a", "baseline": False, "cells": [cell(0.1234, "best"), cell(0.1, "tied")]},
        {"name": "ridge", "baseline": True, "cells": [cell(0.05), None]},
    ]
    with drawing():
        axes = heatmap(rows, ["16 µm", "32 µm"]).axes[0]
    assert words(axes) == ["★ 0.123", "≈ 0.100", "0.050", "–"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["16 µm", "32 µm"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "ridge"]


def test_long_names_beside_one_patch_leave_room_for_cells_and_title() -> None:
    rows = [{"name": "frozen compact_xs, random weights", "baseline": True, "cells": [cell(0.1)]}]
    with drawing():
        figure = heatmap(rows, ["16 µm"])
        figure.draw_without_rendering()  # which warns where nothing is left for the cells
    axes = figure.axes[0]
    (title,) = (
        text for text in axes.get_children() if getattr(text, "get_text", str)().startswith("mean per")
    )
    extent, canvas = title.get_window_extent(), figure.bbox
    assert canvas.x0 <= extent.x0 < extent.x1 <= canvas.x1


def test_score_against_cost_draws_every_encoder_and_names_it_once(tiny_bench: Path) -> None:
    table = summarise(load_bench(tiny_bench)).table
    with drawing():
        figure = cost(table, colours_of(["compact_s", "resnet18"], baselines=["ridge", "training mean"]))
    assert len(figure.axes) == 3
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
    named = [[text.get_text() for text in legend.get_texts()] for legend in figure.legends]
    assert named[0] == ["compact_s", "resnet18"]
    parameters = figure.axes[0]
    drawn = np.concatenate([np.asarray(dots.get_offsets()) for dots in parameters.collections])
    expected = table.loc[~table["baseline"], ["parameters", "score"]].to_numpy(dtype=float)
    for point in expected:
        assert np.isclose(drawn, point).all(axis=1).any()


def test_curves_have_a_column_for_each_width() -> None:
    rows = [
        {
            "name": name,
            "patch_um": um,
            "run": f"{name}{um}",
            "phase": "main",
            "step": step,
            "seconds": step / 2,
        }
        | {"seen": 64.0 * step, "validation_score": step / 100, "learning_rate": 1e-3, "train_loss": 1.0}
        for name in ("a", "b")
        for um in (16.0, 32.0)
        for step in (10, 20, 30)
    ]
    with drawing():
        figure = curves(pd.DataFrame(rows), colours_of(["a", "b"]))
    assert len(figure.axes) == 4
    assert [sorted(words(axes)) for axes in figure.axes] == [["a", "b"], ["a", "b"], [], []]
    for axes in figure.axes:
        lines = [line for line in axes.lines if len(np.asarray(line.get_xdata())) == 3]
        assert len(lines) == 2
        for line in lines:
            np.testing.assert_allclose(np.asarray(line.get_ydata()), [0.1, 0.2, 0.3])


def test_baselines_are_named_beside_the_panels_and_none_covers_another(tiny_bench: Path) -> None:
    table = summarise(load_bench(tiny_bench)).table
    close = table["name"] == "ridge"
    twin = table[close].assign(name="another", score=table.loc[close, "score"] + 1e-4)
    with drawing():
        figure = cost(pd.concat([table, twin]), colours_of(["compact_s", "resnet18"], baselines=["ridge"]))
        figure.draw_without_rendering()
    last = figure.axes[-1]
    assert sorted(words(last)) == ["another", "ridge", "training mean"]
    assert [words(axes) for axes in figure.axes[:-1]] == [[], []]
    boxes = [text.get_window_extent() for text in last.texts]
    for number, box in enumerate(boxes):
        assert box.x0 >= last.get_window_extent().x1
        assert box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[:number])

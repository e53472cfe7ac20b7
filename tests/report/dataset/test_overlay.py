"""Figures of one sample: their squares have the widths that they name."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from prestige.data.together.alignment import alignment_of
from prestige.report.dataset.overlay import draw_alignment, draw_overlay


def test_squares_are_as_wide_as_their_patches(small_samples: Any) -> None:
    figure = draw_overlay(small_samples[0])  # 192 px of 0.5 um
    whole, region, cells = figure.axes
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:2] == ["measured (144)", "not measured (16)"]
    assert labels[2:] == ["patch of 16 \u00b5m", "patch of 32 \u00b5m", "patch of 64 \u00b5m"]
    shown = [
        {0.5 * patch.get_width() for patch in axes.patches if isinstance(patch, Rectangle)}
        for axes in (whole, region, cells)
    ]
    assert shown == [{96.0, 60.0}, {60.0, 64.0}, {16.0, 32.0}]  # of the next picture, and of patches
    assert whole.get_xlim() == (-0.5, 191.5)
    assert whole.get_ylim() == (191.5, -0.5)


def test_the_check_is_drawn_with_its_own_position(small_samples: Any) -> None:
    found = alignment_of(small_samples[0])
    figure = draw_alignment(found)
    assert figure is not None
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[0] == "as it stands"
    own = [line.get_xdata() for line in figure.axes[0].lines if len(set(np.ravel(line.get_xdata()))) == 1]
    assert any(np.isclose(np.ravel(one)[0], found.own.fit) for one in own)


def test_labels_of_its_axes_stand_apart(small_samples: Any) -> None:
    figure = draw_alignment(alignment_of(small_samples[0]))
    assert figure is not None
    FigureCanvasAgg(figure)
    axes = figure.axes[0]
    for low, high in ((-0.06, 0.14), (0.0, 1.3), (-0.003, 0.012)):
        axes.set_xlim(low, high)
        figure.canvas.draw()
        shown = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
        boxes = [label.get_window_extent() for label in shown]
        gaps = [right.x0 - left.x1 for left, right in itertools.pairwise(boxes)]
        assert len(gaps) >= 2
        assert min(gaps) > 4  # px

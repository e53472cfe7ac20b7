"""The picture of a sample: a crop of each quarter, and where it lies on the slide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.patches import Rectangle

from prestige.data.dataset import open_sample
from prestige.data.together.alignment import spacing_px
from prestige.report.dataset.quarters import crop_centres, crop_width, draw_quarters
from prestige.report.style import drawing

from .test_inspection import prepared


def test_crops_show_some_tens_of_observations(tmp_path: Path) -> None:
    sample = open_sample(prepared(tmp_path, "a"))
    assert crop_width(spacing_px(sample.xy_px)) == 96  # 12 distances of 8 px
    centres = crop_centres(sample)
    assert len(centres) == 4
    assert {(bool(x > 40), bool(y > 30)) for x, y in centres} == {
        (a, b) for a in (False, True) for b in (False, True)
    }


def test_each_crop_is_framed_on_the_whole_slide(small_samples: Any) -> None:
    with drawing():
        whole, *crops = draw_quarters(small_samples[0]).axes
    frames = {(one.get_x() - 0.5, one.get_y() - 0.5) for one in whole.patches if isinstance(one, Rectangle)}
    assert frames == {(axes.get_xlim()[0], axes.get_ylim()[1]) for axes in crops}
    assert len(frames) == 4
    inside = [sum(len(one.get_offsets()) for one in axes.collections) for axes in (whole, *crops)]
    assert inside[0] == 160
    assert all(9 <= number <= 144 for number in inside[1:])


def test_a_quarter_without_observations_has_no_picture(small_samples: Any) -> None:
    sample = small_samples[0]
    one = replace(sample, obs=sample.obs.iloc[:1], xy_px=sample.xy_px[:1], counts=sample.counts[:1])
    with drawing():
        axes = draw_quarters(one).axes
    assert [len(panel.images) for panel in axes] == [1, 1, 0, 0, 0]
    assert [panel.axison for panel in axes[1:]] == [True, False, False, False]

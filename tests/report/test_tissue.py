"""Tissue in pixels: which observation, which colours, how long a bar."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from prestige.report.tissue import PANEL_GROUND, colour_range, draw_tissue, raster


def test_each_pixel_shows_its_nearest_observation_and_holes_stay_open() -> None:
    side = np.arange(10) * 20.0
    xy = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    hole = (np.abs(xy - 90.0) < 45.0).all(axis=1)
    index, um_per_px = raster(xy[~hole], size_px=100)
    assert index.shape == (100, 100)
    assert um_per_px == pytest.approx(2.0)
    assert index[50, 50] == -1
    np.testing.assert_array_equal(xy[~hole][index[0, 0]], [0.0, 0.0])
    np.testing.assert_array_equal(xy[~hole][index[0, 99]], [180.0, 0.0])  # rows go down with y
    np.testing.assert_array_equal(xy[~hole][index[99, 0]], [0.0, 180.0])


def test_a_panel_has_the_values_in_place_and_its_ground_where_nothing_is() -> None:
    axes = Figure().subplots()
    index = np.array([[2, 0, -1], [-1, 1, 1]])
    image = draw_tissue(axes, index, np.array([0.1, 0.2, 0.3]), "S1", cmap="gray", vmin=0.0, vmax=0.4)
    drawn = image.get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(drawn), index < 0)
    np.testing.assert_array_equal(drawn.compressed(), [0.3, 0.1, 0.2, 0.2])
    assert image.get_clim() == (0.0, 0.4)
    assert axes.get_title() == "S1"
    assert to_hex(axes.get_facecolor()) == PANEL_GROUND
    assert [list(axis.get_ticklocs()) for axis in (axes.xaxis, axes.yaxis)] == [[], []]
    assert not any(spine.get_visible() for spine in axes.spines.values())


def test_one_colour_range_that_outliers_do_not_stretch() -> None:
    measured = np.concatenate([np.linspace(0, 1, 500), [50.0]])
    low, high = colour_range(measured, np.full(501, 0.5))
    assert low == pytest.approx(0.0, abs=0.02)
    assert 0.9 < high < 1.1
    flat = colour_range(np.zeros(5), np.zeros(5))
    assert flat[1] > flat[0]
    rare = colour_range(np.array([0.0] * 999 + [2.0]), np.zeros(1000))
    assert rare == (0.0, 2.0)  # a gene seen once in a thousand has an empty 1st to 99th percentile
    rare = colour_range(np.array([0.0] * 999 + [2.0]), np.full(1000, 0.0004))
    assert rare == (0.0, 2.0)  # and does not end where its prediction does

from __future__ import annotations

import numpy as np
import pytest

from prestige.data.phantom import PhantomConfig
from prestige.data.phantom.tissue import EPITHELIAL, LYMPHOCYTE, Gland, lattice, make_granules, make_layout


def test_glands_are_rings_of_epithelium_and_aggregates_hold_lymphocytes():
    layout = make_layout(PhantomConfig(size_px=1000), np.random.default_rng(3))
    distance = np.stack([np.hypot(*(layout.xy_um - gland.centre_um).T) for gland in layout.glands])
    edge = np.stack(
        [gland.outline_um(np.arctan2(*(layout.xy_um - gland.centre_um).T[::-1])) for gland in layout.glands]
    )
    depth = (edge - distance).max(axis=0)
    epithelium = layout.cell_type == EPITHELIAL
    assert epithelium.sum() > 100
    assert np.all((depth[epithelium] > 4.4) & (depth[epithelium] < 17))
    assert depth[~epithelium].max() < 0  # no other cell in a gland
    x, y, radius = layout.aggregates_um.T
    gap = np.hypot(layout.xy_um[:, :1] - x, layout.xy_um[:, 1:] - y)
    inside = np.any(gap < 0.6 * radius, axis=1) & ~epithelium
    share_inside = np.mean(layout.cell_type[inside] == LYMPHOCYTE)
    share_outside = np.mean(layout.cell_type[~inside] == LYMPHOCYTE)
    assert share_inside > 2 * share_outside


def test_nuclei_do_not_sit_on_each_other():
    layout = make_layout(PhantomConfig(size_px=600), np.random.default_rng(1))
    gap = np.hypot(*(layout.xy_um[:, None] - layout.xy_um).transpose(2, 0, 1))
    size = np.sqrt(layout.axes_um.prod(1))
    np.fill_diagonal(gap, np.inf)
    assert np.all(gap >= 0.82 * (size[:, None] + size) - 1e-9)


def test_marks_are_fair_and_independent_coins():
    free = np.ones((1200, 1200), bool)
    granules = make_granules(PhantomConfig(), np.random.default_rng(0), free)
    n = len(granules.mark)
    assert set(granules.mark.tolist()) == {-1, 1}
    assert abs(granules.mark.mean()) < 4 / np.sqrt(n)
    assert abs(np.mean(granules.mark[1:] * granules.mark[:-1])) < 4 / np.sqrt(n)  # lattice neighbours
    # 3.75 um apart over (600 + 2 x 15 + 4 x 3.75)^2 um^2.
    assert n == pytest.approx(645**2 / 3.75**2, rel=0.03)


def test_granules_show_only_where_they_may():
    free = np.zeros((300, 300), bool)
    free[:, 200:] = True
    config = PhantomConfig(size_px=300)
    x, y = make_granules(config, np.random.default_rng(0), free).xy_px.T
    inside = (x >= 0) & (x < 300) & (y >= 0) & (y < 300)
    assert inside.any()
    assert x[inside].min() >= 200
    assert np.any(~inside & (x < 0))  # beyond the image nothing covers them


def test_lattice_spans_the_square():
    points = lattice(np.random.default_rng(0), 0.0, 10.0, 1.0, 0.0)
    np.testing.assert_allclose(np.unique(points), np.arange(0.5, 10))


def test_an_unwaved_gland_is_a_circle():
    gland = Gland(np.zeros(2), 40.0, np.zeros((3, 2)))
    np.testing.assert_allclose(gland.outline_um(np.linspace(0, 6, 7)), 40.0)

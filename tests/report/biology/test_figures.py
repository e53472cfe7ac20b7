"""Figures of the page: what is drawn is what was found, and no label is cut off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.report.biology import figures
from prestige.report.style import drawing

from ...small_study import bare_study, full_study
from ..gene_sets.test_figures import inside
from .test_tables import activity


def test_pathways_of_both_ends() -> None:
    table = activity(50)
    with drawing():
        figure = figures.activity_dots(table)
        assert figure is not None
        assert inside(figure)
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == [f"P{i:03d}, 7" for i in (*range(8), *range(42, 50))]
    full = next(line for line in axes.lines if line.get_label().endswith("at half the depth"))
    np.testing.assert_allclose(full.get_xdata(), np.linspace(0.5, -0.1, 50)[[*range(8), *range(42, 50)]])
    assert "34 between" in [text.get_text() for text in axes.texts]
    assert len(figure.legends[0].get_texts()) == 3


def test_few_pathways_are_all_drawn_and_none_gives_no_figure() -> None:
    with drawing():
        figure = figures.activity_dots(activity(5))
        assert figure is not None
    assert len(figure.axes[0].get_yticklabels()) == 5
    assert not list(figure.axes[0].texts)
    assert figures.activity_dots(activity(3).assign(noisy_half=np.nan)) is None


def test_long_names_of_pathways_fit() -> None:
    table = activity(3)
    table.index = pd.Index([f"REACTOME_{'LONG_' * 20}{i}" for i in range(3)])
    with drawing():
        figure = figures.activity_dots(table)
        assert figure is not None
        assert inside(figure)


def test_covariance_and_the_smoothing_length() -> None:
    found = full_study().structure.smoothing
    found = replace(found, length_um=12.3, low_um=5.0, high_um=20.0)
    with drawing():
        figure = figures.covariance_curves(found)
        assert figure is not None
        assert inside(figure)
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(lines["measured"].get_ydata(), found.measured)
    np.testing.assert_allclose(lines["predicted"].get_xdata(), found.distance_um)
    (mark,) = (line for label, line in lines.items() if label.startswith("smoothing length 12.3 µm"))
    assert "5 to 20 µm" in mark.get_label()
    assert list(mark.get_xdata()) == [12.3, 12.3]
    none = replace(found, length_um=np.nan, low_um=np.nan, high_um=np.nan)
    with drawing():
        figure = figures.covariance_curves(none)
        assert figure is not None
    assert not [line for line in figure.axes[0].lines if "smoothing" in line.get_label()]


def test_genes_that_go_together_stand_together() -> None:
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat([0, 1, 2], 20))
    z = rng.normal(size=(400, 3))[:, group] + 0.7 * rng.normal(size=(400, 60))
    r = np.corrcoef(z.T)
    r[7], r[:, 7] = np.nan, np.nan
    order = figures.order_of(r, r)
    assert 7 not in order
    assert sorted(order) == [i for i in range(60) if i != 7]
    assert (np.diff(group[order]) != 0).sum() == 2  # three runs


def test_of_many_genes_those_with_the_highest_correlations() -> None:
    rng = np.random.default_rng(1)
    g = 170
    r = np.eye(g)
    strong = rng.choice(g, 40, replace=False)
    r[np.ix_(strong, strong)] = 0.8
    weak = 0.1 + 0.001 * np.arange(g)
    pairs = np.minimum.outer(weak, weak)
    r = np.maximum(r, pairs)
    np.fill_diagonal(r, 1.0)
    order = figures.order_of(r, r)
    assert len(order) == figures.GENES
    assert set(strong) <= set(order)


def test_both_matrices_have_one_order_and_one_scale() -> None:
    found = full_study().correlations
    genes = full_study().pair.genes
    order = figures.order_of(found.measured, found.predicted)
    with drawing():
        figure = figures.correlation_maps(found.measured, found.predicted, genes, order)
        assert figure is not None
        assert inside(figure)
    left, right = (axes for axes in figure.axes if axes.images)
    assert left.images[0].get_clim() == right.images[0].get_clim()
    low, high = left.images[0].get_clim()
    assert low == -high
    off = ~np.eye(len(order), dtype=bool)
    np.testing.assert_allclose(
        np.asarray(right.images[0].get_array())[off], found.predicted[np.ix_(order, order)][off]
    )
    assert [text.get_text() for text in left.get_yticklabels()] == [genes[at] for at in order]
    assert figures.correlation_maps(found.measured, found.predicted, genes, order[:2]) is None


def test_confusion_beside_that_of_the_halves() -> None:
    found = full_study().cell_types
    with drawing():
        figure = figures.confusion_maps(found.confusion, found.types)
        assert inside(figure)
    for axes, name in zip(figure.axes, ("noisy_half", "halves"), strict=True):
        rows = found.confusion[found.confusion["comparison"] == name]
        seen = rows.groupby("truth", sort=False)["n"].transform("sum") > 0
        expected = [
            f"{100 * share:.0f}" if there else "\N{EN DASH}"
            for share, there in zip(rows["share"], seen, strict=True)
        ]
        assert [text.get_text() for text in axes.texts] == expected
        assert [text.get_text() for text in axes.get_xticklabels()] == list(found.types)


def test_fold_changes_with_the_largest_named() -> None:
    found = full_study().conditions
    with drawing():
        figure = figures.change_scatter(found.table, found.first, found.second)
        assert inside(figure)
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.collections[0].get_offsets(), found.table[["measured", "predicted"]])
    assert {text.get_text() for text in axes.texts} == set(found.table.index[:10])
    assert "yes over no" in axes.get_xlabel()


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.floats(0.01, 2))
def test_names_are_moved_apart_and_no_farther(heights: list[float], gap: float) -> None:
    own = np.sort(np.array(heights))
    found = figures.apart(own, gap)
    assert (np.diff(found) >= gap - 1e-9).all()
    assert found.mean() == pytest.approx(own.mean(), abs=1e-9)
    if (np.diff(own) >= gap).all():
        np.testing.assert_allclose(found, own, atol=1e-9)


def test_curves_of_the_first_genes() -> None:
    found = full_study().gradients
    with drawing():
        figure = figures.gradient_curves(found)
        assert inside(figure)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == list(found.table.index[:6])
    column = found.genes.index(str(found.table.index[0]))
    np.testing.assert_allclose(shown[0].lines[1].get_ydata(), found.curves["measured"][:, column])
    np.testing.assert_allclose(shown[0].lines[2].get_ydata(), found.curves["predicted"][:, column])


def test_a_study_of_little_has_little_to_draw() -> None:
    assert bare_study().activity is not None
    assert figures.activity_dots(bare_study().activity.table) is None

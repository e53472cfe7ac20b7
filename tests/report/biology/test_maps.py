"""Maps of the page: one section each, one scale a pair, colours that everyone can tell apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from prestige.report.biology.maps import (
    NO_LABEL,
    OTHERS,
    Both,
    draw_labels,
    draw_region,
    draw_values,
    percentiles,
    sections_of,
    shorter,
)
from prestige.report.style import OKABE_ITO, drawing

from ...small_study import full_study, pair
from ..gene_sets.test_figures import inside


def test_the_sections_with_the_most_observations() -> None:
    own = pair()
    kept = own.take(np.flatnonzero((own.sample_of == "S 1") | (np.arange(len(own)) % 3 == 0)))
    first, second = sections_of(kept)
    assert (first.name, second.name) == ("S 1", "S 0")
    assert (kept.sample_of[first.rows] == "S 1").all()
    assert len(first.rows) == 900
    assert first.index.max() < 900  # counted within the section
    assert [one.name for one in sections_of(kept, 1)] == ["S 1"]
    assert sections_of(replace(kept, has_positions=False)) == []


def test_long_names_lose_their_middle() -> None:
    assert shorter("short") == "short"
    name = "REACTOME_" + "A" * 60 + "_OF_CELLS"
    assert len(shorter(name, 40)) == 40
    assert shorter(name, 40).startswith("REACTOME_")
    assert shorter(name, 40).endswith("_OF_CELLS")


@given(values=st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_percentiles_are_of_the_sample_and_keep_the_order(values: list[int]) -> None:
    both = np.array([*values, *(100 - 2 * np.array(values))], dtype=float)
    sample = np.repeat(["a", "b"], len(values))
    found = percentiles(both, sample)
    own = found[: len(values)]
    below = np.array([(np.array(values) < v).mean() + 0.5 * (np.array(values) == v).mean() for v in values])
    np.testing.assert_allclose(own, 100 * below, atol=1e-9)
    np.testing.assert_allclose(found[len(values) :], 100 - own, atol=1e-9)


def test_both_panels_have_one_scale_and_nothing_is_cut_off() -> None:
    own = pair()
    section = sections_of(own)[0]
    items = [
        Both(f"a title as long as a name of a pathway is {k}", own.measured[:, k].astype(float),
             own.predicted[:, k].astype(float), "log1p(counts\nper 100)") for k in range(3)
    ]  # fmt: skip
    with drawing():
        figure = draw_values(section, items)
        assert inside(figure)
    panels = [axes for part in figure.subfigs for axes in part.axes if axes.images]
    assert len(panels) == 6
    for measured, predicted in zip(panels[::2], panels[1::2], strict=True):
        assert (measured.get_title(loc="left"), predicted.get_title(loc="left")) == ("measured", "predicted")
        assert measured.images[0].get_clim() == predicted.images[0].get_clim()
    drawn = panels[1].images[0].get_array()
    here = section.index >= 0
    np.testing.assert_allclose(drawn[here], own.predicted[section.rows][section.index[here], 0], rtol=1e-6)
    bars = [axes.get_ylabel() for part in figure.subfigs for axes in part.axes if not axes.images]
    assert bars == ["log1p(counts\nper 100)"] * 3
    texts = [text.get_text() for axes in panels[::2] for text in axes.texts]
    assert texts == ["100 µm"] * 3


def test_labels_have_the_same_colours_on_both_sides() -> None:
    own = full_study().pair
    section = sections_of(own)[1]
    measured = np.arange(len(own)) % 3
    with drawing():
        figure = draw_labels(section, measured, (measured + 1) % 3, ("a", "b", "nothing"), none="nothing")
        assert inside(figure)
    legend = figure.legends[0]
    shown = dict(
        zip(
            [text.get_text() for text in legend.get_texts()],
            [to_hex(handle.get_facecolor()) for handle in legend.legend_handles],
            strict=True,
        )
    )
    assert shown == {"a": OKABE_ITO[0].lower(), "b": OKABE_ITO[1].lower(), "nothing": NO_LABEL.lower()}
    here = section.index >= 0
    for axes, side in zip(figure.axes, (measured, (measured + 1) % 3), strict=True):
        np.testing.assert_array_equal(
            axes.images[0].get_array()[here], side[section.rows][section.index[here]]
        )


def test_more_labels_than_colours_share_a_grey() -> None:
    own = pair(samples=1)
    section = sections_of(own)[0]
    sizes = np.repeat(np.arange(11), [200, 150, 100, 90, 80, 70, 60, 50, 40, 30, 30])
    with drawing():
        figure = draw_labels(section, sizes, sizes, [f"type {i}" for i in range(12)])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == [*(f"type {i}" for i in range(8)), "3 rarer ones"]
    assert to_hex(figure.legends[0].legend_handles[-1].get_facecolor()) == OTHERS.lower()
    assert figure.axes[0].images[0].get_array().max() == 8


def test_the_region_and_the_distances_that_are_looked_at() -> None:
    study = full_study()
    section = sections_of(study.pair)[0]
    with drawing():
        figure = draw_region(section, study.region, 100.0)
        assert inside(figure)
    left, right = (axes for axes in figure.axes if axes.images)
    here = section.index >= 0
    code = left.images[0].get_array()[here]
    np.testing.assert_array_equal(code == 2, study.region.inside[section.rows][section.index[here]])
    distance = right.images[0].get_array()
    assert right.images[0].get_clim() == (-100.0, 100.0)
    assert np.abs(distance.compressed()).max() <= 100.0
    assert distance.min() < 0 < distance.max()
    assert "negative inside" in figure.axes[-1].get_ylabel()
    assert "100 µm" in right.get_title(loc="left")


def test_a_flat_quantity_is_drawn_too() -> None:
    own = pair(samples=1)
    section = sections_of(own)[0]
    flat = np.zeros(len(own))
    with drawing():
        figure = draw_values(section, [Both("flat", flat, flat, "u")])
    low, high = next(axes for axes in figure.subfigs[0].axes if axes.images).images[0].get_clim()
    assert low < high
    assert low == pytest.approx(0.0)


def test_wide_sections_stand_one_above_the_other() -> None:
    own = pair(samples=1)
    strip = own.take(np.flatnonzero(own.xy_um[:, 1] < 200.0))
    section = sections_of(strip)[0]
    assert section.wide
    flat = np.zeros(len(strip), dtype=np.int64)
    with drawing():
        values = draw_values(section, [Both("strip", flat.astype(float), flat.astype(float), "u")])
        labels = draw_labels(section, flat, flat, ("one",))
        for figure in (values, labels):
            assert inside(figure)
    for panels in (values.subfigs[0].axes[:2], labels.axes[:2]):
        upper, lower = (axes.get_position() for axes in panels)
        assert upper.y0 >= lower.y1
        assert upper.x0 == pytest.approx(lower.x0, abs=0.02)
    assert [text.get_text() for text in labels.axes[1].texts] == ["100 µm"]

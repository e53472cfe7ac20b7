"""Colours that can be told apart and read, and drawings that fit into the page."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from prestige.report.style import INK, OKABE_ITO, cell_colours, colours_of, drawing, save_figure, with_units


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0])
def test_the_number_in_a_cell_can_be_read(share: float) -> None:
    ground, ink = cell_colours(share, 0.0, 1.0)
    high, low = sorted((luminance(ground), luminance(ink)), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.29  # no ink of the two could do better in the middle


def test_cells_outside_the_range_take_its_ends_and_equal_ones_the_middle() -> None:
    assert cell_colours(-5.0, 0.0, 1.0) == cell_colours(0.0, 0.0, 1.0)
    assert cell_colours(7.0, 0.0, 1.0) == cell_colours(1.0, 0.0, 1.0)
    assert cell_colours(3.0, 3.0, 3.0) == cell_colours(0.5, 0.0, 1.0)


def test_encoders_have_colours_and_baselines_greys() -> None:
    found = colours_of(["a", "b"], baselines=["ridge"])
    assert (found["a"], found["b"]) == OKABE_ITO[:2]
    red, green, blue = (int(found["ridge"][i : i + 2], 16) for i in (1, 3, 5))
    assert max(red, green, blue) - min(red, green, blue) < 20


def test_drawing_leaves_the_users_settings_alone() -> None:
    with mpl.rc_context({"axes.grid": False, "font.size": 21.0}):
        with drawing():
            assert mpl.rcParams["axes.grid"]
            assert mpl.rcParams["font.size"] == 9.0
        assert not mpl.rcParams["axes.grid"]
        assert mpl.rcParams["font.size"] == 21.0


def test_a_saved_figure_is_a_png_an_svg_and_a_part_of_the_page(tmp_path: Path) -> None:
    with drawing():
        figure = Figure(figsize=(2, 1), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1])
        axes.set_title("title")
    svg = save_figure(figure, tmp_path / "new" / "plot")
    assert (tmp_path / "new" / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "new" / "plot.svg").read_text()
    assert svg.startswith("<svg")
    assert "title" in svg
    assert INK not in svg
    assert "var(--ink)" in svg
    ids = set(re.findall(r'\bid="([^"]+)"', svg))
    assert ids
    assert all(name.startswith("plot-") for name in ids)
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg))
    assert {a or b for a, b in used} <= ids


NASTY = st.text(
    st.sampled_from("$^_{}\\%&#<>\"'/|\n\t\x00\x1b\u202e\u05d0\U0001f600]]>--A"), min_size=1, max_size=30
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NASTY, min_size=2, max_size=2, unique=True))
def test_names_are_drawn_as_they_are(tmp_path: Path, names: list[str]) -> None:
    with drawing():
        figure = Figure(figsize=(3, 2), layout="constrained")
        axes = figure.add_subplot()
        axes.bar([0, 1], [1, 2])
        axes.set_xticks([0, 1], names)
        axes.set_title(names[1])
        axes.annotate(names[0], (0.5, 0.5))
        axes.legend(handles=[Patch(label=names[0])], title=names[1])
        svg = str(save_figure(figure, tmp_path / "figure"))
    ElementTree.fromstring((tmp_path / "figure.svg").read_bytes())
    assert "<script" not in svg
    assert "\x00" not in svg


def test_mathematics_and_long_names_are_text(tmp_path: Path) -> None:
    with drawing():
        figure = Figure(figsize=(3, 2), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title("$a$ and $ \\frac{1}")
        axes.set_yticks([0, 1], ["$b", "x" * 5000])
        axes.set_xlabel("y" * 100_000 + "\n" * 900)
        svg = str(save_figure(figure, tmp_path / "figure"))
    assert "$a$ and $ \\frac{1}" in svg
    assert ">$b<" in svg
    assert "x" * 59 + "\N{HORIZONTAL ELLIPSIS}" in svg
    assert "y" * 121 not in svg


def test_micrometres() -> None:
    assert (
        with_units("a kernel of 12 um (3 to 4 um); umami 5 umx")
        == "a kernel of 12 µm (3 to 4 µm); umami 5 umx"
    )

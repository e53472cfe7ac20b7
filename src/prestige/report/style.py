"""Colours and drawing settings shared by the figures and the page.

Encoders take the colours of Okabe and Ito (2008), told apart by readers of every colour vision;
values take viridis.  Three inks are placeholders: inside the page they become CSS variables, so
that one drawing is legible on light and on dark ground.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from prestige.compute.ownership import MARK

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8C6D31", "#7B4EA3")
BASELINE_GREYS = ("#8A8F98", "#5F656E", "#B0B4BB")
INK, MUTED, RULE = "#1b1f24", "#626a73", "#d5d9de"
_PAGE_INKS = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)"}
VALUES = "viridis"
PNG_DPI = 200
MICRO = "\N{MICRO SIGN}m"


def with_units(text: str) -> str:
    """Write micrometres as a reader should see them."""
    return re.sub(r"(?<=\d )um\b", MICRO, text)


_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.fonttype": "none",
    "svg.hashsalt": "prestige",
    "figure.facecolor": "white",
    "axes.facecolor": "none",
    "savefig.facecolor": "white",
}


_LONGEST_LINE, _LONGEST_TICK = 120, 60  # letters
_TEXT_RC: Any = {"text.parse_math": False, "text.usetex": False}
_UNSHOWN = "\N{REPLACEMENT CHARACTER}"


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with the report's settings, whatever the user's own matplotlib settings are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        with drawing_text():
            yield


@contextmanager
def drawing_text() -> Iterator[None]:
    """Draw text as text: names come from files, and two dollar signs in one are no mathematics."""
    with warnings.catch_warnings(), matplotlib.rc_context(_TEXT_RC):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="(constrained|tight)_?layout not applied|.*sizes collapsed")
        yield


def tame_text(figure: Figure) -> None:
    """Shorten the texts of a figure that are too long to be drawn, and replace what no font can show."""
    for axes in figure.axes:
        for axis in axes.xaxis, axes.yaxis:
            formatter = axis.get_major_formatter()
            if isinstance(formatter, FuncFormatter):  # which is what names at ticks become
                axis.set_major_formatter(_tamed_ticks(formatter))
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        tamed = _tamed(text.get_text(), _LONGEST_LINE)
        if tamed != text.get_text():
            text.set_text(tamed)


def _tamed_ticks(formatter: FuncFormatter) -> FuncFormatter:
    return FuncFormatter(lambda value, place: _tamed(formatter(value, place), _LONGEST_TICK))


def _tamed(text: str, most: int) -> str:
    lines = [
        line if len(line) <= most else line[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
        for line in text.split("\n")
    ]
    return "".join(char if char == "\n" or char.isprintable() else _UNSHOWN for char in "\n".join(lines[:40]))


def colours_of(names: Iterable[str], *, baselines: Iterable[str] = ()) -> dict[str, str]:
    """Give each encoder a colour and each baseline a grey, in order."""
    colours = {name: OKABE_ITO[i % len(OKABE_ITO)] for i, name in enumerate(names)}
    colours.update({name: BASELINE_GREYS[i % len(BASELINE_GREYS)] for i, name in enumerate(baselines)})
    return colours


def cell_colours(value: float, low: float, high: float) -> tuple[str, str]:
    """Return the ground of a heat-map cell and the ink that can be read on it."""
    share = 0.5 if high <= low else (value - low) / (high - low)
    red, green, blue, _ = colormaps[VALUES](0.08 + 0.92 * min(max(share, 0.0), 1.0))
    luminance = sum(
        weight * (channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4)
        for weight, channel in zip((0.2126, 0.7152, 0.0722), (red, green, blue), strict=True)
    )
    ground = "#" + "".join(f"{round(255 * channel):02x}" for channel in (red, green, blue))
    return ground, "#ffffff" if luminance < 0.194 else "#101418"  # where both contrast alike


def save_figure(figure: Figure, stem: Path) -> Markup:
    """Write ``stem.png`` and ``stem.svg`` and return the drawing as SVG for the page."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    svg = write_figure(figure, stem.with_suffix(".png"), stem.with_suffix(".svg"))
    return Markup(_for_page(svg, prefix=stem.name))


def write_figure(figure: Figure, png: Path, svg: Path) -> str:
    """Write a figure in two forms, with the mark that says whose pictures they are; return the SVG."""
    with drawing():
        tame_text(figure)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once, not again for every file
        figure.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": MARK})
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", dpi=PNG_DPI, metadata={"Date": None, "Creator": MARK})
    svg.write_text(buffer.getvalue(), encoding="utf-8")
    return buffer.getvalue()


def _for_page(svg: str, *, prefix: str) -> str:
    """Strip an SVG of prologue, metadata and ground, and make its ids its own and its inks the page's."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="image[0-9a-f]+"', "", svg)  # of the content: two equal colour bars have the same
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'href="#', f'href="#{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*(; )?", "", svg)
    svg = re.sub(r'width="([\d.]+)pt" height="[\d.]+pt"', r'style="max-width:\1pt"', svg, count=1)
    svg = svg.replace("fill: #ffffff", "fill: none", 1)  # the ground, which comes first, is the page's
    for ink, variable in _PAGE_INKS.items():
        svg = svg.replace(ink, variable)
    return re.sub(r"\n\s*", "\n", svg)

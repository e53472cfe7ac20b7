"""Figures of one sample: centres over the image at three zooms, a gene of nuclei, the alignment check."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from prestige.data.sample import Sample
from prestige.data.together.alignment import Alignment, Position, spacing_px
from prestige.report.dataset.nuclei import Concentrated
from prestige.report.dataset.thumbnails import thumbnail
from prestige.report.style import INK, MICRO, MUTED, OKABE_ITO, VALUES, with_units
from prestige.report.tissue import draw_tissue, raster
from prestige.text import format_number, round_length

PATCHES_UM = (16.0, 32.0, 64.0, 128.0, 256.0)
"""Widths of patches that are usual, drawn as squares."""

MEASURED, UNMEASURED = "#00E5FF", "#FFE100"
_BOX = "#000000"
_MOST_PX, _MOST_DOTS = 1400, 6000
_PANEL_PT = 300.0  # side of a panel, about: dots stay apart, so that tissue is seen between them
_CELLS_UM, _REGION_UM = (60.0, 450.0), (320.0, 2400.0)
_COLOURS = (*OKABE_ITO[:3], "#F0E442", OKABE_ITO[4])
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), "-", (0, (5, 2)))


def draw_overlay(sample: Sample) -> Figure:
    """Draw the centres on the whole slide, in a region, and a few of them with patches around one."""
    slide = sample.slide
    size = np.array([slide.width_px, slide.height_px])
    apart_px = spacing_px(sample.xy_px)
    spacing_um = apart_px * slide.um_per_px
    cells_um = float(np.clip(12 * spacing_um, *_CELLS_UM))
    region_um = float(np.clip(50 * spacing_um, *_REGION_UM))
    centre = _middle(sample)
    figure = Figure(figsize=(13.5, 5.4), layout="constrained")
    tall = float(np.clip(size[1] / size[0], 0.5, 1.6))
    panels = figure.subplots(1, 3, width_ratios=(1 / tall if tall > 1 else 1, 1, 1))
    boxes = [box_about(centre, um / slide.um_per_px, size) for um in (region_um, cells_um)]
    picture(panels[0], sample, np.stack([np.zeros(2), size.astype(np.float64)]), apart_px)
    panels[0].set_title("the whole slide")
    for box in boxes:
        frame(panels[0], box, linewidth=1.6 if box is boxes[0] else 0.9)
    picture(panels[1], sample, boxes[0], apart_px)
    frame(panels[1], boxes[1], linewidth=1.4)
    panels[1].set_title(f"a region, {_length(np.ptp(boxes[0][:, 0]) * slide.um_per_px)} wide")
    picture(panels[2], sample, boxes[1], apart_px)
    panels[2].set_title(f"a few observations, {_length(np.ptp(boxes[1][:, 0]) * slide.um_per_px)} wide")
    patches: list[Line2D] = []
    for widths, axes, box in ((PATCHES_UM[2:], panels[1], boxes[0]), (PATCHES_UM, panels[2], boxes[1])):
        patches += _patches(axes, centre, slide.um_per_px, box, widths)
    named = {str(handle.get_label()): handle for handle in patches}
    handles = [
        *dots_legend(sample),
        *(named[name] for name in map(_patch_label, PATCHES_UM) if name in named),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=8, frameon=False, fontsize=9)
    return figure


def draw_gene(sample: Sample, found: Concentrated) -> Figure:
    """Draw the tissue beside the expression of the gene that follows its nuclei."""
    low, high = found.xy_um.min(axis=0), found.xy_um.max(axis=0)
    margin = 0.02 * float((high - low).max()) + 1.0
    size = np.array([sample.slide.width_px, sample.slide.height_px])
    box = np.array([low - margin, high + margin]) / sample.um_per_px
    box = np.clip(np.rint(box), 0, size)
    wide = float(np.ptp(box[:, 0]) / max(np.ptp(box[:, 1]), 1))
    rows, columns = (2, 1) if wide > 1.9 else (1, 2)
    width = 12.0 if rows == 2 else float(np.clip(11.0 * min(wide, 1.2), 7.0, 12.0))
    height = 2 * width / wide + 0.9 if rows == 2 else width / 2 / wide + 0.8
    figure = Figure(figsize=(width, float(np.clip(height, 3.0, 11.0))), layout="constrained")
    left, right = figure.subplots(rows, columns)
    picture(left, sample, box)
    left.set_title("the tissue")
    index, _ = raster(found.xy_um, size_px=420)
    top = float(np.percentile(found.values, 99)) or float(found.values.max())
    title = f"{found.gene}, log(1 + scaled counts); correlation with nuclear density {found.correlation:.2f}"
    image = draw_tissue(right, index, found.values, title, cmap=VALUES, vmin=0.0, vmax=max(top, 1e-6))
    right.set_title(title, fontsize=9.5)
    figure.colorbar(image, ax=right, shrink=0.8, pad=0.02)
    return figure


def draw_alignment(found: Alignment) -> Figure | None:
    """Draw what was measured at each position, the own one marked; None where nothing was measured."""
    kinds = [
        (name, unit)
        for name, unit in (
            ("fit", "correlation of counts with tissue density"),
            ("darkness", "darkness of the centres, sd"),
        )
        if getattr(found.own, name) is not None
    ]
    if not kinds or not found.others:
        return None
    groups = _groups(found)
    figure = Figure(figsize=(3.4 * len(kinds) + 2.6, 0.26 * len(groups) + 1.3), layout="constrained")
    panels = figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0]
    for axes, (name, unit) in zip(panels, kinds, strict=True):
        own = getattr(found.own, name)
        axes.axvline(own, color=OKABE_ITO[0], linewidth=1.2)
        for row, (_, positions) in enumerate(groups):
            for one in positions:
                _point(axes, row, one, name, found)
        axes.set_xlabel(unit)
        axes.set_yticks(range(len(groups)), [label for label, _ in groups])
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.margins(x=0.06)
        axes.locator_params(axis="x", nbins=5)  # more labels run into each other
    panels[0].tick_params(axis="y", labelcolor=INK)
    handles = [
        Line2D([], [], color=OKABE_ITO[0], marker="D", linewidth=1.2, label="as it stands"),
        Line2D([], [], color=MUTED, marker="o", linestyle="", label="moved, with two standard errors"),
        Line2D(
            [], [], color=MUTED, marker="o", fillstyle="none", linestyle="", label="moved, more on bare glass"
        ),
    ]
    if found.better is not None:
        handles.append(Line2D([], [], color=OKABE_ITO[1], marker="o", linestyle="", label="fits better"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return figure


def _groups(found: Alignment) -> list[tuple[str, list[Position]]]:
    """Return the positions by rows of the figure: shifts of one length share a row."""
    rows: dict[str, list[Position]] = {"as it stands": [found.own]}
    for one in found.others:
        label = with_units(one.way.words)
        if one.way.kind == "shift":
            label = f"shifted by {one.way.shift_um:g} {MICRO}"
        rows.setdefault(
            label.replace("about the centre of the observations", "about their centre").replace(
                "x and y swapped,", "swapped,"
            ),
            [],
        ).append(one)
    return list(rows.items())


def _point(axes: Any, row: int, one: Position, name: str, found: Alignment) -> None:
    value, error = getattr(one, name), one.error if name == "fit" else one.darker_error
    own = one is found.own
    colour = OKABE_ITO[0] if own else OKABE_ITO[1] if one is found.better else MUTED
    hollow = not own and one is not found.better and one.on_glass > found.own.on_glass + 0.05
    marked = own or one is found.better
    look: dict[str, Any] = {"color": colour, "elinewidth": 0.8, "zorder": 4 if marked else 3}
    look |= {"marker": "D" if own else "o", "markersize": 6 if marked else 4}
    face = "none" if hollow else colour
    axes.errorbar(value, row, xerr=None if own else 2 * error, markerfacecolor=face, **look)


def picture(axes: Any, sample: Sample, box: Float[np.ndarray, "2 2"], apart_px: float | None = None) -> None:
    """Draw the pixels of a part of the slide, and the centres in it where their distance is given."""
    (x0, y0), (x1, y1) = np.rint(box).astype(int)
    step = max(1, -(-max(x1 - x0, y1 - y0) // _MOST_PX))
    pixels = thumbnail(sample.slide.pixels[y0:y1, x0:x1], step)
    extent = (x0 - 0.5, x0 + pixels.shape[1] * step - 0.5, y0 + pixels.shape[0] * step - 0.5, y0 - 0.5)
    axes.imshow(pixels, extent=extent, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    if apart_px is not None:
        inside = np.flatnonzero(
            ((sample.xy_px >= (x0 - 0.5, y0 - 0.5)) & (sample.xy_px < (x1, y1))).all(axis=1)
        )
        shown = np.random.default_rng(0).permutation(inside)[:_MOST_DOTS]
        apart_pt = _PANEL_PT * apart_px / max(x1 - x0, y1 - y0)
        size = float(np.clip(min(9000 / max(len(shown), 1), (0.45 * apart_pt) ** 2), 1.5, 26.0))
        for chosen, colour in ((~sample.measured, UNMEASURED), (sample.measured, MEASURED)):
            rows = shown[chosen[shown]]
            axes.scatter(
                *sample.xy_px[rows].T, s=size, c=colour, edgecolors="black", linewidths=0.06 * size**0.5
            )
    axes.set_xlim(extent[0], extent[1])
    axes.set_ylim(extent[2], extent[3])
    _scale_bar(axes, sample.um_per_px)


def _scale_bar(axes: Any, um_per_px: float) -> None:
    """Draw a bar of a round length under the picture: it covers no tissue."""
    low, high = axes.get_xlim()
    length_um = round_length(0.3 * (high - low) * um_per_px)
    share = length_um / um_per_px / (high - low)
    line = {"color": INK, "linewidth": 2.2, "clip_on": False, "solid_capstyle": "butt"}
    axes.plot([0, share], [-0.025, -0.025], transform=axes.transAxes, **line)
    text = _length(length_um)
    axes.text(share + 0.015, -0.025, text, transform=axes.transAxes, va="center", fontsize=8.5, color=INK)


def _patches(
    axes: Any, centre: Float[np.ndarray, "2"], um_per_px: float, box: Float[np.ndarray, "2 2"],
    widths: tuple[float, ...],
) -> list[Line2D]:  # fmt: skip
    """Draw the squares that patches of these widths would show, those that fit into the panel."""
    most = 0.97 * float(np.ptp(box, axis=0).min()) * um_per_px
    made = []
    for um in widths:
        if not 0.04 * most < um <= most:
            continue
        colour, dash = _COLOURS[PATCHES_UM.index(um)], _DASHES[PATCHES_UM.index(um)]
        side = um / um_per_px
        corner = centre - side / 2
        under = "black" if colour == _COLOURS[3] else "white"
        for ink, width, style in ((under, 3.6, "-"), (colour, 2.0, dash)):
            line: dict[str, Any] = {"edgecolor": ink, "linewidth": width, "linestyle": style}
            axes.add_patch(Rectangle((float(corner[0]), float(corner[1])), side, side, fill=False, **line))
        made.append(Line2D([], [], color=colour, linewidth=2, linestyle=dash, label=_patch_label(um)))
    return made


def _patch_label(um: float) -> str:
    return f"patch of {um:g} {MICRO}"


def dots_legend(sample: Sample) -> list[Line2D]:
    """Return what the colours of the dots mean."""
    number = int(sample.measured.sum())
    dot: dict[str, Any] = {"marker": "o", "linestyle": "", "markeredgecolor": "black", "markersize": 6}
    kinds = ((number, MEASURED, "measured"), (sample.n_obs - number, UNMEASURED, "not measured"))
    return [
        Line2D([], [], color=colour, label=f"{word} ({count:,})", **dot)
        for count, colour, word in kinds
        if count
    ]


def frame(axes: Any, box: Float[np.ndarray, "2 2"], *, linewidth: float) -> None:
    """Draw the outline of a part of the slide."""
    for ink, width in (("white", linewidth + 1.4), (_BOX, linewidth)):
        axes.add_patch(
            Rectangle(tuple(box[0]), *np.ptp(box, axis=0), fill=False, edgecolor=ink, linewidth=width)
        )


def box_about(centre: Float[np.ndarray, "2"], side: float, size: Any) -> Float[np.ndarray, "2 2"]:
    """Return the corners of a square about a place, moved into the image and cut to it."""
    side_px = np.minimum(max(round(side), 8), size)
    low = np.clip(np.rint(centre - side_px / 2), 0, size - side_px)
    return np.array([low, low + side_px], dtype=np.float64)


def _middle(sample: Sample) -> Float[np.ndarray, "2"]:
    """Return the place of the observation nearest to the median one of those that were measured."""
    places = sample.xy_px[sample.measured if sample.measured.any() else slice(None)]
    return places[np.argmin(((places - np.median(places, axis=0)) ** 2).sum(axis=1))]


def _length(um: float) -> str:
    return f"{um:.0f} {MICRO}" if um < 1000 else f"{format_number(um / 1000)} mm"

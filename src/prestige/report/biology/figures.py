"""Figures of the page "Biology" that are no maps.

The measurement is dark, the prediction blue, what the depth allows grey; marks and dashes differ too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from prestige.biology.space.gradients import Gradients
from prestige.biology.space.smoothing import Smoothing
from prestige.report.biology.maps import SIGNED, shorter
from prestige.report.style import BASELINE_GREYS, INK, MICRO, MUTED, OKABE_ITO, cell_colours

MEASURED, PREDICTED, HALVES = INK, OKABE_ITO[0], BASELINE_GREYS[0]
EACH = 8
"""Pathways drawn from either end of the table."""

GENES = 150
"""Genes of a heat map of correlations."""

CURVES = 6
NAMED = 10
_LABELLED = 45  # genes of a heat map that still have room for their names


def activity_dots(table: pd.DataFrame) -> Figure | None:
    """Draw the pathways whose activity is predicted best and least, None where none is defined.

    ``table`` is that of :class:`~prestige.biology.genes.activity.Activity`.
    """
    ranked = table.dropna(subset=["noisy_half"]).sort_values("noisy_half", ascending=False, kind="stable")
    if ranked.empty:
        return None
    left_out = max(0, len(ranked) - 2 * EACH)
    rows = pd.concat([ranked.head(EACH), ranked.tail(EACH)]) if left_out else ranked
    place = np.arange(len(rows)) + np.where(left_out and np.arange(len(rows)) >= EACH, 1.0, 0.0)
    figure = Figure(figsize=(9.4, 1.25 + 0.26 * (place[-1] + 1)), layout="constrained")
    axes = figure.subplots()
    for y, (_, row) in zip(place, rows.iterrows(), strict=True):
        axes.plot([row["noisy_half"], row["halves"]], [y, y], color=HALVES, linewidth=1.0, zorder=2)
    marks: Any = {"linestyle": "", "zorder": 3}
    axes.plot(rows["predicted"], place, marker="o", markersize=5, color=PREDICTED, fillstyle="none",
              label="prediction as it is, against the measurement", **marks)  # fmt: skip
    axes.plot(rows["halves"], place, marker="D", markersize=4.5, color=HALVES,
              label="half of the measured counts against the other", **marks)  # fmt: skip
    axes.plot(rows["noisy_half"], place, marker="o", markersize=6, color=PREDICTED,
              label="prediction against a half, at half the depth", **marks)  # fmt: skip
    if left_out:
        axes.text(0.5, EACH, f"{left_out} between", transform=axes.get_yaxis_transform(), ha="center",
                  va="center", color=MUTED, fontsize=8)  # fmt: skip
    labels = [f"{shorter(str(name))}, {row['n_genes']:.0f}" for name, row in rows.iterrows()]
    axes.set_yticks(place, labels, fontsize=8)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set(ylim=(place[-1] + 0.7, -0.7), xlabel="correlation over observations")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    return figure


def covariance_curves(smoothing: Smoothing) -> Figure | None:
    """Draw covariance over distance, measured and predicted, with the smoothing length."""
    if not len(smoothing.distance_um):
        return None
    figure = Figure(figsize=(6.6, 3.5), layout="constrained")
    axes = figure.subplots()
    styles = {
        "measured": (smoothing.measured, MEASURED, "s", "--"),
        "predicted": (smoothing.predicted, PREDICTED, "o", "-"),
    }
    for name, (values, colour, marker, dashes) in styles.items():
        style: Any = {"color": colour, "marker": marker, "linestyle": dashes, "markersize": 4.5}
        axes.plot(smoothing.distance_um, values, label=name, **style)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    if math.isfinite(smoothing.length_um):
        _smoothing_mark(axes, smoothing)
    axes.set(xlim=(0, None), xlabel=f"distance between two observations, {MICRO}",
             ylabel="covariance over variance,\nmean over genes")  # fmt: skip
    axes.legend(frameon=False, loc="upper right")
    return figure


def _smoothing_mark(axes: Axes, smoothing: Smoothing) -> None:
    label = f"smoothing length {smoothing.length_um:.3g} {MICRO}"
    if math.isfinite(smoothing.low_um):
        label += f"\n(90 %: {smoothing.low_um:.3g} to {smoothing.high_um:.3g} {MICRO})"
        axes.axvspan(smoothing.low_um, smoothing.high_um, color=OKABE_ITO[5], alpha=0.25, linewidth=0)
    axes.axvline(smoothing.length_um, color=OKABE_ITO[5], linewidth=2.0, label=label)


def order_of(
    measured: Float[np.ndarray, "g g"], predicted: Float[np.ndarray, "g g"]
) -> Int[np.ndarray, " k"]:
    """Return at most :data:`GENES` genes in an order that puts those together that go together.

    Chosen are the genes whose highest correlation with another, in the measurement, is largest; the order
    is that of average linkage on 1 - r of the measurement, leaves turned so that neighbours are alike
    (Bar-Joseph et al. 2001).  Genes that are constant on either side are left out.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    known = np.flatnonzero(np.isfinite(np.diag(measured)) & np.isfinite(np.diag(predicted)))
    if len(known) < 3:
        return known
    r = measured[np.ix_(known, known)].copy()
    np.fill_diagonal(r, -np.inf)
    some = np.sort(np.argsort(-r.max(axis=0), kind="stable")[:GENES])
    away = 1.0 - r[np.ix_(some, some)]
    np.fill_diagonal(away, 0.0)
    tree = linkage(squareform(away, checks=False), method="average", optimal_ordering=True)
    return known[some[leaves_list(tree)]]


def correlation_maps(
    measured: Float[np.ndarray, "g g"],
    predicted: Float[np.ndarray, "g g"],
    genes: Sequence[str],
    order: Int[np.ndarray, " k"],
) -> Figure | None:
    """Draw both matrices of correlations in one order and on one colour scale."""
    if len(order) < 3:
        return None
    sides = [side[np.ix_(order, order)] for side in (measured, predicted)]
    upper = np.triu_indices(len(order), 1)
    limit = max(float(np.quantile(np.abs(np.concatenate([side[upper] for side in sides])), 0.99)), 1e-3)
    named = len(order) <= _LABELLED
    figure = Figure(figsize=(9.8, 4.9 if named else 4.6), layout="constrained")
    panels = figure.subplots(1, 2)
    image = None
    for axes, title, side in zip(panels, ("measured", "predicted, with counting noise"), sides, strict=True):
        drawn = np.where(np.eye(len(order), dtype=bool), np.nan, side)
        image = axes.imshow(drawn, cmap=SIGNED, vmin=-limit, vmax=limit, interpolation="none")
        axes.set_facecolor(BASELINE_GREYS[2])
        axes.set_title(title)
        axes.grid(visible=False)
        axes.set(xticks=[], yticks=[])
    if named:
        panels[0].set_yticks(np.arange(len(order)), [genes[at] for at in order], fontsize=6.5)
        panels[0].tick_params(length=0, labelcolor=INK)
    else:
        panels[0].set_ylabel(f"{len(order)} genes")
    bar = figure.colorbar(image, ax=panels, shrink=0.8, pad=0.02, aspect=24, extend="both")  # type: ignore[arg-type]
    bar.set_label("correlation over observations")
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def confusion_maps(confusion: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Draw where the labels of half of the measured counts go: in the prediction, and in the other half."""
    titles = {"noisy_half": "in the prediction", "halves": "in the other half"}
    types = list(names)
    size = max(0.42 * len(types) + 0.3, 2.0)
    longest = 0.075 * min(max(len(name) for name in types), 60)  # longer ones are cut off
    figure = Figure(figsize=(min(2 * size + 1.2 + longest, 12.0), size + 0.8 + longest), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        rows = confusion[confusion["comparison"] == name]
        share = rows.pivot(index="truth", columns="prediction", values="share").loc[types, types]
        n = rows.groupby("truth")["n"].sum().reindex(types)
        _confusion_panel(axes, share.to_numpy(), n.to_numpy())
        axes.set_title(title, fontsize=8.5)
        axes.set_xticks(np.arange(len(types)) + 0.5, types, rotation=90, fontsize=8)
        axes.set_yticks(np.arange(len(types)) + 0.5, types, fontsize=8)
        axes.tick_params(length=0, labelcolor=INK)
    panels[0].set_ylabel("in half of the counts")
    return figure


def _confusion_panel(axes: Axes, share: np.ndarray, n: np.ndarray) -> None:
    axes.set(xlim=(0, len(n)), ylim=(len(n), 0))
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for i, row in enumerate(share):
        for j, value in enumerate(row):
            if not n[i]:
                axes.text(j + 0.5, i + 0.5, "\N{EN DASH}", ha="center", va="center", color=MUTED)
                continue
            ground, ink = cell_colours(float(value), 0.0, 1.0)
            axes.fill_between([j + 0.03, j + 0.97], i + 0.03, i + 0.97, color=ground, linewidth=0)
            weight = "bold" if i == j else "normal"
            axes.text(j + 0.5, i + 0.5, f"{100 * value:.0f}", ha="center", va="center", color=ink, size=7.5,
                      weight=weight)  # fmt: skip


def change_scatter(table: pd.DataFrame, first: str, second: str) -> Figure:
    """Draw the predicted over the measured log2 fold change of each gene; the largest are named."""
    figure = Figure(figsize=(6.2, 5.0), layout="constrained")
    axes = figure.subplots()
    x, y = table["measured"].to_numpy(), table["predicted"].to_numpy()
    reach = 1.08 * max(float(np.abs(x).max()), 1e-3)
    axes.plot([-reach, reach], [-reach, reach], color=MUTED, linewidth=1.0, linestyle="--", label="the same")
    for at in (axes.axhline, axes.axvline):
        at(0, color=MUTED, linewidth=0.6)
    axes.scatter(x, y, s=12, color=PREDICTED, alpha=0.6, linewidths=0, rasterized=len(x) > 2000)
    _named(axes, x[:NAMED], y[:NAMED], [str(name) for name in table.index[:NAMED]])
    axes.set(xlim=(-1.25 * reach, 1.25 * reach), xlabel=f"measured log2 fold change, {second} over {first}",
             ylabel="predicted log2 fold change")  # fmt: skip
    axes.legend(frameon=False, loc="upper left")
    return figure


def _named(axes: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    """Write names beside points, those of each side moved apart so that none covers another."""
    low, high = axes.get_ylim()
    gap = (high - low) / 24
    for side in (-1.0, 1.0):
        here = [at for at in np.argsort(y, kind="stable") if math.copysign(1.0, x[at]) == side]
        for at, height in zip(here, apart(y[here], gap), strict=True):
            axes.annotate(
                str(names[at]),
                (x[at], y[at]),
                (x[at] + side * 0.03 * float(np.ptp(axes.get_xlim())), height),
                fontsize=7.5,
                ha="left" if side > 0 else "right",
                va="center",
                arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.5},
            )


def apart(heights: Float[np.ndarray, " n"], gap: float) -> Float[np.ndarray, " n"]:
    """Return rising heights moved up as little as makes each ``gap`` above the one before, then centred."""
    out = heights.astype(np.float64)
    for number in range(1, len(out)):
        out[number] = max(out[number], out[number - 1] + gap)
    return out - (out - heights).mean() if len(out) else out


def gradient_curves(gradients: Gradients) -> Figure:
    """Draw the first genes of the table along the distance from the boundary, measured and predicted."""
    names = [str(name) for name in gradients.table.index[:CURVES]]
    columns = min(3, len(names))
    n_rows = -(-len(names) // columns)
    figure = Figure(figsize=(3.15 * columns, 2.0 * n_rows + 0.75), layout="constrained")
    panels = figure.subplots(n_rows, columns, squeeze=False, sharex=True).ravel()
    for axes, name in zip(panels, names, strict=False):
        column = gradients.genes.index(name)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        measured, predicted = (gradients.curves[side][:, column] for side in ("measured", "predicted"))
        axes.plot(gradients.distance_um, measured, color=MEASURED, linestyle="--")
        axes.plot(gradients.distance_um, predicted, color=PREDICTED)
        axes.set_title(name)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel(f"distance from the boundary, {MICRO} (negative: inside)", fontsize=9)
    figure.supylabel("mean log1p expression", fontsize=9)
    handles = [Line2D([], [], color=MEASURED, linestyle="--", label="measured"),
               Line2D([], [], color=PREDICTED, label="predicted")]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper left", ncols=2, frameon=False)
    return figure

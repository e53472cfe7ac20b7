"""Measured beside predicted expression over the tissue."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from prestige.data.hdf5.whole import read_anndata
from prestige.errors import PrestigeError, reading
from prestige.records.run import Run
from prestige.report.style import VALUES
from prestige.report.tissue import colour_range, draw_scale_bar, draw_tissue, raster
from prestige.text import format_number


@dataclass(frozen=True, eq=False)
class SampleMaps:
    """Measured and predicted log1p expression of some genes at the test observations of a sample."""

    sample: str
    genes: tuple[str, ...]
    xy_um: Float[np.ndarray, "n 2"]
    measured: Float[np.ndarray, "n g"]
    predicted: Float[np.ndarray, "n g"]
    total: float


def choose_genes(pearson: pd.Series, *, each: int = 2) -> dict[str, list[str]]:
    """Return the genes to show: the best, those around the median, and the worst by Pearson.

    Genes without a correlation (measured or predicted constant) are not shown.
    """
    ranked = pearson.dropna().sort_values(ascending=False, kind="stable").index.astype(str).tolist()
    if len(ranked) < 3 * each:
        each = max(1, len(ranked) // 3)
    start = max((len(ranked) - each) // 2, 0)
    groups = {
        "best": ranked[:each],
        "middling": ranked[start : start + each],
        "worst": ranked[-each:] if ranked else [],
    }
    shown: set[str] = set()
    result = {}
    for group, genes in groups.items():
        result[group] = [gene for gene in genes if gene not in shown]
        shown.update(genes)
    return result


def read_maps(run: Run, truth_folders: Sequence[Path], sample: str, genes: Sequence[str]) -> SampleMaps | str:
    """Join a run's predictions of a sample with the measured counts, or say what is missing."""
    prediction_path = run.folder.predictions / f"{sample}.h5ad"
    candidates = [folder / f"fold-{run.fold}" / f"{sample}.h5ad" for folder in truth_folders]
    truth_path = next((path for path in candidates if path.is_file()), None)
    if not prediction_path.is_file():
        return f"{sample}: the predictions of {run.configuration.label} are not kept."
    if truth_path is None:
        return f"{sample}: the measured counts of fold {run.fold} are not kept."
    try:
        predicted, measured = read_anndata(prediction_path), read_anndata(truth_path)
        with reading(truth_path):
            return _join(sample, predicted, measured, genes)
    except PrestigeError as error:
        return f"{sample}: {error.what}."


def _join(sample: str, predicted: Any, measured: Any, genes: Sequence[str]) -> SampleMaps | str:
    shown = [g for g in genes if g in predicted.var_names and g in measured.var_names]
    names = predicted.obs_names.intersection(measured.obs_names)
    um_per_px = measured.uns.get("um_per_px")
    if not shown or len(names) < 2 or um_per_px is None:
        return f"{sample}: predictions and measurements share too little to draw."
    measured, predicted = measured[names, shown], predicted[names, shown]
    normalisation = dict(predicted.uns.get("prestige", {})).get("normalisation", {})
    total = float(normalisation.get("total", 100.0))
    totals = np.asarray(measured.obs["total_counts"], dtype=float)
    kept = totals > 0
    counts, predictions = measured.to_df().to_numpy()[kept], predicted.to_df().to_numpy()[kept]
    values = np.log1p(counts / totals[kept, None] * total)
    xy_um = np.asarray(measured.obsm["spatial"], dtype=float)[kept] * float(um_per_px)
    return SampleMaps(sample, tuple(shown), xy_um, values.astype(float), predictions.astype(float), total)


def draw_maps(maps: SampleMaps, groups: dict[str, list[str]], pearson: pd.Series) -> Figure:
    """Draw a row for each group of genes; each gene is a pair of panels on one colour scale."""
    index, um_per_map_px = raster(maps.xy_um)
    rows = {group: [g for g in genes if g in maps.genes] for group, genes in groups.items()}
    rows = {group: genes for group, genes in rows.items() if genes}
    per_row = max((len(genes) for genes in rows.values()), default=1)
    aspect = min(max(index.shape[0] / index.shape[1], 0.35), 1.6)
    figure = Figure(figsize=(5.3 * per_row, (2.2 * aspect + 0.62) * len(rows) + 0.1), layout="constrained")
    outer = figure.subfigures(len(rows), per_row, squeeze=False)
    for i, (group, genes) in enumerate(rows.items()):
        for j, gene in enumerate(genes):
            title = f"{group}: {gene}, Pearson {pearson.get(gene, math.nan):.2f}"
            _pair(outer[i, j], maps, gene, title, index, um_per_map_px)
    return figure


def _pair(
    panel: Any, maps: SampleMaps, gene: str, title: str, index: np.ndarray, um_per_map_px: float
) -> None:
    column = maps.genes.index(gene)
    pair = {"measured": maps.measured[:, column], "predicted": maps.predicted[:, column]}
    low, high = colour_range(pair["measured"], pair["predicted"])
    panels = panel.subplots(1, 2)
    panel.suptitle(title, x=0.02, ha="left", fontsize=9, weight="bold")
    image = None
    for axes, (name, values) in zip(panels, pair.items(), strict=True):
        image = draw_tissue(axes, index, values, name, cmap=VALUES, vmin=low, vmax=high)
    bar = panel.colorbar(image, ax=panels, shrink=0.85, pad=0.02, aspect=18)
    bar.set_label(f"log1p(counts\nper {format_number(maps.total)})", fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
    bar.locator = MaxNLocator(4)
    bar.update_ticks()
    bar.outline.set_visible(False)
    draw_scale_bar(panels[0], index.shape, um_per_map_px)

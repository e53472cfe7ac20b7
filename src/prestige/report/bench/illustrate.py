"""Which figures a report has, and of what: draws them, saves them, returns them for the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from prestige.analysis.analyse import Analysis
from prestige.analysis.summary import Summary
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.records.run import Run
from prestige.report.bench.figures import cost, curves, heatmap
from prestige.report.bench.maps import choose_genes, draw_maps, read_maps
from prestige.report.dataset.split import draw_sides
from prestige.report.grid import grid
from prestige.report.style import colours_of, drawing, save_figure
from prestige.text import number

MAP_SAMPLES = 2
MAP_FOLDS = 2


def illustrate(analysis: Analysis, folder: Path) -> dict[str, Any]:
    """Draw and save every figure; return them as SVG for the page."""
    bench, table = analysis.bench, analysis.summary.table
    encoders = table.loc[~table["baseline"], "name"].unique()
    colours = colours_of(encoders, baselines=table.loc[table["baseline"], "name"].unique())
    drawn: dict[str, Any] = {"cost": None, "curves": None}
    drawn |= {"maps": [], "map_notes": [], "map_label": "", "map_samples": 0}
    with drawing():
        rows, columns = grid(table)
        if columns:
            save_figure(heatmap(rows, columns), folder / "heatmap")
        if len(encoders) and table["score"].notna().any():
            drawn["cost"] = save_figure(cost(table, colours), folder / "cost")
        histories = _histories(bench)
        if len(histories):
            drawn["curves"] = save_figure(curves(histories, colours), folder / "curves")
        drawn["sides"] = [
            save_figure(draw_sides(sides, name), folder / f"split-{path.stem}")
            for path, sides, name in _sides(bench)
        ]
        if analysis.mapped is not None:
            drawn |= _maps(bench, analysis.summary, analysis.mapped, folder)
    return drawn


def _sides(bench: Bench) -> Iterator[tuple[Path, pd.DataFrame, str]]:
    """Yield the sides of the first folds, as the bench kept them."""
    for fold in bench.record.folds[:MAP_FOLDS]:
        path = bench.folder.sides(fold.index)
        if path.is_file():
            yield path, pd.read_parquet(path), f"fold {fold.index}: {fold.name}"


def _maps(bench: Bench, summary: Summary, shown: Configuration, folder: Path) -> dict[str, Any]:
    rows = summary.genes[summary.genes["configuration"] == shown].set_index("gene")
    groups = choose_genes(rows["pearson"])
    genes = [gene for group in groups.values() for gene in group]
    maps, notes, places = [], [], _map_places(bench, shown)
    for run, sample, _ in places[:MAP_SAMPLES]:
        read = read_maps(run, bench.truths, sample, genes)
        if isinstance(read, str):
            notes.append(read)
            continue
        of_run = run.scores[(run.scores["level"] == "gene") & (run.scores["metric"] == "pearson")]
        pearson = of_run[of_run["sample"].astype(str) == sample].set_index("name")["value"]
        name = re.sub(r"[^\w.-]", "_", f"maps-{sample}-fold-{run.fold}")
        svg = save_figure(draw_maps(read, groups, pearson), folder / name)
        maps.append({"title": f"{sample}, fold {run.fold}", "n": len(read.xy_um), "svg": svg})
    return {"maps": maps, "map_notes": notes, "map_label": shown.label, "map_samples": len(places)}


def _map_places(bench: Bench, shown: Configuration) -> list[tuple[Run, str, float]]:
    """Return the (run, sample) pairs of a configuration's first seed, those with most observations first."""
    places = []
    runs = [run for run in bench.runs if run.configuration == shown]
    first = min((run.seed for run in runs), default=0)
    for run in runs:
        if run.seed == first:
            sizes = run.scores[run.scores["level"] == "gene"].groupby("sample", observed=True)
            places += [(run, str(name), number(of_sample["n_obs"].max())) for name, of_sample in sizes]
    return sorted(places, key=lambda place: -place[2])


def _histories(bench: Bench) -> pd.DataFrame:
    """Return every validation score on its way: a row a run, phase and check."""
    parts = []
    for run in bench.runs:
        key = run.configuration
        rows = run.history[run.history["validation_score"].notna()]
        if key.baseline or key.control or rows.empty:
            continue
        seen = rows["step"] * number(run.manifest.batch_size)
        parts.append(rows.assign(name=key.name, patch_um=key.patch_um, run=run.folder.name, seen=seen))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

"""The tables of the page: genes, observations and runs."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from prestige.analysis.frames import own_score
from prestige.analysis.summary import Summary
from prestige.records.configuration import MEAN_BASELINE, Configuration
from prestige.records.folders import Bench
from prestige.report.rendering import CENTRED
from prestige.text import number, written


def run_rows(bench: Bench) -> tuple[list[str], list[list[str]]]:
    """Return the head and rows of the page's table of runs."""
    head = ["configuration", "fold", "seed", "Pearson", "learning rate", "best step", "steps",
            "observations seen", "epochs", "training, s", "total, s", "folder"]  # fmt: skip
    rows = []
    for run in bench.runs:
        known = run.manifest
        rows.append([
            run.configuration.label, known.fold_name or str(run.fold), str(run.seed),
            written(own_score(run), ".3f"), written(known.learning_rate, "g"),
            written(known.best_step, ".0f"), written(known.steps, ".0f"),
            written(known.observations_seen, ",.0f"), written(known.epochs_seen, ".1f"),
            written(known.seconds.train, ".0f"), written(known.seconds.total, ".0f"), run.folder.name,
        ])  # fmt: skip
    return head, rows


def gene_data(
    summary: Summary, best: Configuration | None, detected: pd.Series, ceilings: pd.DataFrame
) -> dict[str, Any]:
    """Return what the page's gene table shows: columns, and a row of values a gene.

    Columns: detection, the best configuration's Pearson, ridge's, and that of each other encoder at its own
    best patch; where there are ceilings, the gene's and the percentage of it that the best reaches; R2, MSE.
    """
    if best is None or summary.genes.empty:
        return {"columns": [], "rows": []}
    shown = [best, *_rivals(summary.table, best)]
    wide: dict[Any, Any] = {
        key: rows.set_index("gene") for key, rows in summary.genes.groupby("configuration", sort=False)
    }
    columns = [{"label": "detected", "hint": "% of obs.", "kind": "share"}]
    columns += [{"label": key.name, "hint": key.patch_label, "kind": "pearson"} for key in shown]
    if len(ceilings):
        columns += [{"label": "ceiling", "hint": "noise allows", "kind": "plain"}]
        columns += [{"label": "of it", "hint": f"%, {best.name}", "kind": "share"}]
    columns += [
        {"label": "R\N{SUPERSCRIPT TWO}", "hint": best.name, "kind": "plain"},
        {"label": "MSE", "hint": best.name, "kind": "plain"},
    ]
    rows = []
    for gene in wide[best].index:
        values = [100 * detected.get(gene, math.nan)]
        values += [wide[key]["pearson"].get(gene, math.nan) for key in shown]
        if len(ceilings):
            ceiling = ceilings["ceiling"].where(ceilings["usable"].astype(bool)).get(gene, math.nan)
            values += [ceiling, 100 * wide[best]["pearson"].get(gene, math.nan) / ceiling]
        values += [wide[best]["r2"].get(gene, math.nan), wide[best]["mse"].get(gene, math.nan)]
        rows.append([gene, *(round(float(v), 4) if math.isfinite(v) else None for v in values)])
    rows.sort(key=lambda row: -math.inf if row[2] is None else row[2], reverse=True)
    return {"columns": columns, "rows": rows}


def observation_data(summary: Summary, best: Configuration | None) -> dict[str, Any]:
    """Return the per-observation table: metrics, each with its centred one beside it, and rows of values."""
    table = summary.observations
    if table.empty or best is None:
        return {"metrics": [], "rows": []}
    wide = table.pivot_table(index="configuration", columns="metric", values="value", sort=False)
    order = [name for name in ("pearson", "spearman", "challenge_spearman", "cosine", "mse") if name in wide]
    metrics = []
    for name in order:
        metrics += [name] + ([name + CENTRED] if name + CENTRED in wide else [])
    shown = [best, *_rivals(summary.table, best, every_baseline=True)]
    rows = [
        {
            "label": key.label,
            "baseline": key.baseline,
            "scores": [number(wide.at[key, metric]) for metric in metrics],
        }
        for key in shown
        if key in wide.index
    ]
    mean = next((row["scores"] for row in rows if row["label"].startswith("training mean")), None)
    return {"metrics": metrics, "rows": rows, "mean": dict(zip(metrics, mean, strict=True)) if mean else {}}


def _rivals(table: pd.DataFrame, best: Configuration, *, every_baseline: bool = False) -> list[Configuration]:
    """Return each other encoder at its best patch, then ridge (or every baseline) at its best."""
    scored = table[table["compared"] & ~table["control"]]
    first = scored.sort_values("score", ascending=False, kind="stable").drop_duplicates("name")
    keys = [
        key
        for key in first["configuration"]
        if key.name != best.name and not key.diagnostic and not key.own_rates
    ]
    encoders = [key for key in keys if not key.baseline]
    baselines = [key for key in keys if key.baseline and (every_baseline or key.encoder != MEAN_BASELINE)]
    return encoders + baselines

"""The tables of a report, as CSV files and as what the page shows."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prestige.analysis.summary import Summary
from prestige.analysis.values import with_zeros
from prestige.records.configuration import MEAN_BASELINE, Configuration
from prestige.records.folders import Bench
from prestige.records.run import Run
from prestige.report.style import cell_colours
from prestige.text import format_number, number

_IDENTITY = ("encoder", "variant", "baseline", "pretrained", "patch_um", "input_px", "visible_um")
_RUN_FIELDS = (
    "fold", "fold_name", "seed", "steps", "batch_size", "observations_seen", "epochs_seen",
    "n_train", "n_validation", "n_test", "learning_rate", "best_step", "validation_score",
    "parameters", "flops", "peak_memory_bytes", "precision",
)  # fmt: skip
_STANDING = ("pearson", "pearson_low", "pearson_high", "best", "tied", "compared", "n_folds", "n_seeds")
_SPREAD = {
    "sd_seeds": "seeds",
    "sd_seeds_of_patient": "seeds_of_patient",
    "sd_patients": "patients",
    "n_patients": "n_patients",
    "sd_sections": "sections",
    "n_sections": "n_sections",
    "se_blocks": "blocks",
}
_COSTS = (
    "parameters", "flops", "train_seconds", "total_seconds", "steps", "observations_seen", "epochs_seen",
    "ms_per_observation",
)  # fmt: skip
CENTRED = "_centred"
LEAST_SPAN = 0.03


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Write each table as ``folder/<name>.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")


def runs_table(bench: Bench) -> pd.DataFrame:
    """Return a row a run: what it was, what it cost, and its score on its own fold."""
    rows = []
    for run in bench.runs:
        row: dict[str, Any] = {"folder": run.folder.name} | _identity(run.configuration)
        row["pearson"] = _own_score(run)
        row |= {name: getattr(run.manifest, name) for name in _RUN_FIELDS}
        row["learning_rates_tried"] = " ".join(f"{rate:g}" for rate in run.manifest.learning_rates_tried)
        seconds = run.manifest.seconds.model_dump(by_alias=True)
        row |= {f"{name}_seconds": value for name, value in seconds.items()}
        row["notes"] = " | ".join(run.manifest.notes)
        row["state"] = "finished"
        rows.append(row)
    rows += [{"folder": item.folder, "state": item.reason} for item in bench.missing]
    return pd.DataFrame(rows)


def run_rows(bench: Bench) -> tuple[list[str], list[list[str]]]:
    """Return the head and rows of the page's table of runs."""
    head = ["configuration", "fold", "seed", "Pearson", "learning rate", "best step", "steps",
            "observations seen", "epochs", "training, s", "total, s", "folder"]  # fmt: skip
    rows = []
    for run in bench.runs:
        known = run.manifest
        rows.append([
            run.configuration.label, known.fold_name or str(run.fold), str(run.seed),
            _written(_own_score(run), ".3f"), _written(known.learning_rate, "g"),
            _written(known.best_step, ".0f"), _written(known.steps, ".0f"),
            _written(known.observations_seen, ",.0f"), _written(known.epochs_seen, ".1f"),
            _written(known.seconds.train, ".0f"), _written(known.seconds.total, ".0f"), run.folder.name,
        ])  # fmt: skip
    return head, rows


def summary_table(summary: Summary) -> pd.DataFrame:
    """Return a row a configuration: score, interval, whether best or tied, spreads, costs, other scores."""
    table = with_identity(summary.table).rename(
        columns={"score": "pearson", "low": "pearson_low", "high": "pearson_high"}
    )
    for name, attribute in _SPREAD.items():
        table[name] = [getattr(one, attribute) for one in table["spread"]]
    common = with_zeros(summary.genes[summary.genes["gene"].isin(summary.common_genes)])
    means = common.groupby("configuration", sort=False)[["spearman", "r2", "mse"]].mean()
    means = means.rename(columns=lambda name: f"{name}_mean_over_genes").reset_index()
    kept = [*_IDENTITY, *_STANDING, *_SPREAD, *_COSTS]
    merged = table[["configuration", *kept]].merge(means, on="configuration", how="left")
    return merged.drop(columns="configuration")


def genes_table(summary: Summary, detection: pd.Series, ceilings: pd.DataFrame) -> pd.DataFrame:
    """Return a row a configuration and gene; ``detection`` is the share of observations with a count.

    ``ceiling`` is the correlation that counting noise allows, ``ceiling_lower`` its 95 % bound.
    """
    table = with_identity(summary.genes)
    table["detection"] = table["gene"].map(detection).astype(float)
    for name, source in (("ceiling", "ceiling"), ("ceiling_lower", "lower")):
        table[name] = table["gene"].map(ceilings[source]).astype(float)
    table["in_every_panel"] = table["gene"].isin(summary.common_genes)
    own = ["pearson", "spearman", "r2", "mse", "detection", "ceiling", "ceiling_lower", "in_every_panel"]
    return table[["gene", *_IDENTITY, *own]]


def observations_table(summary: Summary) -> pd.DataFrame:
    """Return a row a configuration and per-observation metric, the centred ones named ``*_centred``."""
    return with_identity(summary.observations)[[*_IDENTITY, "metric", "value"]]


def detection(truth_folders: Sequence[Path]) -> pd.Series:
    """Return for each gene the share of test observations with at least one count, over all samples kept."""
    import anndata

    seen: dict[str, np.ndarray] = {}
    for path in sorted(path for folder in truth_folders for path in folder.glob("fold-*/*.h5ad")):
        try:
            measured = anndata.read_h5ad(path)
        except (OSError, ValueError, KeyError):
            continue
        counts: Any = measured.X
        positive = np.asarray((counts > 0).sum(axis=0)).ravel()
        for gene, count in zip(measured.var_names, positive, strict=True):
            seen[gene] = seen.get(gene, np.zeros(2)) + (count, measured.n_obs)
    return pd.Series(
        {gene: part / whole if whole else math.nan for gene, (part, whole) in seen.items()}, dtype=float
    )


def grid(table: pd.DataFrame, *, controls: bool = False) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the heat map's rows (name, baseline, cells) and its column labels.

    A cell holds ``value``, ``low``, ``high``, ``mark`` ("best", "tied" or ""), ``ground`` and ``ink``; None
    where the configuration was not finished.  A baseline that looks at no patch, or at one of its own that no
    encoder has, fills its row.
    """
    kept: Any = (
        table[(table["control"] == controls) & table["compared"]] if controls else table[~table["control"]]
    )
    placed = kept[np.isfinite(kept["patch_um"].to_numpy(dtype=float))]
    if not placed["baseline"].all():
        placed = placed[~placed["baseline"]]
    keys = sorted(set(zip(placed["patch_um"], placed["input_px"], placed["visible_um"], strict=True)))
    low, high = _colour_range(kept)
    rows = []
    for name, of_name in kept.groupby("name", sort=False):
        by_key = {(row.patch_um, row.input_px, row.visible_um): row for row in of_name.itertuples()}
        blind = of_name["encoder"].iloc[0] == MEAN_BASELINE
        anywhere = next(
            (row for key, row in by_key.items() if blind or (row.baseline and key not in keys)), None
        )
        cells = [_cell(by_key.get(key, anywhere), low, high) for key in keys] or [_cell(anywhere, low, high)]
        first = of_name["configuration"].iloc[0]
        rows.append(
            {"name": str(name), "baseline": first.baseline, "diagnostic": first.diagnostic, "cells": cells}
        )
    return rows, _column_labels(keys)


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


def json_for_page(data: Any) -> str:
    """Write JSON that may stand inside a script element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


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


def _identity(key: Configuration) -> dict[str, Any]:
    found = {name: getattr(key, name) for name in _IDENTITY}
    for name in ("patch_um", "visible_um"):
        found[name] = found[name] if math.isfinite(found[name]) else None
    return found


def with_identity(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the columns that say which configuration a row is of, before its own."""
    known = {key: _identity(key) for key in table["configuration"].unique()}
    identity = pd.DataFrame(
        [known[key] for key in table["configuration"]], columns=list(_IDENTITY), index=table.index
    )
    return pd.concat([identity, table.drop(columns=[name for name in _IDENTITY if name in table])], axis=1)


def _written(value: Any, form: str) -> str:
    found = number(value)
    return format(found, form) if math.isfinite(found) else "\N{EN DASH}"


def _own_score(run: Run) -> float:
    scores = run.scores
    rows = scores[(scores["level"] == "genes") & (scores["name"] == "all") & (scores["metric"] == "pearson")]
    return float(rows.loc[rows["sample"].astype(str) != "all", "value"].mean()) if len(rows) else math.nan


def _colour_range(kept: Any) -> tuple[float, float]:
    """Return the range of the encoders' scores, so that baselines far below do not flatten it.

    It spans at least :data:`LEAST_SPAN`, so that equal scores look equal.
    """
    scores = kept.loc[~kept["baseline"], "score"].dropna()
    scores = scores if len(scores) else kept["score"].dropna()
    if not len(scores):
        return 0.0, 1.0
    high = float(scores.max())
    return min(float(scores.min()), high - LEAST_SPAN), high


def _cell(row: Any, low: float, high: float) -> dict[str, Any] | None:
    if row is None or not math.isfinite(row.score):
        return None
    ground, ink = cell_colours(row.score, low, high)
    width = (row.low, row.high) if row.high > row.low else (math.nan, math.nan)
    mark = "best" if row.best else "tied" if row.tied else ""
    return {"value": row.score, "low": width[0], "high": width[1], "mark": mark, "ground": ground, "ink": ink}


def _column_labels(keys: Sequence[tuple[float, int, float]]) -> list[str]:
    widths = [(um, visible) for um, _, visible in keys]
    labels = []
    for um, input_px, visible in keys:
        label = f"{format_number(um)} \N{MICRO SIGN}m"
        if math.isfinite(visible):
            label = f"{format_number(visible)} of {label}"
        labels.append(label if widths.count((um, visible)) == 1 else f"{label} ({input_px} px)")
    return labels

"""The tidy frames of an analysis: each row says what it is of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prestige.analysis.effects import Effects
from prestige.analysis.gene_sets.comparison import ScoredSet
from prestige.analysis.gene_sets.scores import SetScores
from prestige.analysis.summary import Summary
from prestige.analysis.values import with_zeros
from prestige.data.hdf5.whole import read_anndata
from prestige.errors import PrestigeError
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.records.run import Run

_IDENTITY = ("encoder", "variant", "baseline", "pretrained", "patch_um", "input_px", "visible_um")
_RUN_FIELDS = (
    "fold", "fold_name", "seed", "steps", "batch_size", "observations_seen", "epochs_seen",
    "n_train", "n_validation", "n_test", "learning_rate", "best_step", "validation_score",
    "parameters", "flops", "peak_memory_bytes", "precision",
)  # fmt: skip
_RESULT = ("pearson", "pearson_low", "pearson_high", "best", "tied", "compared", "n_folds", "n_seeds")
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


def runs_table(bench: Bench) -> pd.DataFrame:
    """Return a row a run: what it was, what it cost, and its score on its own fold."""
    rows = []
    for run in bench.runs:
        row: dict[str, Any] = {"folder": run.folder.name} | _identity(run.configuration)
        row["pearson"] = own_score(run)
        row |= {name: getattr(run.manifest, name) for name in _RUN_FIELDS}
        row["learning_rates_tried"] = " ".join(f"{rate:g}" for rate in run.manifest.learning_rates_tried)
        seconds = run.manifest.seconds.model_dump(by_alias=True)
        row |= {f"{name}_seconds": value for name, value in seconds.items()}
        row["notes"] = " | ".join(run.manifest.notes)
        row["state"] = "finished"
        rows.append(row)
    rows += [{"folder": item.folder, "state": item.reason} for item in bench.missing]
    return pd.DataFrame(rows)


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
    kept = [*_IDENTITY, *_RESULT, *_SPREAD, *_COSTS]
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
    columns = ["pearson", "spearman", "r2", "mse", "detection", "ceiling", "ceiling_lower", "in_every_panel"]
    return table[["gene", *_IDENTITY, *columns]]


def observations_table(summary: Summary) -> pd.DataFrame:
    """Return a row a configuration and per-observation metric, the centred ones named ``*_centred``."""
    return with_identity(summary.observations)[[*_IDENTITY, "metric", "value"]]


def sets_table(scored: Mapping[bool, list[ScoredSet]]) -> pd.DataFrame:
    """Return a row a gene set and configuration: score, interval, whether best or tied."""
    rows = []
    for of_group in scored.values():
        for one in of_group:
            for key, result in one.group.results.items():
                low, high = result.interval or (math.nan, math.nan)
                rows.append(
                    {
                        "gene_set": one.name, "n_genes": len(one.genes), "configuration": key,
                        "pearson": result.score, "pearson_low": low, "pearson_high": high,
                        "best": result.best, "tied": result.tied,
                    }
                )  # fmt: skip
    table = pd.DataFrame(rows)
    return with_identity(table).drop(columns="configuration") if rows else table


def set_scores_table(scores: SetScores) -> pd.DataFrame:
    """Return the table with the columns that say which configuration a row is of."""
    if scores.table.empty:
        return scores.table.drop(columns="configuration")
    return with_identity(scores.table).drop(columns="configuration")


def detection(truth_folders: Sequence[Path]) -> pd.Series:
    """Return for each gene the share of test observations with at least one count, over all samples kept."""
    seen: dict[str, np.ndarray] = {}
    for path in sorted(path for folder in truth_folders for path in folder.glob("fold-*/*.h5ad")):
        try:
            measured = read_anndata(path)
        except PrestigeError:
            continue
        counts: Any = measured.X
        positive = np.asarray((counts > 0).sum(axis=0)).ravel()
        for gene, count in zip(measured.var_names, positive, strict=True):
            seen[gene] = seen.get(gene, np.zeros(2)) + (count, measured.n_obs)
    return pd.Series(
        {gene: with_count / n_obs if n_obs else math.nan for gene, (with_count, n_obs) in seen.items()},
        dtype=float,
    )


def with_identity(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the columns that say which configuration a row is of, before its own."""
    known = {key: _identity(key) for key in table["configuration"].unique()}
    identity = pd.DataFrame(
        [known[key] for key in table["configuration"]], columns=list(_IDENTITY), index=table.index
    )
    return pd.concat([identity, table.drop(columns=[name for name in _IDENTITY if name in table])], axis=1)


def _identity(key: Configuration) -> dict[str, Any]:
    identity = {name: getattr(key, name) for name in _IDENTITY}
    for name in ("patch_um", "visible_um"):
        identity[name] = identity[name] if math.isfinite(identity[name]) else None
    return identity


def own_score(run: Run) -> float:
    """Return a run's score on its own fold: mean per-gene Pearson, over samples; NaN without any."""
    scores = run.scores
    rows = scores[(scores["level"] == "genes") & (scores["name"] == "all") & (scores["metric"] == "pearson")]
    return float(rows.loc[rows["sample"].astype(str) != "all", "value"].mean()) if len(rows) else math.nan


def effects_table(effects_of_groups: Mapping[bool, Effects]) -> pd.DataFrame:
    """Return a row a group and effect: its estimate and interval, or why it was not tested."""
    columns = ["pretrained", "effect", "estimate", "low", "high", "why_not"]
    rows = []
    for pretrained, effects in effects_of_groups.items():
        rows += [
            (pretrained, name, one.estimate, one.low, one.high, "") for name, one in effects.tested.items()
        ]
        rows += [(pretrained, name, None, None, None, lack) for name, lack in effects.untested.items()]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:5], float))

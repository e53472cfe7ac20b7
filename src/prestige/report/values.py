"""The values of every gene, and those of the observations: averaged over seeds, samples and folds."""

from __future__ import annotations

from typing import Any

import pandas as pd

from prestige.report.load import Configuration, Run

GENE_METRICS = ("pearson", "spearman", "r2", "mse")


def _unit_means(used: dict[Configuration, list[Run]], level: str) -> pd.DataFrame:
    """Return a level's scores averaged over seeds: a row a configuration, fold, sample, name, metric."""
    parts = []
    for i, runs in enumerate(used.values()):
        for run in runs:
            rows = run.scores.loc[run.scores["level"] == level, ["sample", "name", "metric", "value"]]
            parts.append(rows.assign(at=i, fold=run.fold))
    if not parts:
        return pd.DataFrame(columns=["at", "fold", "sample", "name", "metric", "value"])
    tidy = pd.concat(parts, ignore_index=True)
    tidy = tidy[tidy["sample"].astype(str) != "all"]
    keys = ["at", "fold", "sample", "name", "metric"]
    return tidy.groupby(keys, sort=False, observed=True)["value"].mean().reset_index()


def gene_table(used: dict[Configuration, list[Run]]) -> pd.DataFrame:
    """Return a row a configuration and gene: each metric's mean over seeds, then over samples and folds.

    Where the truth is constant a sample is left out.  A constant prediction counts 0 as soon as there is
    another sample or seed to average it with; where all are constant the correlation stays NaN.
    """
    parts = []
    for i, runs in enumerate(used.values()):
        for run in runs:
            rows: Any = run.scores[(run.scores["level"] == "gene") & run.scores["metric"].isin(GENE_METRICS)]
            rows = rows.assign(sample=rows["sample"].astype(str), name=rows["name"].astype(str))
            rows = rows[rows["sample"] != "all"]
            wide = rows.pivot(index=["sample", "name"], columns="metric", values="value")
            parts.append(wide.reindex(columns=list(GENE_METRICS)).reset_index().assign(at=i, fold=run.fold))
    if not parts:
        return pd.DataFrame(columns=["configuration", "gene", *GENE_METRICS])
    tidy, keys, metrics = pd.concat(parts, ignore_index=True), list(used), list(GENE_METRICS)
    units = with_zeros(tidy).groupby(["at", "name", "fold", "sample"])[metrics].mean()
    defined = tidy.groupby(["at", "name"])[metrics].count() > 0
    wide = units.groupby(level=["at", "name"]).mean().where(defined).reset_index()
    wide = wide.rename(columns={"name": "gene"})
    wide.columns.name = None
    wide.insert(0, "configuration", pd.Series([keys[int(i)] for i in wide["at"]], dtype=object))
    return wide.drop(columns="at")


def with_zeros(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores of genes with 0 for a correlation that only the prediction left undefined.

    R2 is undefined exactly where the truth is constant.
    """
    varies = scores["r2"].notna()
    filled = {name: scores[name].mask(varies & scores[name].isna(), 0.0) for name in ("pearson", "spearman")}
    return scores.assign(**filled)


def mean_table(used: dict[Configuration, list[Run]], level: str) -> pd.DataFrame:
    """Return a row a configuration and metric: the mean over samples."""
    units = _unit_means(used, level)
    if units.empty:
        return pd.DataFrame(columns=["configuration", "metric", "value"])
    means = units.groupby(["at", "metric"], sort=False, observed=True)["value"].mean().reset_index()
    keys = list(used)
    means.insert(0, "configuration", pd.Series([keys[int(i)] for i in means["at"]], dtype=object))
    return means.drop(columns="at")

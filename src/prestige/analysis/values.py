"""The values of every gene, and those of the observations: averaged over seeds, samples and folds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from prestige.metrics import HIGHER_IS_BETTER
from prestige.records.configuration import Configuration
from prestige.records.run import Run

GENE_METRICS = ("pearson", "spearman", "r2", "mse")
_ZERO = ("pearson", "spearman", "cosine")  # where only the prediction is constant


def gene_table(used: dict[Configuration, list[Run]]) -> pd.DataFrame:
    """Return a row a configuration and gene, as a table shows it: NaN where every prediction is constant.

    Otherwise the values are those of :func:`gene_values`.
    """
    columns, tables = list(GENE_METRICS), []
    for key, runs in used.items():
        tidy = _of_genes((run.fold, run.scores) for run in runs)
        defined = tidy.groupby("name").count() > 0
        wide = _mean_over_units(with_zeros(tidy)).where(defined).reindex(columns=columns)
        wide = wide.rename_axis("gene").reset_index()
        wide.insert(0, "configuration", pd.Series([key] * len(wide), dtype=object))
        tables.append(wide)
    return pd.concat(tables or [pd.DataFrame(columns=["configuration", "gene", *columns])], ignore_index=True)


def gene_values(scores_of: Iterable[tuple[int, pd.DataFrame]]) -> pd.DataFrame:
    """Return every per-gene metric by gene, as means over genes take it: over seeds, then samples and folds.

    Where the truth is constant a sample is left out.  A correlation or cosine that only the prediction leaves
    undefined counts 0, also where all are: a gene without a value would be left out of a mean, and that of
    a worse configuration would be better.

    Parameters
    ----------
    scores_of
        The fold and the tidy scores of each run.
    """
    return _mean_over_units(with_zeros(_of_genes(scores_of)))


def _of_genes(scores_of: Iterable[tuple[int, pd.DataFrame]]) -> pd.DataFrame:
    """Return a row a run, sample and gene, a column a metric."""
    parts = []
    for fold, scores in scores_of:
        rows: Any = scores[(scores["level"] == "gene") & (scores["sample"].astype(str) != "all")]
        rows = rows.assign(sample=rows["sample"].astype(str), name=rows["name"].astype(str))
        wide = rows.pivot(index=["sample", "name"], columns="metric", values="value")
        wide = wide.reindex(columns=[name for name in HIGHER_IS_BETTER if name in wide])
        parts.append(wide.reset_index().assign(fold=fold))
    tidy = pd.concat(parts, ignore_index=True)
    tidy.columns.name = None
    return tidy


def _mean_over_units(tidy: pd.DataFrame) -> pd.DataFrame:
    means = tidy.groupby(["name", "fold", "sample"]).mean().groupby(level="name").mean()
    means.index.name = None
    return means


def with_zeros(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores of genes with 0 for a correlation or cosine that only the prediction left undefined.

    R2 is undefined exactly where the truth is constant.
    """
    varies = scores["r2"].notna()
    there = [name for name in _ZERO if name in scores]
    return scores.assign(**{name: scores[name].mask(varies & scores[name].isna(), 0.0) for name in there})


def observation_table(used: dict[Configuration, list[Run]]) -> pd.DataFrame:
    """Return a row a configuration and metric of observations: mean over seeds, then samples and folds."""
    tables = []
    for key, runs in used.items():
        tidy = pd.concat([run.scores[run.scores["level"] == "obs"].assign(fold=run.fold) for run in runs])
        tidy = tidy[tidy["sample"].astype(str) != "all"]
        units = tidy.groupby(["fold", "sample", "name", "metric"], sort=False, observed=True)["value"].mean()
        means = units.groupby("metric", sort=False, observed=True).mean().reset_index()
        means.insert(0, "configuration", pd.Series([key] * len(means), dtype=object))
        tables.append(means)
    return pd.concat(
        tables or [pd.DataFrame(columns=["configuration", "metric", "value"])], ignore_index=True
    )

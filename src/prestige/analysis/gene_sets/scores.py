"""Scores of gene sets: mean, quartiles, share of the ceiling, and the excess over matched random sets.

Genes that are detected too rarely to say anything are counted apart.  One definition serves everywhere: the
lower bound of the gene's ceiling (:mod:`prestige.stats.ceilings`) is not above ``MIN_SHOWN``, or its truth
varies nowhere on the test side.  Where a bench keeps no ceilings, only the latter is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from prestige.analysis.gene_sets.comparison import set_config
from prestige.analysis.gene_sets.estimates import Estimate, Estimator, SetGenes
from prestige.analysis.summary import Summary
from prestige.analysis.values import gene_values
from prestige.genesets import GeneSetConfig, matched_random_sets
from prestige.genesets.settings import SHIPPED
from prestige.records.configuration import MEAN_BASELINE, Configuration
from prestige.records.folders import Bench
from prestige.records.run import Run
from prestige.stats.bootstrap import Seeds, draw
from prestige.stats.moments import Moments

_DRAWS = 1000  # of the blocks
MOST = 40  # sets that a figure or a table of a page can hold
_COLUMNS = ("configuration", *Estimate._fields)


@dataclass(frozen=True, eq=False)
class SetScores:
    """What becomes of the sets in each configuration.

    Attributes
    ----------
    table
        A row a configuration, set, ``genes`` ("all", "measurable" or "matched"), metric and statistic.
    sets
        Their genes, by name.
    matched_on
        What random sets were matched on, in words.
    draws
        Number of random sets.
    known_rare
        Whether ceilings say which genes are detected too rarely.
    reason
        Why there are no intervals, None where there are.
    """

    table: pd.DataFrame
    sets: dict[str, SetGenes]
    matched_on: str
    draws: int
    known_rare: bool
    reason: str | None

    def of(
        self, configuration: Configuration, genes: str, metric: str, statistic: str
    ) -> dict[str, Estimate]:
        """Return one statistic of one configuration by gene set, for the sets that have it."""
        rows = self.table[
            (self.table["configuration"] == configuration)
            & (self.table["genes"] == genes)
            & (self.table["metric"] == metric)
            & (self.table["statistic"] == statistic)
        ]
        records = rows[list(Estimate._fields)].itertuples(index=False, name=None)
        return {row[0]: Estimate(*row) for row in records}


def set_scores(
    bench: Bench, summary: Summary, genes_of: Mapping[str, Sequence[str]], ceilings: pd.DataFrame
) -> SetScores:
    """Score gene sets in every configuration that is compared.

    Parameters
    ----------
    bench, summary
        The bench, and its configurations on the folds and genes that they share.
    genes_of
        The genes of each set, all in every fold's panel.
    ceilings
        ``ceiling`` and ``lower`` by gene (:func:`prestige.analysis.ceilings.ceilings_of`), empty without any.
    """
    configurations = [key for key in summary.used if key.encoder != MEAN_BASELINE]
    config = set_config(bench)
    panel = summary.common_genes
    runs = {key: summary.used[key] for key in configurations}
    seeds = {key: seeds_of(of_key, panel) for key, of_key in runs.items()}
    values = {
        key: gene_values((run.fold, run.scores) for run in of_key).reindex(list(panel))
        for key, of_key in runs.items()
    }
    return score_sets_of((genes_of, config), panel, (seeds, values), ceilings, summary.patient_of)


def score_sets_of(
    wanted: tuple[Mapping[str, Sequence[str]], GeneSetConfig],
    panel: Sequence[str],
    scored: tuple[Mapping[Configuration, Seeds], Mapping[Configuration, pd.DataFrame]],
    ceilings: pd.DataFrame,
    patient_of: Mapping[str, str] | None = None,
) -> SetScores:
    """Score gene sets in some configurations of one panel, whatever they come from.

    Parameters
    ----------
    wanted
        The genes of each set, all in the panel, and how random sets are drawn.
    panel
        The g genes.
    scored
        Of each configuration its moments, seeds x folds, and every per-gene metric by gene of the panel.
    ceilings
        ``ceiling``, ``lower`` and ``usable`` by gene, empty without any.
    patient_of
        Sample -> patient.
    """
    (genes_of, config), (seeds, values) = wanted, scored
    if not genes_of or not seeds:
        return SetScores(pd.DataFrame(columns=list(_COLUMNS)), {}, "", config.draws, False, None)
    first = next(iter(seeds))
    folds = seeds[first][0]
    bound = ceilings.reindex(list(panel))
    known = bool(np.isfinite(bound["lower"].to_numpy(dtype=float)).any())
    ceiling = bound["ceiling"].to_numpy(dtype=float)
    measurable = values[first]["r2"].notna().to_numpy()
    if known:
        measurable &= bound["usable"].to_numpy() == True  # noqa: E712  NaN for genes without a ceiling
    features = np.column_stack([_mean_truth(folds), *([ceiling] if known else [])])
    features[~measurable] = np.nan
    sets = {
        name: _genes_of(name, set(genes), panel, measurable, features, config)
        for name, genes in genes_of.items()
    }
    plan = draw(folds, draws=_DRAWS, seed=0, patient_of=patient_of)
    estimator = Estimator(panel, sets, plan, ceiling if known else None)
    rows = [(key, *row) for key in seeds for row in estimator.estimates(seeds[key], values[key])]
    on = "mean expression and ceiling" if known else "mean expression"
    return SetScores(pd.DataFrame(rows, columns=list(_COLUMNS)), sets, on, config.draws, known, plan.reason)


def notable(scores: SetScores, shown: Configuration, most: int = MOST) -> tuple[str, ...]:
    """Return the sets that a page shows, in their order: all where they are few.

    Of many: the shipped ones, then those that lie farthest from their random sets on either side.
    """
    if len(scores.sets) <= most:
        return tuple(scores.sets)
    excess = scores.of(shown, "matched", "pearson", "excess")
    away = {name: abs(one.value) for name, one in excess.items() if math.isfinite(one.value)}
    ranked = sorted(scores.sets, key=lambda name: (name not in SHIPPED, -away.get(name, -1.0)))
    chosen = set(ranked[:most])
    return tuple(name for name in scores.sets if name in chosen)


def seeds_of(runs: Sequence[Run], panel: Sequence[str]) -> list[list[Moments]]:
    """Return the moments of one configuration, seeds x folds, on the genes of the panel."""
    by_fold: dict[int, list[Run]] = {}
    for run in runs:
        by_fold.setdefault(run.fold, []).append(run)
    n_seeds = min(len(of_fold) for of_fold in by_fold.values())
    return [
        [by_fold[fold][seed].moments.take_genes(panel) for fold in sorted(by_fold)] for seed in range(n_seeds)
    ]


def _mean_truth(folds: Sequence[Moments]) -> Float[np.ndarray, " g"]:
    """Return each gene's mean measured expression on the test side, mean over samples and folds."""
    means = [
        moments.sum_t[moments.sample == sample].sum(axis=0) / moments.n[moments.sample == sample].sum()
        for moments in folds
        for sample in np.unique(moments.sample)
    ]
    return np.mean(means, axis=0)


def _genes_of(
    name: str,
    genes: set[str],
    panel: Sequence[str],
    measurable: Bool[np.ndarray, " g"],
    features: Float[np.ndarray, "g f"],
    config: GeneSetConfig,
) -> SetGenes:
    members = [gene for gene in panel if gene in genes]
    fit = {gene for gene, here in zip(panel, measurable, strict=True) if here}
    # A rare member may not stand in for another: it has no features, as all rare genes.
    random = matched_random_sets(
        [gene for gene in members if gene in fit], panel, features, draws=config.draws, seed=config.seed
    )
    return SetGenes(name, tuple(members), tuple(gene for gene in members if gene not in fit), random)

"""Estimates of gene sets in one configuration after another, all on the same draws of blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from prestige.errors import DataError
from prestige.genesets import MIN_GENES, Excess, RandomSets, set_excess
from prestige.stats.bootstrap import Resampling, Seeds
from prestige.stats.gene_means import GeneDraws, quantile_bounds, quantiles, resample_genes
from prestige.stats.intervals import bounds, combine

QUANTILES = {"lower quartile": 0.25, "median": 0.5, "upper quartile": 0.75}
SUBSETS = ("all", "measurable")
FRACTION = "fraction of the ceiling"
LEVEL = 0.95
_P = np.array(list(QUANTILES.values()))
_NONE = (math.nan, math.nan)


class Estimate(NamedTuple):
    """One number of a set, of its ``genes`` so named; ``low`` and ``high`` are NaN without an interval."""

    gene_set: str
    genes: str
    n_genes: int
    n_rare: int
    metric: str
    statistic: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class SetGenes:
    """The genes of a set, and the random sets it is compared with; the same for every configuration.

    Attributes
    ----------
    genes
        Those in every fold's panel, in the panel's order.
    rare
        Those of them that are detected too rarely to say anything.
    random
        Sets like its other genes, drawn outside the set.
    """

    name: str
    genes: tuple[str, ...]
    rare: tuple[str, ...]
    random: RandomSets

    @property
    def compared(self) -> bool:
        """Whether enough genes have stand-ins for the set to be compared with random sets."""
        return len(self.random.genes) >= MIN_GENES

    @property
    def measurable(self) -> tuple[str, ...]:
        """The genes that are detected often enough."""
        return tuple(gene for gene in self.genes if gene not in self.rare)


class Estimator:
    """Makes the estimates of all sets in one configuration.

    Every mean over genes is a row of weights, so one pass over the draws serves all sets: of all genes, of
    the measurable ones, of these as a fraction of the ceiling (taken as known), of those that have
    stand-ins, and of the random sets together.

    Parameters
    ----------
    panel
        The g genes of the moments.
    sets
        By name.
    plan
        The draws.
    ceiling
        (g,) ceilings, None where there are none.
    """

    def __init__(
        self,
        panel: Sequence[str],
        sets: Mapping[str, SetGenes],
        plan: Resampling,
        ceiling: Float[np.ndarray, " g"] | None,
    ) -> None:
        self._place = {gene: i for i, gene in enumerate(panel)}
        self._sets, self._plan = sets, plan
        self._inverse = None if ceiling is None else 1 / np.where(ceiling > 0, ceiling, np.nan)
        self._rows: list[tuple[np.ndarray, np.ndarray]] = []
        self._number: dict[tuple[str, str], int] = {}
        for name, one in sets.items():
            self._add((name, "all"), self._positions(one.genes))
            self._add((name, "measurable"), self._positions(one.measurable))
            if self._inverse is not None:
                self._add((name, FRACTION), self._positions(one.measurable), self._inverse)
            if one.compared:
                self._add((name, "matched"), one.random.members)
                self._add((name, "random"), one.random.index.ravel())

    def _positions(self, genes: Sequence[str]) -> np.ndarray:
        return np.array([self._place[gene] for gene in genes], dtype=np.int64)

    def _add(self, key: tuple[str, str], positions: np.ndarray, scale: np.ndarray | None = None) -> None:
        """Add a mean over positions, unless there is none or it is there already under another name."""
        if not len(positions):
            return
        weights = np.bincount(positions, minlength=len(self._place)) / len(positions)
        factor = np.ones(len(weights)) if scale is None else np.where(weights > 0, scale, 0.0)
        for i, (other, its_factor) in enumerate(self._rows):
            if np.array_equal(other, weights) and np.array_equal(its_factor, factor):
                self._number[key] = i
                return
        self._number[key] = len(self._rows)
        self._rows.append((weights, factor))

    def estimates(self, seeds: Seeds, values: pd.DataFrame) -> list[Estimate]:
        """Return the estimates of one configuration.

        Parameters
        ----------
        seeds
            Its moments, seeds x folds, on the genes of the panel.
        values
            Every per-gene metric by gene of the panel, in its order.
        """
        weights, scale = np.array([row[0] for row in self._rows]), np.array([row[1] for row in self._rows])
        whole = resample_genes(self._plan.whole(), seeds, weights, scale)
        drawn = None if self._plan.reason else resample_genes(self._plan, seeds, weights, scale)
        found = []
        for name, one in self._sets.items():
            n_rare = len(one.rare)
            for subset, genes in zip(SUBSETS, (one.genes, one.measurable), strict=True):
                here = self._positions(genes)
                rows = self._of_subset((name, subset), here, whole, drawn) + _of_metrics(values, here)
                found += [Estimate(name, subset, len(genes), n_rare, *row) for row in rows]
            if one.compared:
                pearson = values["pearson"].to_numpy(dtype=float)
                excess = set_excess(pearson, one.random.members, one.random.index)
                rows = self._against_random(name, excess, whole, drawn)
                n_genes = len(one.random.genes)
                found += [Estimate(name, "matched", n_genes, n_rare, "pearson", *row) for row in rows]
        return found

    def _of_subset(
        self, at: tuple[str, str], here: np.ndarray, whole: GeneDraws, drawn: GeneDraws | None
    ) -> list[tuple[str, str, float, float, float]]:
        """Return Pearson's rows of some genes of a set, and those of the fraction of the ceiling."""
        wanted = [("pearson", at, np.ones(len(here)))]
        if at[1] == "measurable" and self._inverse is not None:
            wanted.append((FRACTION, (at[0], FRACTION), self._inverse[here]))
        found = []
        for metric, name, factor in wanted:
            if name not in self._number:
                continue
            i = self._number[name]
            ends = self._interval(np.eye(len(self._rows))[i], whole, drawn)
            found.append((metric, "mean", float(whole.means.scores[i, 0]), *ends))
            observed = whole.genes[0, here] * factor
            low, high = _quantile_ends(i, here, factor, whole, drawn)
            middle = quantiles(observed[None], _P)[:, 0]
            for j, word in enumerate(QUANTILES):
                found.append((metric, word, float(middle[j]), float(low[j]), float(high[j])))
        return found

    def _against_random(
        self, name: str, excess: Excess, whole: GeneDraws, drawn: GeneDraws | None
    ) -> list[tuple[str, float, float, float]]:
        """Return the mean of the matched genes, that of the random sets, the difference, and p."""
        unit, score = np.eye(len(self._rows)), whole.means.scores[:, 0]
        own, random = unit[self._number[name, "matched"]], unit[self._number[name, "random"]]
        return [
            ("mean", float(own @ score), *self._interval(own, whole, drawn)),
            ("random sets", float(random @ score), excess.random_low, excess.random_high),
            ("excess", float((own - random) @ score), *self._interval(own - random, whole, drawn)),
            ("p (descriptive)", excess.p, *_NONE),
        ]

    def _interval(
        self, weights: np.ndarray, whole: GeneDraws, drawn: GeneDraws | None
    ) -> tuple[float, float]:
        if drawn is None:
            return _NONE
        combined = combine(weights[None], whole.means.scores[:, 0], whole.means.covariances[0], drawn.means)
        try:
            (low,), (high,) = bounds(combined, LEVEL)
        except DataError:
            return _NONE
        return float(low), float(high)


def _of_metrics(values: pd.DataFrame, here: np.ndarray) -> list[tuple[str, str, float, float, float]]:
    """Return mean and quartiles of the other metrics, which have no intervals."""
    found = []
    for metric in (column for column in values if column != "pearson"):
        table = values[metric].to_numpy(dtype=float)[here]
        there = table[np.isfinite(table)]
        mean = float(there.mean()) if len(there) else math.nan
        found.append((str(metric), "mean", mean, *_NONE))
        middle = np.quantile(there, _P) if len(there) else np.full(len(_P), np.nan)
        found += [(str(metric), word, float(middle[j]), *_NONE) for j, word in enumerate(QUANTILES)]
    return found


def _quantile_ends(
    i: int, here: np.ndarray, factor: np.ndarray, whole: GeneDraws, drawn: GeneDraws | None
) -> tuple[np.ndarray, np.ndarray]:
    none = np.full(len(_P), np.nan)
    if drawn is None:
        return none, none
    errors = np.sqrt(np.maximum(drawn.means.covariances[:, i, i], 0.0))
    se = math.sqrt(max(float(whole.means.covariances[0, i, i]), 0.0))
    try:
        observed = whole.genes[0, here] * factor
        return quantile_bounds(drawn.genes[:, here] * factor, observed, (se, errors), _P, LEVEL)
    except DataError:
        return none, none

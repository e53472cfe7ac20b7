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
_AT_ONCE = 16  # sets of at most 5 rows each: 1,000 draws of their covariances are 50 MB


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


class _Rows:
    """The means over genes that some sets ask for: rows of weights and factors, each once.

    A set asks for the mean of all its genes, of the measurable ones, of these as a fraction of the ceiling,
    of those that have stand-ins, and of its random sets together.
    """

    def __init__(
        self,
        place: Mapping[str, int],
        sets: Mapping[str, SetGenes],
        inverse: Float[np.ndarray, " g"] | None,
    ) -> None:
        self.number: dict[tuple[str, str], int] = {}
        self._place = place
        self._rows: dict[tuple[bytes, bytes], tuple[np.ndarray, np.ndarray]] = {}
        for name, one in sets.items():
            self._add((name, "all"), self.positions(one.genes))
            self._add((name, "measurable"), self.positions(one.measurable))
            if inverse is not None:
                self._add((name, FRACTION), self.positions(one.measurable), inverse)
            if one.compared:
                self._add((name, "matched"), one.random.members)
                self._add((name, "random"), one.random.index.ravel())

    def positions(self, genes: Sequence[str]) -> np.ndarray:
        return np.array([self._place[gene] for gene in genes], dtype=np.int64)

    def _add(self, key: tuple[str, str], positions: np.ndarray, scale: np.ndarray | None = None) -> None:
        """Add a mean over positions, unless there is none or it is there already under another name."""
        if not len(positions):
            return
        weights = np.bincount(positions, minlength=len(self._place)) / len(positions)
        factor = np.ones(len(weights)) if scale is None else np.where(weights > 0, scale, 0.0)
        same = (weights.tobytes(), factor.tobytes())
        self._rows.setdefault(same, (weights, factor))
        self.number[key] = list(self._rows).index(same)

    def draws(self, plan: Resampling, seeds: Seeds) -> GeneDraws:
        """Return what becomes of the means in the draws of a plan."""
        weights, scale = (np.array(table) for table in zip(*self._rows.values(), strict=True))
        return resample_genes(plan, seeds, weights, scale)


@dataclass(frozen=True, eq=False)
class _Scored:
    """The rows of some sets: as observed, and in the draws (None where there are no intervals)."""

    rows: _Rows
    whole: GeneDraws
    drawn: GeneDraws | None

    def score(self, *keys: tuple[str, str]) -> tuple[float, float, float]:
        """Return a mean, or the first less the second, with its interval."""
        at = np.array([self.rows.number[key] for key in keys])
        scores, sign = self.whole.means.scores[:, 0], np.array([1.0, -1.0])[: len(at)]
        value = float(sign @ scores[at])
        if self.drawn is None:
            return value, *_NONE
        weights = np.zeros((1, len(scores)))
        weights[0, at] = sign
        combined = combine(weights, scores, self.whole.means.covariances[0], self.drawn.means)
        try:
            (low,), (high,) = bounds(combined, LEVEL)
        except DataError:
            return value, *_NONE
        return value, float(low), float(high)


class Estimator:
    """Makes the estimates of all sets in one configuration.

    Every mean over genes is a row of weights, so one pass over the draws serves many sets.  What is kept of
    a pass are the covariances of its rows, which only rows of one set need; so sets are taken a few at a
    time, and memory does not grow with the square of their number.

    Parameters
    ----------
    panel
        The g genes of the moments.
    sets
        By name.
    plan
        The draws.
    ceiling
        (g,) ceilings, taken as known; None where there are none.
    at_once
        How many sets share a pass over the draws.  No estimate depends on it.
    """

    def __init__(
        self,
        panel: Sequence[str],
        sets: Mapping[str, SetGenes],
        plan: Resampling,
        ceiling: Float[np.ndarray, " g"] | None,
        *,
        at_once: int = _AT_ONCE,
    ) -> None:
        self._place = {gene: i for i, gene in enumerate(panel)}
        self._sets, self._plan, self._at_once = sets, plan, at_once
        self._inverse = None if ceiling is None else 1 / np.where(ceiling > 0, ceiling, np.nan)

    def estimates(self, seeds: Seeds, values: pd.DataFrame) -> list[Estimate]:
        """Return the estimates of one configuration.

        Parameters
        ----------
        seeds
            Its moments, seeds x folds, on the genes of the panel.
        values
            Every per-gene metric by gene of the panel, in its order.
        """
        names = [name for name, one in self._sets.items() if one.genes]
        rows_of_sets: list[Estimate] = []
        for start in range(0, len(names), self._at_once):
            some = {name: self._sets[name] for name in names[start : start + self._at_once]}
            rows = _Rows(self._place, some, self._inverse)
            drawn = None if self._plan.reason else rows.draws(self._plan, seeds)
            scored = _Scored(rows, rows.draws(self._plan.whole(), seeds), drawn)
            for name in some:
                rows_of_sets += self._of_set(name, scored, values)
        return rows_of_sets

    def _of_set(self, name: str, scored: _Scored, values: pd.DataFrame) -> list[Estimate]:
        one, estimates = self._sets[name], []
        n_rare = len(one.rare)
        for subset, genes in zip(SUBSETS, (one.genes, one.measurable), strict=True):
            here = scored.rows.positions(genes)
            rows = self._of_subset((name, subset), here, scored) + _of_metrics(values, here)
            estimates += [Estimate(name, subset, len(genes), n_rare, *row) for row in rows]
        if one.compared:
            pearson = values["pearson"].to_numpy(dtype=float)
            excess = set_excess(pearson, one.random.members, one.random.index)
            n_genes = len(one.random.genes)
            rows = _against_random(name, excess, scored)
            estimates += [Estimate(name, "matched", n_genes, n_rare, "pearson", *row) for row in rows]
        return estimates

    def _of_subset(
        self, at: tuple[str, str], here: np.ndarray, scored: _Scored
    ) -> list[tuple[str, str, float, float, float]]:
        """Return Pearson's rows of some genes of a set, and those of the fraction of the ceiling."""
        wanted = [("pearson", at, np.ones(len(here)))]
        if at[1] == "measurable" and self._inverse is not None:
            wanted.append((FRACTION, (at[0], FRACTION), self._inverse[here]))
        statistics = []
        for metric, name, factor in wanted:
            if name not in scored.rows.number:
                continue
            statistics.append((metric, "mean", *scored.score(name)))
            observed = scored.whole.genes[0, here] * factor
            low, high = _quantile_ends(scored.rows.number[name], here, factor, scored.whole, scored.drawn)
            middle = quantiles(observed[None], _P)[:, 0]
            for j, word in enumerate(QUANTILES):
                statistics.append((metric, word, float(middle[j]), float(low[j]), float(high[j])))
        return statistics


def _against_random(name: str, excess: Excess, scored: _Scored) -> list[tuple[str, float, float, float]]:
    """Return the mean of the matched genes, that of the random sets, the difference, and p."""
    matched, random = (name, "matched"), (name, "random")
    return [
        ("mean", *scored.score(matched)),
        ("random sets", scored.score(random)[0], excess.random_low, excess.random_high),
        ("excess", *scored.score(matched, random)),
        ("p (descriptive)", excess.p, *_NONE),
    ]


def _of_metrics(values: pd.DataFrame, here: np.ndarray) -> list[tuple[str, str, float, float, float]]:
    """Return mean and quartiles of the other metrics, which have no intervals."""
    statistics = []
    for metric in (column for column in values if column != "pearson"):
        table = values[metric].to_numpy(dtype=float)[here]
        there = table[np.isfinite(table)]
        mean = float(there.mean()) if len(there) else math.nan
        statistics.append((str(metric), "mean", mean, *_NONE))
        middle = np.quantile(there, _P) if len(there) else np.full(len(_P), np.nan)
        statistics += [(str(metric), word, float(middle[j]), *_NONE) for j, word in enumerate(QUANTILES)]
    return statistics


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

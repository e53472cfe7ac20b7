"""Block bootstrap of the mean per-gene correlation, paired over configurations.

The statistic: Pearson per gene within a unit (a sample in a fold), mean over the genes whose truth
varies there, mean over units.  What is resampled: with at least :data:`MIN_PATIENTS` patients, the
patients and then the spatial blocks within them (estimand: these trained models on new patients);
with fewer, the blocks within each unit only (estimand: these trained models on new blocks of these
sections; nothing about other patients follows).  Each draw uses the same blocks for every
configuration, so differences between configurations are resampled too.

References
----------
Davison and Hinkley (1997), Bootstrap Methods and their Application, sections 3.8 and 8.3.
Hsu (1984), Constrained simultaneous confidence intervals for multiple comparisons with the best,
Annals of Statistics 12; Edwards and Hsu (1983), JASA 78, for unequal variances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from prestige.errors import DataError
from prestige.stats.moments import Moments, resampled_means

MIN_CLUSTERS = 10
MIN_PATIENTS = 10
_CHUNK = 1 << 20  # numbers of one (draws, genes) array in flight


@dataclass(frozen=True, eq=False)
class Unit:
    """The clusters of one sample in one fold: ``rows`` of that fold's moments."""

    fold: int
    sample: str
    patient: str
    rows: np.ndarray


@dataclass(frozen=True, eq=False)
class Resampling:
    """The draws, made once and used for every configuration.

    Attributes
    ----------
    units
        What the mean is taken over.
    weights
        For each unit (draws, blocks of the unit): how often each block was drawn.
    times
        (draws, units): how often each unit's patient was drawn.
    """

    units: tuple[Unit, ...]
    weights: tuple[np.ndarray, ...]
    times: np.ndarray
    by_patient: bool
    n_clusters: int


def units_of(folds: Sequence[Moments], patient_of: Mapping[str, str] | None = None) -> tuple[Unit, ...]:
    """Return the units of some folds' moments in a fixed order."""
    patient_of = patient_of or {}
    units = []
    for fold, moments in enumerate(folds):
        for name in np.unique(moments.sample):
            rows = np.flatnonzero((moments.sample == name) & (moments.n > 0))
            if len(rows):
                units.append(Unit(fold, str(name), patient_of.get(str(name), str(name)), rows))
    return tuple(units)


def draw(
    folds: Sequence[Moments], *, draws: int, seed: int, patient_of: Mapping[str, str] | None = None
) -> Resampling:
    """Draw blocks within units, and patients where there are enough of them.

    A patient drawn m times has m times as many blocks drawn, and counts m times in the mean.  A block
    that lies in several folds (the same tissue) is drawn alike in each.
    """
    units = units_of(folds, patient_of)
    patients = sorted({unit.patient for unit in units})
    by_patient = patient_of is not None and len(patients) >= MIN_PATIENTS
    rng = np.random.default_rng(seed)
    if by_patient:
        drawn = rng.multinomial(len(patients), np.full(len(patients), 1 / len(patients)), size=draws)
    else:
        drawn = np.ones((draws, len(patients)), dtype=np.int64)
    times = drawn[:, [patients.index(unit.patient) for unit in units]]
    weights: list[np.ndarray] = []
    known: dict[tuple[str, int], np.ndarray] = {}
    for u, unit in enumerate(units):
        keys = [(unit.sample, int(block)) for block in folds[unit.fold].block[unit.rows]]
        new = [key for key in keys if key not in known]
        if new:
            counts = rng.multinomial(len(new) * np.maximum(times[:, u], 1), np.full(len(new), 1 / len(new)))
            known.update(zip(new, counts.T, strict=True))
        weights.append(np.stack([known[key] for key in keys], axis=1).astype(np.float64))
    n_clusters = len(patients) if by_patient else len(known)
    return Resampling(units, tuple(weights), times, by_patient, n_clusters)


def resample(plan: Resampling, folds: Sequence[Moments]) -> Float[np.ndarray, " d"]:
    """Return the score of one configuration (one seed; its moments fold by fold) in every draw."""
    draws = len(plan.times)
    above, below = np.zeros(draws), np.zeros(draws)
    for u, unit in enumerate(plan.units):
        moments = folds[unit.fold]
        step = max(1, _CHUNK // max(1, len(moments.genes)))
        for start in range(0, draws, step):
            part = slice(start, start + step)
            score = resampled_means(plan.weights[u][part], moments, unit.rows)
            weight = plan.times[part, u] * np.isfinite(score)
            above[part] += weight * np.nan_to_num(score, nan=0.0)
            below[part] += weight
    return np.divide(above, below, out=np.full(draws, np.nan), where=below > 0)


def observed(folds: Sequence[Moments]) -> float:
    """Return the score itself: mean over genes, then over units; NaN when nothing varies."""
    scores = []
    for unit in units_of(folds):
        weights = np.ones((1, len(unit.rows)))
        scores.append(resampled_means(weights, folds[unit.fold], unit.rows)[0])
    finite = np.isfinite(scores)
    return float(np.mean(np.array(scores)[finite])) if finite.any() else float("nan")


def block_bootstrap(
    moments: Sequence[Moments],
    *,
    draws: int = 1000,
    seed: int = 0,
    patient_of: Mapping[str, str] | None = None,
) -> Float[np.ndarray, "k d"]:
    """Return paired draws of the mean per-gene Pearson of k configurations scored on the same observations.

    Raises
    ------
    DataError
        When they were scored on different observations or genes.
    """
    first = moments[0]
    for other in moments[1:]:
        if not same_observations(first, other) or first.genes != other.genes:
            raise DataError("configurations were scored on different observations or genes")
    plan = draw([first], draws=draws, seed=seed, patient_of=patient_of)
    return np.stack([resample(plan, [one]) for one in moments])


def same_observations(a: Moments, b: Moments) -> bool:
    """Tell whether two moments are over the same clusters of the same size."""
    return (
        np.array_equal(a.sample, b.sample) and np.array_equal(a.block, b.block) and np.array_equal(a.n, b.n)
    )


def interval(draws: Float[np.ndarray, " d"], level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of some draws; draws that are NaN are left out.

    Raises
    ------
    DataError
        When no draw is finite.
    """
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        raise DataError("no draw has a score", expected="at least one gene that varies")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True, eq=False)
class WithBest:
    """How far the best lies above each of k configurations, with simultaneous bounds.

    ``tied[i]`` says that configuration i cannot be told from the best: ``low[i] == 0``.
    """

    gap: Float[np.ndarray, " k"]
    low: Float[np.ndarray, " k"]
    high: Float[np.ndarray, " k"]
    tied: Bool[np.ndarray, " k"]


def not_distinguishable_from_best(
    scores: Float[np.ndarray, " k"],
    draws: Float[np.ndarray, "k d"],
    *,
    n_clusters: int,
    level: float = 0.95,
) -> tuple[WithBest | None, str | None]:
    """Compare all configurations with the best at once; None and the reason below 10 clusters.

    For each configuration i the critical value c_i is the ``level`` quantile over the draws of
    max_j (D*_ji - D_ji) / se_ji, with D_ji the score of j less that of i (max-T).  i is told from the
    best when D_ji > c_i se_ji for some j.  The truly best one is among the tied ones with at least
    that confidence whichever it is, so picking the best-looking one from the same data costs
    nothing; bounds on (best - i) are those of Edwards and Hsu and hold for all i at once.
    """
    if n_clusters < MIN_CLUSTERS:
        return None, (
            f"no interval: {n_clusters} clusters (patients or spatial blocks) are too few, "
            f"at least {MIN_CLUSTERS} are needed"
        )
    draws = draws[:, np.isfinite(draws).all(axis=0)]
    if draws.shape[1] < 2 or not np.isfinite(scores).all():
        return None, "no interval: a configuration has no score"
    k = len(scores)
    reach = np.zeros((k, k))  # reach[i, j]: how far j may lie above i by chance
    for i in range(k):
        deviation = (draws - draws[i]) - (scores - scores[i])[:, None]
        spread = (draws - draws[i]).std(axis=1, ddof=1)
        t = np.divide(deviation, spread[:, None], out=np.zeros_like(deviation), where=spread[:, None] > 0)
        reach[i] = max(0.0, float(np.quantile(t.max(axis=0), level))) * spread
    above = scores[None, :] - scores[:, None]  # above[i, j]: j less i
    low = np.maximum((above - reach).max(axis=1), 0.0)
    tied = low <= 0
    # The true best is one of the tied: i lies below it by no more than below any of them.
    upper = np.where(tied[None, :] & ~np.eye(k, dtype=bool), above + reach.T, 0.0)
    return WithBest(gap=above.max(axis=1), low=low, high=np.maximum(upper.max(axis=1), 0.0), tied=tied), None

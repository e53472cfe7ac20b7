"""Configurations side by side: score, confidence interval, distance to the best, confidence set of the best.

Works on arrays alone: :func:`~prestige.stats.moments.moments_of` sums a prediction and its truth over
spatial blocks, :func:`compare` takes these sums.  No run folder is needed.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float

from prestige.errors import ConfigError, DataError
from prestige.stats.bootstrap import (
    MIN_PATIENTS,
    Draws,
    PatientDraws,
    Resampling,
    draw,
    resample,
    same_observations,
)
from prestige.stats.intervals import DistanceToBest, bounds, combine, compare_with_best
from prestige.stats.moments import Moments, centred

# Truths of one fold may differ by the rounding of another machine's logarithm, not by more.
_SAME_TRUTH = 1e-5

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Compared:
    """One configuration among others; scores are mean per-gene Pearson correlations.

    Attributes
    ----------
    score
        Mean over genes, then over (sample, fold), then over seeds.
    low, high
        Studentised confidence interval of the score by itself; None when there are too few clusters.
    gap, gap_low, gap_high
        How far the best lies above this one, and bounds that hold for all configurations at once.
    tied
        Whether it is in the confidence set of the best, not to be told from it (without bounds, all are).
    by_seed
        The score of each seed, in the order given.
    se
        Standard error of the score, None where there is no interval.
    """

    score: float
    low: float | None
    high: float | None
    gap: float
    gap_low: float | None
    gap_high: float | None
    tied: bool
    by_seed: tuple[float, ...]
    se: float | None


@dataclass(frozen=True, eq=False)
class Comparison(Generic[K]):
    """All configurations, the best of them, and what the numbers rest on.

    Attributes
    ----------
    note
        A sentence on the estimand and on what is missing.
    reason
        Why there is no interval; None where there are intervals.
    draws
        The paired draws of the scores, (configurations in the order of ``rows``, draws).
    covariance, draw_covariances
        Of the scores, by the infinitesimal jackknife: as observed, and as each draw would have given it.
        With them and ``draws`` any linear combination of scores has a studentised interval (``effects.py``).
    """

    rows: dict[K, Compared]
    best: K
    note: str
    cluster: str
    n_clusters: int
    n_blocks: dict[str, int]
    n_folds: int
    genes: tuple[str, ...]
    n_genes_scored: int
    level: float
    draws: Float[np.ndarray, "k d"]
    covariance: Float[np.ndarray, "k k"]
    draw_covariances: Float[np.ndarray, "d k k"]
    reason: str | None

    @property
    def scores(self) -> Float[np.ndarray, " k"]:
        """The scores in the order of ``rows``."""
        return np.array([row.score for row in self.rows.values()])

    @property
    def tied(self) -> tuple[K, ...]:
        """The confidence set of the best: those that cannot be told from it, itself among them."""
        return tuple(key for key, row in self.rows.items() if row.tied)


def compare(
    configs: Mapping[K, Moments | Sequence[Moments]],
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    patient_of: Mapping[str, str] | None = None,
    genes: Sequence[str] | None = None,
) -> Comparison[K]:
    """Compare configurations by their mean per-gene Pearson correlation on the same test observations.

    Parameters
    ----------
    configs
        For each configuration the moments of its run or runs.  Runs on the same observations are seeds of
        one fold and are averaged first; runs on different ones are folds of a cross-validation, and the mean
        is over (sample, fold).
    draws, seed, level
        Of the bootstrap.
    patient_of
        The patient of each sample.  With at least 10 patients these are resampled, then blocks within
        them, and the estimand is the expected score of these trained models on a new patient.  Otherwise
        blocks alone, and it is their score over the tissue of which the blocks of these sections are a
        sample.  ``note`` says which.
    genes
        Restrict to these (a gene set); left out, all genes that every fold's panel has.

    Raises
    ------
    ConfigError
        When the level is not between 0 and 1, or fewer than two draws are asked for.
    DataError
        When there is nothing to compare: no configuration, no fold or gene in common, nothing that varies;
        or when configurations were scored against different truths.

    Examples
    --------
    Two predictions of three genes, one with less noise, on two sections of 2 x 2 mm:

    >>> import numpy as np
    >>> from prestige.stats import moments_of, spatial_blocks
    >>> rng = np.random.default_rng(0)
    >>> xy_um, section = rng.uniform(0, 2000, (4000, 2)), np.repeat(["S1", "S2"], 2000)
    >>> truth = rng.normal(size=(4000, 3))
    >>> close, far = (truth + noise * rng.normal(size=truth.shape) for noise in (1.0, 3.0))
    >>> blocks = spatial_blocks(xy_um, 250.0)
    >>> moments = {
    ...     name: moments_of(pred, truth, section, blocks, ("A", "B", "C"))
    ...     for name, pred in {"close": close, "far": far}.items()
    ... }
    >>> comparison = compare(moments)
    >>> comparison.best, comparison.tied
    ('close', ('close',))
    >>> far = comparison.rows["far"]
    >>> far.low < far.score < far.high  # confidence interval of its mean per-gene Pearson correlation
    True
    >>> 0 < far.gap_low < far.gap < far.gap_high  # how far the best lies above it
    True
    >>> comparison.cluster, comparison.n_clusters
    ('block', 128)
    """
    if not 0 < level < 1:
        raise ConfigError(f"the level is {level}", where="compare", expected="a number between 0 and 1")
    runs = {key: [one] if isinstance(one, Moments) else one for key, one in configs.items()}
    table, left_out = _by_seed_and_fold(runs)
    names = _common_genes(table, genes)
    table = {key: [[m.take_genes(names) for m in folds] for folds in seeds] for key, seeds in table.items()}
    reference = next(iter(table.values()))[0]
    _check_truth(table)
    plan = draw(reference, draws=draws, seed=seed, patient_of=patient_of)
    scores, covariance, by_seed = _observed(plan, table)
    if not np.isfinite(scores).all():
        raise DataError("nothing to compare: no gene varies on the test side", where="compare")
    k, reason = len(table), plan.reason
    drawn, with_best, ends = Draws(np.empty((k, 0)), np.empty((0, k, k))), None, None
    if reason is None:
        drawn = resample(plan, list(table.values()))
        with_best, reason = compare_with_best(scores, covariance, drawn, level=level)
    if with_best is not None:
        try:
            ends = _intervals(scores, covariance, drawn, level)
        except DataError as error:  # in hardly any draw does one block differ from another
            with_best, reason = None, str(error)
    return Comparison(
        rows={key: _row(i, scores, by_seed[i], ends, with_best) for i, key in enumerate(table)},
        best=list(table)[int(np.argmax(scores))],
        note=_note(plan, reason, left_out),
        cluster="patient" if isinstance(plan, PatientDraws) else "block",
        n_clusters=plan.n_clusters,
        n_blocks=_n_blocks(plan, reference),
        n_folds=len(reference),
        genes=names,
        n_genes_scored=_n_varying(reference),
        level=level,
        draws=drawn.scores,
        covariance=covariance,
        draw_covariances=drawn.covariances,
        reason=reason,
    )


def _check_truth(table: Mapping[K, list[list[Moments]]]) -> None:
    """Refuse configurations whose truth differs: one resampled truth serves them all."""
    reference = next(iter(table.values()))[0]
    for key, seeds in table.items():
        for folds in seeds:
            for own, first in zip(folds, reference, strict=True):
                for name in ("sum_t", "sum_tt"):
                    a, b = getattr(own, name), getattr(first, name)
                    if a is not b and not np.allclose(a, b, rtol=_SAME_TRUTH, atol=_SAME_TRUTH):
                        raise DataError(
                            f"'{key}' was scored against another truth than the first configuration",
                            where="compare",
                            expected="one panel and one normalisation for all",
                            remedy="compare runs of one bench",
                        )


def _observed(
    plan: Resampling, table: Mapping[K, list[list[Moments]]]
) -> tuple[np.ndarray, np.ndarray, list[tuple[float, ...]]]:
    """Return scores, their covariance, and the scores of each seed."""
    configs = list(table.values())
    of_runs = resample(plan.whole(), [[folds] for seeds in configs for folds in seeds])
    sizes = [len(seeds) for seeds in configs]
    mean = np.repeat(np.eye(len(configs)) / np.array(sizes), sizes, axis=1)
    by_seed = np.split(of_runs.scores[:, 0], np.cumsum(sizes)[:-1])
    covariance = mean @ of_runs.covariances[0] @ mean.T
    return mean @ of_runs.scores[:, 0], covariance, [tuple(map(float, seeds)) for seeds in by_seed]


def _intervals(
    scores: np.ndarray, covariance: np.ndarray, drawn: Draws, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return lower ends, upper ends and standard errors of the scores, each by itself."""
    low, high, se = np.empty((3, len(scores)))
    for i in range(len(scores)):
        one = combine(np.eye(len(scores))[[i]], scores, covariance, drawn)
        (low[i],), (high[i],) = bounds(one, level)
        se[i] = one.se[0]
    return np.clip(low, -1.0, 1.0), np.clip(high, -1.0, 1.0), se


def _by_seed_and_fold(
    configs: Mapping[K, Sequence[Moments]],
) -> tuple[dict[K, list[list[Moments]]], tuple[int, int]]:
    """Return for each configuration seeds x folds, on the folds that all have; folds and runs left out."""
    if not configs or not all(configs.values()):
        raise DataError(
            "nothing to compare", where="compare", expected="at least one finished run a configuration"
        )
    folds: list[Moments] = []  # the first moments seen on each set of observations
    found: dict[K, dict[int, list[Moments]]] = {}
    for key, runs in configs.items():
        found[key] = {}
        for run in runs:
            fold = next((i for i, other in enumerate(folds) if same_observations(run, other)), len(folds))
            if fold == len(folds):
                folds.append(run)
            found[key].setdefault(fold, []).append(run)
    common = [fold for fold in range(len(folds)) if all(fold in runs for runs in found.values())]
    if not common:
        raise DataError(
            "the configurations were not scored on the same observations",
            where="compare",
            expected="at least one fold that all have in common",
            remedy="finish the runs, or compare those of one split only",
        )
    table, n_spare = {}, 0
    for key, runs in found.items():
        n_seeds = min(len(runs[fold]) for fold in common)
        n_spare += sum(len(runs[fold]) - n_seeds for fold in common)
        table[key] = [[runs[fold][s] for fold in common] for s in range(n_seeds)]
    return table, (len(folds) - len(common), n_spare)


def _common_genes(table: Mapping[K, list[list[Moments]]], wanted: Sequence[str] | None) -> tuple[str, ...]:
    moments = [m for seeds in table.values() for folds in seeds for m in folds]
    shared = set(moments[0].genes).intersection(*(m.genes for m in moments))
    if wanted is not None:
        shared &= set(wanted)
    names = tuple(gene for gene in moments[0].genes if gene in shared)
    if not names:
        raise DataError("no gene is in the panel of every fold", where="compare", expected="at least one")
    return names


def _row(
    i: int,
    scores: np.ndarray,
    by_seed: tuple[float, ...],
    ends: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
    with_best: DistanceToBest | None,
) -> Compared:
    return Compared(
        score=float(scores[i]),
        low=None if ends is None else float(ends[0][i]),
        high=None if ends is None else float(ends[1][i]),
        gap=float(scores.max() - scores[i]),
        gap_low=None if with_best is None else float(with_best.low[i]),
        gap_high=None if with_best is None else float(with_best.high[i]),
        tied=True if with_best is None else bool(with_best.tied[i]),
        by_seed=by_seed,
        se=None if ends is None else float(ends[2][i]),
    )


def _n_blocks(plan: Resampling, folds: Sequence[Moments]) -> dict[str, int]:
    found: dict[str, set[int]] = {}
    for unit in plan.units:
        found.setdefault(unit.sample, set()).update(int(b) for b in folds[unit.fold].block[unit.rows])
    return {sample: len(blocks) for sample, blocks in found.items()}


def _n_varying(folds: Sequence[Moments]) -> int:
    """Count the genes whose truth varies in at least one sample of a fold."""
    varies = np.zeros(len(folds[0].genes), dtype=bool)
    for moments in folds:
        for sample in np.unique(moments.sample):
            rows = moments.sample == sample
            n, t, tt = (sums[rows].sum(axis=0) for sums in (moments.n, moments.sum_t, moments.sum_tt))
            varies |= centred(np.array([float(n)]), t[None], tt[None])[0] > 0
    return int(varies.sum())


def _note(plan: Resampling, reason: str | None, left_out: tuple[int, int]) -> str:
    patients = len({unit.patient for unit in plan.units})
    alone = sorted({unit.sample for unit in plan.units if len(unit.rows) < 2})
    if reason:
        parts = [reason]
    elif isinstance(plan, PatientDraws):
        parts = [
            f"{patients} patients resampled, then spatial blocks within them: these models on new patients"
        ]
    else:
        parts = [
            f"{plan.n_clusters} spatial blocks of {_several(len({u.sample for u in plan.units}), 'section')} "
            "resampled: these models on new blocks of this tissue; nothing about other patients follows, "
            f"which takes {MIN_PATIENTS} patients of whom none was trained on"
        ]
        if alone:
            parts.append(
                f"{', '.join(alone)} has a single block, whose own uncertainty is not in the interval"
            )
    n_folds, n_runs = left_out
    if n_folds:
        parts.append(f"{_several(n_folds, 'fold')} left out that not every configuration has finished")
    if n_runs:
        parts.append(f"{_several(n_runs, 'run')} left out whose seed not every fold has finished")
    return "; ".join(parts) + "."


def _several(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")

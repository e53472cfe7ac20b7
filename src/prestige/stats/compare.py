"""Configurations side by side: score, interval, distance to the best, and who cannot be told from it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float

from prestige.errors import DataError
from prestige.stats.bootstrap import (
    MIN_CLUSTERS,
    MIN_PATIENTS,
    Resampling,
    WithBest,
    draw,
    interval,
    not_distinguishable_from_best,
    observed,
    resample,
    same_observations,
)
from prestige.stats.moments import Moments, centred

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Compared:
    """One configuration among others; scores are mean per-gene Pearson correlations.

    Attributes
    ----------
    score
        Mean over genes, then over (sample, fold), then over seeds.
    low, high
        Interval of the score by itself; None when there are too few clusters.
    gap, gap_low, gap_high
        How far the best lies above this one, and bounds that hold for all configurations at once.
    tied
        Whether it cannot be told from the best (without bounds, none can).
    by_seed
        The score of each seed, in the order given.
    """

    score: float
    low: float | None
    high: float | None
    gap: float
    gap_low: float | None
    gap_high: float | None
    tied: bool
    by_seed: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Comparison(Generic[K]):
    """All configurations, the best of them, and what the numbers rest on.

    ``note`` is a sentence on the estimand and on what is missing; ``draws`` holds the paired draws,
    (configurations in the order of ``rows``, draws).
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

    @property
    def tied(self) -> tuple[K, ...]:
        """The configurations that cannot be told from the best, itself among them."""
        return tuple(key for key, row in self.rows.items() if row.tied)


def compare(
    configs: Mapping[K, Sequence[Moments]],
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
        For each configuration the moments of its runs.  Runs on the same observations are seeds of one
        fold and are averaged first; runs on different ones are folds, and the mean is over (sample, fold).
    draws, seed, level
        Of the bootstrap.
    patient_of
        The patient of each sample.  With at least 10 patients these are resampled, then blocks within
        them; otherwise blocks alone, and the estimand is "these sections, new blocks".
    genes
        Restrict to these (a gene set); left out, all genes that every fold's panel has.

    Raises
    ------
    DataError
        When there is nothing to compare: no configuration, no fold or gene in common, nothing that varies.
    """
    table, n_left_out = _by_seed_and_fold(configs)
    names = _common_genes(table, genes)
    table = {key: [[m.take_genes(names) for m in folds] for folds in seeds] for key, seeds in table.items()}
    reference = next(iter(table.values()))[0]
    by_seed = {key: tuple(observed(folds) for folds in seeds) for key, seeds in table.items()}
    scores = np.array([np.mean(values) for values in by_seed.values()])
    if not np.isfinite(scores).all():
        raise DataError("nothing to compare: no gene varies on the test side", where="compare")
    plan = draw(reference, draws=draws, seed=seed, patient_of=patient_of)
    enough = plan.n_clusters >= MIN_CLUSTERS
    drawn = np.empty((len(table), 0))
    if enough:
        drawn = np.stack([_mean_over_seeds(plan, seeds) for seeds in table.values()])
    with_best, reason = not_distinguishable_from_best(scores, drawn, n_clusters=plan.n_clusters, level=level)
    keys = list(table)
    rows = {
        key: _row(i, scores, drawn if with_best else None, with_best, level, by_seed[key])
        for i, key in enumerate(keys)
    }
    return Comparison(
        rows=rows,
        best=keys[int(np.argmax(scores))],
        note=_note(plan, reason, n_left_out),
        cluster="patient" if plan.by_patient else "block",
        n_clusters=plan.n_clusters,
        n_blocks=_n_blocks(plan, reference),
        n_folds=len(reference),
        genes=names,
        n_genes_scored=_n_varying(reference),
        level=level,
        draws=drawn,
    )


def _by_seed_and_fold(configs: Mapping[K, Sequence[Moments]]) -> tuple[dict[K, list[list[Moments]]], int]:
    """Return for each configuration seeds x folds, on the folds that all have, and the number left out."""
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
    table = {}
    for key, runs in found.items():
        n_seeds = min(len(runs[fold]) for fold in common)
        table[key] = [[runs[fold][s] for fold in common] for s in range(n_seeds)]
    return table, len(folds) - len(common)


def _common_genes(table: Mapping[K, list[list[Moments]]], wanted: Sequence[str] | None) -> tuple[str, ...]:
    moments = [m for seeds in table.values() for folds in seeds for m in folds]
    shared = set(moments[0].genes).intersection(*(m.genes for m in moments))
    if wanted is not None:
        shared &= set(wanted)
    names = tuple(gene for gene in moments[0].genes if gene in shared)
    if not names:
        raise DataError("no gene is in the panel of every fold", where="compare", expected="at least one")
    return names


def _mean_over_seeds(plan: Resampling, seeds: list[list[Moments]]) -> np.ndarray:
    return np.mean([resample(plan, folds) for folds in seeds], axis=0)


def _row(
    i: int,
    scores: np.ndarray,
    drawn: np.ndarray | None,
    with_best: WithBest | None,
    level: float,
    by_seed: tuple[float, ...],
) -> Compared:
    low, high = interval(drawn[i], level) if drawn is not None else (None, None)
    return Compared(
        score=float(scores[i]),
        low=low,
        high=high,
        gap=float(scores.max() - scores[i]),
        gap_low=None if with_best is None else float(with_best.low[i]),
        gap_high=None if with_best is None else float(with_best.high[i]),
        tied=True if with_best is None else bool(with_best.tied[i]),
        by_seed=by_seed,
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
            n, t, tt = (
                moments.n[rows].sum(),
                moments.sum_t[rows].sum(axis=0),
                moments.sum_tt[rows].sum(axis=0),
            )
            varies |= centred(np.array([float(n)]), t[None], tt[None])[0] > 0
    return int(varies.sum())


def _note(plan: Resampling, reason: str | None, n_left_out: int) -> str:
    patients = len({unit.patient for unit in plan.units})
    if plan.by_patient:
        parts = [
            f"{patients} patients resampled, then spatial blocks within them: these models on new patients"
        ]
    else:
        sections = len({unit.sample for unit in plan.units})
        parts = [
            f"{plan.n_clusters} spatial blocks of {'1 section' if sections == 1 else f'{sections} sections'} "
            "resampled: these models on new blocks of this tissue; nothing about other patients follows, "
            f"which takes {MIN_PATIENTS} patients of whom none was trained on"
        ]
    alone = sorted({unit.sample for unit in plan.units if len(unit.rows) < 2})
    if reason:
        parts = [reason]
    elif alone and not plan.by_patient:
        parts.append(f"{', '.join(alone)} has a single block, whose own uncertainty is not in the interval")
    if n_left_out:
        folds = "1 fold" if n_left_out == 1 else f"{n_left_out} folds"
        parts.append(f"{folds} left out that not every configuration has finished")
    return "; ".join(parts) + "."

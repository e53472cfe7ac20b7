"""Effects on gene sets: what configurations bring on some genes, less what they bring on others.

"Do the immune genes gain more from a wider patch than all genes do?" is one linear combination of means over
genes, of several configurations at once.  Its influence function is the same combination of theirs
(``gene_means.py``), so its interval is studentised as those of ``effects.py`` are, from the same draws.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float

from prestige.errors import DataError
from prestige.stats.bootstrap import Draws, Resampling, Seeds, draw
from prestige.stats.effects import Contrast, as_contrasts, check_contrast
from prestige.stats.gene_means import covariances_of, draws_in_flight, moved_means
from prestige.stats.influence import unit_sums
from prestige.stats.intervals import bounds, combine

K = TypeVar("K", bound=Hashable)
N = TypeVar("N", bound=Hashable)


@dataclass(frozen=True, eq=False)
class SetEffect(Generic[K]):
    """One effect to ask for.

    Attributes
    ----------
    weights
        Of each configuration that counts (:func:`~prestige.stats.slope_weights`); they sum to zero.
    genes
        The set: each gene's weight in the mean over it, above 0 (:func:`equally`).
    against
        The same of the genes whose effect is taken off; none: the effect on the set itself.
    """

    weights: Mapping[K, float]
    genes: Mapping[str, float]
    against: Mapping[str, float] = field(default_factory=dict)


def equally(genes: Iterable[str]) -> dict[str, float]:
    """Return the same weight for every gene."""
    return dict.fromkeys(genes, 1.0)


def set_effects(
    configs: Mapping[K, Seeds],
    asked: Mapping[N, SetEffect[K]],
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    patient_of: Mapping[str, str] | None = None,
) -> dict[N, Contrast]:
    """Return effects on gene sets by name; their intervals hold all together.

    The score is the mean per-gene Pearson correlation over those genes of the set whose truth varies in the
    unit (sample and fold), mean over units and seeds.

    Parameters
    ----------
    configs
        For each configuration its moments, seeds x folds, all of the same genes and observations.
    asked
        Name -> effect.
    draws, seed, level, patient_of
        As in :func:`~prestige.stats.compare`.

    Raises
    ------
    DataError
        When nothing is asked for, a gene or a configuration is unknown, weights do not sum to zero, or a set
        has no gene.
    """
    if not asked:
        raise DataError("no effect is asked for", where="set_effects", expected="at least one")
    used = [key for key in configs if any(key in one.weights for one in asked.values())]
    folds = next(iter(configs.values()))[0]
    weights, table = _tables(asked, used, folds[0].genes)
    plan = draw(folds, draws=draws, seed=seed, patient_of=patient_of)
    seeds = [configs[key] for key in used]
    observed = _drawn(plan.whole(), seeds, weights, table)
    estimate, low, high, se, reason = observed.scores[:, 0], None, None, None, plan.reason
    if reason is None:
        drawn = _drawn(plan, seeds, weights, table)
        found = combine(np.eye(len(asked)), estimate, observed.covariances[0], drawn)
        try:
            (low, high), se = bounds(found, level, at_once=True), found.se
        except DataError as error:
            reason = str(error)
    return as_contrasts(asked, estimate, (low, high, se), level=level, at_once=True, reason=reason)


def _tables(
    asked: Mapping[N, SetEffect[K]], used: Sequence[K], panel: Sequence[str]
) -> tuple[Float[np.ndarray, "q g"], Float[np.ndarray, "k m q"]]:
    """Return the genes of each mean that is needed, and each effect as a combination of the means."""
    place = {gene: i for i, gene in enumerate(panel)}
    means: dict[tuple[tuple[str, float], ...], int] = {}
    entries = []
    for m, (name, one) in enumerate(asked.items()):
        where = f"effect '{name}'"
        check_contrast(one.weights, used, where)
        for genes, sign in ((one.genes, 1.0), (one.against, -1.0)):
            if genes is one.against and not genes:
                continue
            _check_genes(genes, place, where)
            q = means.setdefault(tuple(sorted(genes.items())), len(means))
            entries += [(used.index(key), m, q, sign * weight) for key, weight in one.weights.items()]
    table = np.zeros((len(used), len(asked), len(means)))
    for k, m, q, weight in entries:
        table[k, m, q] += weight
    weights = np.zeros((len(means), len(place)))
    for genes, q in means.items():
        weights[q, [place[gene] for gene, _ in genes]] = [weight for _, weight in genes]
    return weights, table


def _check_genes(genes: Mapping[str, float], place: Mapping[str, int], where: str) -> None:
    if not genes:
        raise DataError("a set of no gene", where=where, expected="genes of the panel")
    if strangers := [gene for gene in genes if gene not in place]:
        raise DataError(f"'{strangers[0]}' was not scored", where=where, expected="genes of the panel")
    if not all(np.isfinite(weight) and weight > 0 for weight in genes.values()):
        raise DataError("a gene's weight is not above 0", where=where, expected="finite weights above 0")


def _drawn(plan: Resampling, configs: Sequence[Seeds], weights: np.ndarray, table: np.ndarray) -> Draws:
    """Return the effects (m, d) in every draw, and their covariances."""
    k, m, q = table.shape
    sums = [
        [unit_sums([folds[unit.fold] for folds in seeds], unit.rows) for unit in plan.units]
        for seeds in configs
    ]
    scores, covariances = np.empty((m, plan.draws)), np.empty((plan.draws, m, m))
    step = draws_in_flight(plan, max(q, m), weights.shape[1])
    one = np.ones_like(weights)
    for start in range(0, plan.draws, step):
        part = slice(start, min(start + step, plan.draws))
        total = np.zeros((m, part.stop - start))
        moved = np.zeros((part.stop - start, m, plan.n_clusters))
        for i in range(k):
            means, of_config, _ = moved_means(plan, sums[i], weights, one, part)
            total += table[i] @ means
            moved += table[i] @ of_config
        scores[:, part], covariances[part] = total, covariances_of(plan, moved)
    return Draws(scores, covariances)

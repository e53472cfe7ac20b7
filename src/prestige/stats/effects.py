"""Effects: linear combinations of configurations' scores, with studentised intervals from the paired draws.

Each of the study's questions is one such combination, since a least-squares slope is linear in the scores:

* what a tenfold number of parameters brings at equal patch within one family:
  ``slope_weights(log10_parameters, group=family_and_patch)``;
* what a doubled patch brings at equal parameters: ``slope_weights(log2_patch, group=encoder)``;
* whether the one depends on the other: ``interaction_weights(log10_parameters, log2_patch, group=family)``.

Effects on gene sets are what configurations bring on some genes, less what they bring on others: "do the
immune genes gain more from a wider patch than all genes do?" is one combination of means over genes, of
several configurations at once.  Its influence function is the same combination of theirs
(``gene_means.py``), so its interval is studentised as the others are, from the same draws.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float

from prestige.errors import DataError
from prestige.stats.bootstrap import Draws, Resampling, Seeds, draw
from prestige.stats.compare import Comparison
from prestige.stats.gene_means import covariances_of, draws_in_flight, moved_means
from prestige.stats.influence import unit_sums
from prestige.stats.intervals import bounds, combine

K = TypeVar("K", bound=Hashable)
N = TypeVar("N", bound=Hashable)
_NOTHING = 1e-9  # of a column's own size: what regression leaves of it is rounding


@dataclass(frozen=True)
class Contrast:
    """An effect in units of the score, with its interval.

    Attributes
    ----------
    estimate
        The linear combination of the scores.
    low, high, se
        Studentised interval and standard error; None where there are too few clusters.
    level
        Confidence of the interval.
    at_once
        Whether the interval holds together with those of the other effects asked for with it.
    reason
        Why there is no interval; None where there is one.
    """

    estimate: float
    low: float | None
    high: float | None
    se: float | None
    level: float
    at_once: bool
    reason: str | None

    @property
    def sign(self) -> int:
        """1 or -1 where the interval leaves out 0, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)


def contrast(comparison: Comparison[K], weights: Mapping[K, float]) -> Contrast:
    """Return the sum of weights x scores, with its studentised interval.

    Parameters
    ----------
    comparison
        Of :func:`~prestige.stats.compare`; the interval speaks of what its ``note`` says.
    weights
        For each configuration that counts, its weight; they sum to zero.

    Raises
    ------
    DataError
        When a configuration is not in the comparison, or the weights are no contrast.
    """
    return contrasts(comparison, {"": weights}, at_once=False)[""]


def contrasts(
    comparison: Comparison[K], weights: Mapping[N, Mapping[K, float]], *, at_once: bool = True
) -> dict[N, Contrast]:
    """Return several effects by name; with ``at_once`` their intervals hold all together.

    Raises
    ------
    DataError
        As :func:`contrast`, and when none is asked for.
    """
    if not weights:
        raise DataError("no contrast is asked for", where="contrasts", expected="at least one")
    keys = list(comparison.rows)
    table = np.stack([_vector(keys, name, one) for name, one in weights.items()])
    estimate = table @ comparison.scores
    low = high = se = None
    if comparison.reason is None:
        drawn = Draws(comparison.draws, comparison.draw_covariances)
        found = combine(table, comparison.scores, comparison.covariance, drawn)
        (low, high), se = bounds(found, comparison.level, at_once=at_once), found.se
    return as_contrasts(
        weights, estimate, (low, high, se), level=comparison.level, at_once=at_once, reason=comparison.reason
    )


def as_contrasts(
    names: Iterable[N],
    estimate: Float[np.ndarray, " m"],
    ends: tuple[
        Float[np.ndarray, " m"] | None, Float[np.ndarray, " m"] | None, Float[np.ndarray, " m"] | None
    ],
    *,
    level: float,
    at_once: bool,
    reason: str | None,
) -> dict[N, Contrast]:
    """Return effects by name; ``ends`` are low, high and standard error, None where there is no interval."""
    columns = [[None] * len(estimate) if one is None else one.tolist() for one in ends]
    return {
        name: Contrast(float(value), low, high, se, level, at_once, reason)
        for name, value, low, high, se in zip(names, estimate, *columns, strict=True)
    }


def check_contrast(weights: Mapping[K, float], known: Iterable[K], where: str) -> None:
    """Refuse weights of something unknown, and weights that are no contrast.

    Raises
    ------
    DataError
        Naming it, or saying what the weights sum to.
    """
    known = set(known)
    if strangers := [key for key in weights if key not in known]:
        raise DataError(f"'{strangers[0]}' is not in the comparison", where=where)
    total, size = sum(weights.values()), sum(abs(weight) for weight in weights.values())
    if not (np.isfinite(size) and size > 0 and abs(total) <= 1e-9 * size):
        raise DataError(
            f"the weights sum to {total:.3g}, in absolute value to {size:.3g}",
            where=where,
            expected="finite weights, not all 0, that sum to 0",
        )


def _vector(keys: Sequence[K], name: Hashable, weights: Mapping[K, float]) -> Float[np.ndarray, " k"]:
    where = f"contrast '{name}'" if name != "" else "contrast"
    check_contrast(weights, keys, where)
    return np.array([weights.get(key, 0.0) for key in keys], dtype=np.float64)


def slope_weights(
    x: Mapping[K, float],
    group: Mapping[K, Hashable] | None = None,
    *,
    beside: Sequence[Mapping[K, float]] = (),
) -> dict[K, float]:
    """Return the weights whose contrast is the least-squares slope of the score on x within groups.

    One slope for all groups, each group with a level of its own.  Per tenfold with x = log10 of a number,
    per doubling with x = log2.

    Parameters
    ----------
    x
        A number for each configuration that counts.
    group
        The group of each; left out, all are one group.  A group of one says nothing.
    beside
        Further numbers of each that the slope is adjusted for.

    Raises
    ------
    DataError
        When x varies within no group (or only as the numbers beside it do), or a number or group is missing.
    """
    keys = list(x)
    columns = [_column(keys, one) for one in (x, *beside)]
    return _slope(keys, columns[0], columns[1:], group)


def interaction_weights(
    x: Mapping[K, float], y: Mapping[K, float], group: Mapping[K, Hashable] | None = None
) -> dict[K, float]:
    """Return the weights of the slope on x times y, beside x and y: how the slope on x changes per unit of y.

    Raises
    ------
    DataError
        As :func:`slope_weights`; it takes at least a 2 x 2 grid within a group.
    """
    keys = list(x)
    a, b = _column(keys, x), _column(keys, y)
    if len(keys):  # about their means the product has least to do with either
        a, b = a - a.mean(), b - b.mean()
    return _slope(keys, a * b, [a, b], group)


def _column(keys: Sequence[K], values: Mapping[K, float]) -> np.ndarray:
    column = np.array([values.get(key, np.nan) for key in keys], dtype=np.float64)
    if not np.isfinite(column).all():
        missing = keys[int(np.flatnonzero(~np.isfinite(column))[0])]
        raise DataError(
            f"'{missing}' has no number to take a slope on", expected="one for each configuration"
        )
    return column


def _slope(
    keys: Sequence[K], x: np.ndarray, others: Sequence[np.ndarray], group: Mapping[K, Hashable] | None
) -> dict[K, float]:
    """Return x less what groups and the other columns explain of it, over the sum of its squares."""
    lost = [key for key in keys if group is not None and key not in group]
    if lost:
        raise DataError(f"'{lost[0]}' has no group", expected="one for each configuration")
    code = {name: i for i, name in enumerate(dict.fromkeys(group[key] for key in keys))} if group else {}
    member = np.array([code[group[key]] for key in keys]) if group else np.zeros(len(keys), dtype=np.int64)
    explained = np.column_stack([np.eye(max(1, len(code)))[member], *others])
    rest = x - explained @ np.linalg.lstsq(explained, x, rcond=None)[0] if len(x) else x
    size = float(rest @ rest)
    if not size > _NOTHING * float(x @ x):
        raise DataError(
            "there is no slope: nothing varies within a group beyond what stands beside it",
            expected="two configurations of one group that differ in it",
        )
    rest = np.where(np.abs(rest) > _NOTHING * np.abs(rest).max(), rest, 0.0)
    return {key: float(weight / size) for key, weight in zip(keys, rest, strict=True)}


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

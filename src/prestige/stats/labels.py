"""How far two labellings of the same observations agree, with intervals from resampled tissue.

Both indices are functions of the table of labels against labels, and tables of blocks add up.  With N the
shares of that table (rows i, columns j), a_i and b_j its margins:

    adjusted Rand (Hubert and Arabie 1985):  (S - A B) / ((A + B) / 2 - A B),
        S = sum N_ij^2, A = sum a_i^2, B = sum b_j^2; exactly, of pairs of two observations
    kappa (Cohen 1960):  (o - e) / (1 - e),  o = sum N_ii, e = sum a_i b_i

The derivative with regard to the table, times the table of a block, is the influence of that block; draws,
kernel and studentised intervals are those of ``bootstrap.py``.  The labels are taken as they are: what
another clustering, or another choice of markers, would have given is not in the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int, Shaped

from prestige.errors import DataError
from prestige.stats.bootstrap import BlockDraws, Draws, Resampling, draw
from prestige.stats.intervals import bounds, combine
from prestige.stats.moments import Moments, clusters_of

Index: TypeAlias = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Tables (d, k, m) -> values (d,), NaN where not defined, and their derivatives (d, k, m)."""


@dataclass(frozen=True, eq=False)
class LabelTables:
    """Tables of labels against labels, one for each of c clusters (a spatial block of a sample).

    Attributes
    ----------
    sample, block
        (c,) name of the sample and number of the block.
    counts
        (c, k, m) observations with each label of the first kind (rows) and of the second (columns).
    """

    sample: Shaped[np.ndarray, " c"]
    block: Int[np.ndarray, " c"]
    counts: Float[np.ndarray, "c k m"]


def label_tables(
    labels: tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]],
    shape: tuple[int, int],
    sample_of: Shaped[np.ndarray, " n"],
    block_of: Int[np.ndarray, " n"],
) -> LabelTables:
    """Count labels against labels in each spatial block of each sample.

    Parameters
    ----------
    labels
        Two labellings of the n observations, from 0 on.
    shape
        How many labels each has.

    Raises
    ------
    DataError
        When a label is out of range, or there are no observations.
    """
    first, second = labels
    k, m = shape
    if not len(first) or first.min() < 0 or second.min() < 0 or first.max() >= k or second.max() >= m:
        raise DataError(
            "a label is out of range, or there is none", expected=f"0 to {k - 1}, and 0 to {m - 1}"
        )
    sample, block, cluster = clusters_of(sample_of.astype(np.str_), block_of)
    cell = (cluster * k + first) * m + second
    counts = np.bincount(cell, minlength=len(block) * k * m).reshape(len(block), k, m)
    return LabelTables(sample, block, counts.astype(np.float64))


def adjusted_rand(
    tables: Float[np.ndarray, "d k m"],
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d k m"]]:
    """Return the adjusted Rand index of each table, and its derivative as it is for many observations.

    1 where both labellings have one label alone, or both a label for each observation.
    """
    n = tables.sum(axis=(1, 2))
    a, b = tables.sum(axis=2), tables.sum(axis=1)
    pairs, of_a, of_b, all_pairs = (
        (counts * (counts - 1) / 2).reshape(len(n), -1).sum(axis=1) for counts in (tables, a, b, n[:, None])
    )
    expected = np.divide(of_a * of_b, all_pairs, out=np.zeros_like(n), where=all_pairs > 0)
    span = (of_a + of_b) / 2 - expected
    value = np.divide(pairs - expected, span, out=np.ones_like(n), where=span > 0)

    share = tables / np.maximum(n, 1.0)[:, None, None]
    p, q = share.sum(axis=2), share.sum(axis=1)
    s, sa, sb = (np.square(one).reshape(len(n), -1).sum(axis=1) for one in (share, p, q))
    below = (sa + sb) / 2 - sa * sb
    slope = np.divide(1.0, below, out=np.zeros_like(n), where=below > 0)
    ratio = (s - sa * sb) * slope
    # d(s - sa sb) less ratio x d(below), over below; each square brings twice its share.
    by_a, by_b = -sb - ratio * (0.5 - sb), -sa - ratio * (0.5 - sa)
    change = share + by_a[:, None, None] * p[:, :, None] + by_b[:, None, None] * q[:, None, :]
    return value, _of_counts(2 * change * slope[:, None, None], share, n)


def kappa(tables: Float[np.ndarray, "d m m"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d m m"]]:
    """Return Cohen's kappa of each table and its derivative; NaN where all have one and the same label."""
    n = tables.sum(axis=(1, 2))
    share = tables / np.maximum(n, 1.0)[:, None, None]
    a, b = share.sum(axis=2), share.sum(axis=1)
    same, chance = np.einsum("dii->d", share), np.einsum("di,di->d", a, b)
    rest = 1 - chance
    value = np.divide(same - chance, rest, out=np.full(len(n), np.nan), where=rest > 0)
    slope = np.divide(1.0, rest, out=np.zeros_like(n), where=rest > 0)
    by_chance = (np.nan_to_num(value) - 1) * slope
    change = np.eye(tables.shape[1])[None] * slope[:, None, None]
    change = change + by_chance[:, None, None] * (b[:, :, None] + a[:, None, :])
    return value, _of_counts(change, share, n)


def label_interval(
    tables: LabelTables,
    index: Index,
    *,
    patient_of: Mapping[str, str] | None = None,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Return the studentised interval of an index over all observations; None with too few clusters.

    Parameters
    ----------
    patient_of
        The patient of each sample: with enough of them, patients are drawn and blocks within them.
    """
    c = len(tables.counts)
    none = np.zeros((c, 0))
    size = tables.counts.sum(axis=(1, 2)).astype(np.int64)
    fold = Moments(tables.sample, tables.block, size, none, none, none, none, none, ())
    plan = draw([fold], draws=draws, seed=seed, patient_of=patient_of)
    if plan.reason is not None:
        return None
    (whole, own), (drawn, errors) = (_drawn(one, tables.counts, index) for one in (plan.whole(), plan))
    if not np.isfinite(whole[0]):
        return None
    combined = combine(
        np.ones((1, 1)), whole, own[:, None, None][0], Draws(drawn[None], errors[:, None, None])
    )
    try:
        (low,), (high,) = bounds(combined, level)
    except DataError:
        return None
    return float(low), float(high)


def _of_counts(change: np.ndarray, share: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Turn derivatives by shares, which sum to 1, into derivatives by counts, which need not."""
    mean = np.einsum("dkm,dkm->d", change, share)
    return (change - mean[:, None, None]) / np.maximum(n, 1.0)[:, None, None]


def _drawn(
    plan: Resampling, counts: np.ndarray, index: Index
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    """Return the index in each draw, and its variance as estimated from that draw."""
    shape, flat = counts.shape[1:], counts.reshape(len(counts), -1)
    if isinstance(plan, BlockDraws):
        own = np.empty_like(flat)  # in the order in which the plan counts its blocks
        for ids, unit in zip(plan.clusters, plan.units, strict=True):
            own[ids] = flat[unit.rows]
        value, slope = index((plan.weights(slice(0, plan.draws)) @ own).reshape(-1, *shape))
        moved = np.take_along_axis(slope.reshape(len(value), -1) @ own.T, plan.donors, axis=1)
        return value, np.einsum("dc,dc->d", moved @ plan.kernel, moved)
    copies = np.zeros((plan.draws * plan.slots, flat.shape[1]))
    for weights, places, unit in zip(plan.weights, plan.places, plan.units, strict=True):
        np.add.at(copies, places, weights @ flat[unit.rows])
    copies = copies.reshape(plan.draws, plan.slots, -1)
    value, slope = index(copies.sum(axis=1).reshape(-1, *shape))
    moved = np.einsum("dsx,dx->ds", copies, slope.reshape(len(value), -1))
    return value, np.square(moved).sum(axis=1)

"""Means over some genes of the per-gene correlation in resampled blocks: scores of gene sets.

The statistic: Pearson per gene within a unit (a sample in a fold), the weighted mean over those genes whose
truth varies there, mean over units; seeds of a configuration are averaged first.  With equal weights it is
that of ``bootstrap.py``.  Both it and the influence of a block on it are linear in the correlations, so many
sets of weights cost one pass over the draws: the influence of block b on the correlation of one gene is

    dr / dw_b = c_b / sqrt(A D) - (r / 2) (a_b / A + d_b / D)

as in ``influence.py``, and the weighted sum over genes is a product of a (draws, genes) and a (genes, blocks)
matrix for each of the sums that it is made of.

A quantile over genes has no such derivative where genes change places.  Its draws are counted in the
standard errors of the mean of the same genes, which grow and shrink with the same blocks, and its interval is
symmetric (Hall 1992, The Bootstrap and Edgeworth Expansion, section 3.5): a median jumps from gene to gene,
so equal tails, which are turned about the estimate, covered 88 % where 95 was promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from prestige.errors import DataError
from prestige.stats.bootstrap import BlockDraws, Draws, PatientDraws, Resampling, Seeds
from prestige.stats.influence import UnitSums, unit_sums
from prestige.stats.moments import centred

_CHUNK = 1 << 22  # numbers of one array in flight


@dataclass(frozen=True, eq=False)
class GeneDraws:
    """What becomes of one configuration's genes in d draws.

    Attributes
    ----------
    genes
        (d, g) correlation of each gene, mean over the units in which its truth varies; NaN without any.
    means
        Scores (q, d) and covariances (d, q, q) of the q weighted means.
    """

    genes: Float[np.ndarray, "d g"]
    means: Draws


@dataclass(frozen=True, eq=False)
class _Genes:
    """One unit under each of d sets of weights of its blocks, mean over seeds.

    ``score`` is (d, g), 0 where it is not defined; ``varies`` says where the truth does; ``moved`` (q, d, r)
    is the influence of the blocks on q weighted sums of the correlations, not yet divided by the weights.
    """

    score: Float[np.ndarray, "d g"]
    varies: Bool[np.ndarray, "d g"]
    moved: Float[np.ndarray, "q d r"]


def resample_genes(
    plan: Resampling,
    seeds: Seeds,
    weights: Float[np.ndarray, "q g"],
    scale: Float[np.ndarray, "q g"] | None = None,
) -> GeneDraws:
    """Return each gene's correlation and q weighted means of them in every draw, with their covariance.

    Parameters
    ----------
    plan
        Draws of blocks (:func:`prestige.stats.bootstrap.draw`) over the folds that ``seeds`` have; the draw
        of ``plan.whole()`` gives what was observed.
    seeds
        One configuration: for each seed its moments, fold by fold, all of the same genes.
    weights
        Of the genes in each mean, 0 or more; those whose truth does not vary in a draw are left out there,
        and the others share their weight.
    scale
        By what each correlation is multiplied first (1 / ceiling), taken as known; 1 if left out.

    Raises
    ------
    DataError
        When a weight is negative or not finite, a mean has none, or they do not fit the genes.
    """
    factor = np.ones_like(weights) if scale is None else np.where(weights > 0, scale, 0.0)
    _check(weights, factor, len(seeds[0][0].genes))
    q, g = weights.shape
    sums = [unit_sums([folds[unit.fold] for folds in seeds], unit.rows) for unit in plan.units]
    scores, genes = np.empty((q, plan.draws)), np.empty((plan.draws, g))
    covariances = np.empty((plan.draws, q, q))
    step = draws_in_flight(plan, q, g)
    for start in range(0, plan.draws, step):
        part = slice(start, min(start + step, plan.draws))
        scores[:, part], moved, genes[part] = moved_means(plan, sums, weights, factor, part)
        covariances[part] = covariances_of(plan, moved)
    return GeneDraws(genes, Draws(scores, covariances))


def quantile_bounds(
    genes: Float[np.ndarray, "d m"],
    observed: Float[np.ndarray, " m"],
    errors: tuple[float, Float[np.ndarray, " d"]],
    p: Float[np.ndarray, " n"],
    level: float = 0.95,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return lower and upper ends of the symmetric intervals of n quantiles over m genes.

    Draws are counted in the standard errors of the mean of these genes, of the draw itself: those of few
    blocks vary too little, and the mean tells by how much.

    Parameters
    ----------
    genes, observed
        Correlations of the m genes in each draw, and as observed; NaN is left out.
    errors
        Standard error of their mean as observed, and (d,) in each draw.
    p, level
        Which quantiles, and the confidence.

    Raises
    ------
    DataError
        When fewer than two draws have a score and a standard error.
    """
    se, drawn = errors
    there = np.isfinite(genes).any(axis=1) & np.isfinite(drawn) & (drawn > 0)
    if not np.isfinite(observed).any() or there.sum() < 2:
        raise DataError("no interval: the draws have no standard error", expected="clusters that differ")
    estimate = quantiles(observed[None], p)[:, 0]
    away = np.abs(quantiles(genes[there], p) - estimate[:, None]) / drawn[there]
    half = np.quantile(away, level, axis=1, method="weibull") * se
    return estimate - half, estimate + half


def quantiles(values: Float[np.ndarray, "d m"], p: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n d"]:
    """Return n quantiles of every row, linear between its values; NaN is left out.

    As ``numpy.nanquantile``, which takes rows one by one.  A row of NaN has none.
    """
    ordered = np.sort(values, axis=1)  # NaN goes last
    count = np.isfinite(ordered).sum(axis=1)
    place = p[:, None] * np.maximum(count - 1, 0)
    below = place.astype(np.int64)
    row = np.arange(len(values))
    low, high = ordered[row, below], ordered[row, np.minimum(below + 1, np.maximum(count - 1, 0))]
    return low + (place - below) * (high - low)


def _check(weights: np.ndarray, factor: np.ndarray, g: int) -> None:
    if weights.shape[1] != g or factor.shape != weights.shape:
        raise DataError(f"weights of {weights.shape[1]} genes for moments of {g}", where="resample_genes")
    if not (np.isfinite(weights).all() and np.isfinite(factor).all() and (weights >= 0).all()):
        raise DataError("weights of genes are not finite or below 0", where="resample_genes")
    if not (weights > 0).any(axis=1).all():
        raise DataError("a mean over no gene", where="resample_genes", expected="a positive weight in each")


def _of_unit(blocks: Float[np.ndarray, "d r"], sums: UnitSums, weights: np.ndarray | None) -> _Genes:
    """Return correlations under weights of the blocks, and what the blocks do to q sums of them."""
    n = np.maximum(blocks @ sums.n, 1.0)[:, None]
    t, tt = np.split(blocks @ sums.truth, 2, axis=-1)
    spread_t, mean_t = centred(n[:, 0], t, tt), t / n
    score, of_t, squares_t, of_n = (np.zeros_like(t) for _ in range(4))
    moved = np.zeros((0 if weights is None else len(weights), len(blocks), blocks.shape[1]))
    for predicted in sums.predicted:
        p, pp, pt = np.split(blocks @ predicted, 3, axis=-1)
        spread_p, mean_p = centred(n[:, 0], p, pp), p / n
        norm = np.sqrt(spread_p) * np.sqrt(spread_t)
        slope = np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0)
        r = np.clip((pt - p * mean_t) * slope, -1.0, 1.0)
        score += r
        if weights is None:
            continue
        half_p = np.divide(0.5 * r, spread_p, out=np.zeros_like(r), where=norm > 0)
        half_t = np.divide(0.5 * r, spread_t, out=np.zeros_like(r), where=norm > 0)
        # What goes with the truth's sums is the same product for every seed: it is added up first.
        of_n += slope * mean_p * mean_t - half_p * mean_p**2 - half_t * mean_t**2
        of_t += 2.0 * half_t * mean_t - slope * mean_p
        squares_t -= half_t
        moved += _weighted([2.0 * half_p * mean_p - slope * mean_t, -half_p, slope], predicted, weights)
    if weights is not None:
        moved += _weighted([of_t, squares_t], sums.truth, weights)
        moved += (weights @ of_n.T)[:, :, None] * sums.n
    k = len(sums.predicted)
    return _Genes(score / k, spread_t > 0, moved / k)


def _weighted(
    parts: Sequence[Float[np.ndarray, "d g"]], table: Float[np.ndarray, "r _"], weights: np.ndarray
) -> Float[np.ndarray, "q d r"]:
    """Return for each set of weights the sum over genes of weight x part x sum over the block.

    ``table`` holds the sums that belong to the parts side by side, g columns each.
    """
    out = np.empty((len(weights), len(parts[0]), len(table)))
    starts = weights.shape[1] * np.arange(len(parts))[:, None]
    for i, of_genes in enumerate(weights):
        used = np.flatnonzero(of_genes)
        left = np.concatenate([part[:, used] * of_genes[used] for part in parts], axis=1)
        np.matmul(left, table[:, (starts + used).ravel()].T, out=out[i])
    return out


def _unit_means(
    unit: _Genes, weights: np.ndarray, factor: np.ndarray
) -> tuple[Float[np.ndarray, "q d"], Float[np.ndarray, "q d"], Float[np.ndarray, "q d"]]:
    """Return the weighted means, 1 or 0 for whether there is one, and what influences are multiplied by."""
    total = weights @ unit.varies.T.astype(np.float64)
    there = total > 0
    share = np.divide(1.0, total, out=np.zeros_like(total), where=there)
    return (weights * factor) @ unit.score.T * share, there.astype(np.float64), share


def moved_means(
    plan: Resampling, sums: Sequence[UnitSums], weights: np.ndarray, factor: np.ndarray, part: slice
) -> tuple[Float[np.ndarray, "q d"], Float[np.ndarray, "d q c"], Float[np.ndarray, "d g"]]:
    """Return q means in some draws, what each of the c clusters does to them, and the genes' correlations."""
    if isinstance(plan, BlockDraws):
        return _moved_by_blocks(plan, sums, weights, factor, part)
    return _moved_by_patients(plan, sums, weights, factor, part)


def covariances_of(plan: Resampling, moved: Float[np.ndarray, "d q c"]) -> Float[np.ndarray, "d q q"]:
    """Return the covariances of q numbers in each draw, of what the clusters do to them."""
    spread = moved
    if isinstance(plan, BlockDraws):
        spread = (moved.reshape(-1, plan.n_clusters) @ plan.kernel).reshape(moved.shape)
    return spread @ moved.transpose(0, 2, 1)


def draws_in_flight(plan: Resampling, q: int, g: int) -> int:
    """Return how many draws of q means over g genes to take at a time."""
    width = max(6 * g, q * plan.n_clusters) if isinstance(plan, BlockDraws) else 8 * g * plan.n_clusters
    return max(1, _CHUNK // width)


def _moved_by_blocks(
    plan: BlockDraws, sums: Sequence[UnitSums], weights: np.ndarray, factor: np.ndarray, part: slice
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return means, influences of the blocks and the genes' correlations in some draws of blocks."""
    blocks, q = plan.weights(part), len(weights)
    total, count = np.zeros((2, q, len(blocks)))
    moved = np.zeros((len(blocks), q, plan.n_clusters))
    genes, varied = np.zeros((2, len(blocks), weights.shape[1]))
    for ids, unit in zip(plan.clusters, sums, strict=True):
        found = _of_unit(blocks[:, ids], unit, weights * factor)
        mean, there, share = _unit_means(found, weights, factor)
        total, count = total + mean, count + there
        moved[:, :, ids] += (found.moved * share[:, :, None]).transpose(1, 0, 2)
        genes += np.where(found.varies, found.score, 0.0)
        varied += found.varies
    each = np.divide(1.0, count, out=np.full(count.shape, np.nan), where=count > 0)
    moved *= each.T[:, :, None]
    moved = np.take_along_axis(moved, plan.donors[part][:, None, :], axis=2)
    genes = np.divide(genes, varied, out=np.full(genes.shape, np.nan), where=varied > 0)
    return total * each, moved, genes


def _moved_by_patients(
    plan: PatientDraws, sums: Sequence[UnitSums], weights: np.ndarray, factor: np.ndarray, part: slice
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same in some draws of patients: the influences are those of the copies of patients."""
    first, last = part.start * plan.slots, part.stop * plan.slots
    d, q = part.stop - part.start, len(weights)
    total, count = np.zeros((2, q, last - first))
    genes, varied = np.zeros((2, d, weights.shape[1]))
    for blocks, places, unit in zip(plan.weights, plan.places, sums, strict=True):
        begin, end = np.searchsorted(places, [first, last])
        found = _of_unit(blocks[begin:end], unit, None)
        mean, there, _ = _unit_means(found, weights, factor)
        at = places[begin:end] - first
        total[:, at] += mean
        count[:, at] += there
        np.add.at(genes, at // plan.slots, np.where(found.varies, found.score, 0.0))
        np.add.at(varied, at // plan.slots, found.varies.astype(np.float64))
    total, count = (one.reshape(q, d, plan.slots).transpose(1, 0, 2) for one in (total, count))
    n_units = count.sum(axis=2)
    each = np.divide(1.0, n_units, out=np.full(n_units.shape, np.nan), where=n_units > 0)
    mean = total.sum(axis=2) * each
    moved = (total - mean[:, :, None] * count) * each[:, :, None]
    genes = np.divide(genes, varied, out=np.full(genes.shape, np.nan), where=varied > 0)
    return mean.T, moved, genes

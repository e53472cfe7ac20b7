"""Ceilings: per gene, the best correlation with the measurement that counting noise allows.

A count k is taken as Poisson around an unknown mean.  The best prediction of a measurement Y (the
count, or log1p of the scaled count) is m, its expectation given that mean, and

    corr(m, Y) = sqrt(Var m / Var Y) = sqrt(1 - E[Var(Y | mean)] / Var Y),

the square root of the measurement's reliability.  ``Var Y`` is seen.  The noise ``E[Var(Y | mean)]``
is a mean over observations of something that is unbiased for ``Var(Y | mean)`` whatever the mean is:
the count itself on the raw scale, a function of the count and its total on the log scale.

Nothing is fitted: each number is a sum over the observations it speaks of.

References
----------
Spearman (1910) and Brown (1910), British Journal of Psychology 3: reliability from halves, and what it
bounds; Lord and Novick (1968), Statistical Theories of Mental Test Scores, chapter 3.
Sarkar and Stephens (2021), Nature Genetics 53: the Poisson measurement of expression.
Neufeld, Gao, Popp, Battle and Witten (2022), Inference after latent variable estimation for single-cell
RNA sequencing data, Biostatistics 25 (2024): count splitting, whose halves are replicates at half depth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int, Num, Shaped
from scipy.sparse import csr_array, csr_matrix
from scipy.special import gammaln, xlogy

from prestige.errors import DataError
from prestige.stats.bootstrap import MIN_CLUSTERS
from prestige.stats.moments import centred, clusters_of

MIN_SHOWN = 0.2
"""Scores are given as a fraction of the ceiling only where its lower bound is above this."""

Counts: TypeAlias = csr_matrix | csr_array | Num[np.ndarray, "n g"]
_Terms: TypeAlias = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

_CHUNK_ROWS = 8192
_CHUNK = 1 << 20  # numbers of one (draws, genes) array in flight
_K = 40  # counts up to here have their noise from the table, larger ones from the delta method
_STEP = 0.1  # of the table, in log(1 + R)
_PENALTY = 1e-5
_FLOOR = 1e-4
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Ceiling:
    """The ceilings of g genes: mean over samples of the best correlation within a sample.

    Attributes
    ----------
    genes
        Names of the genes.
    value
        (g,) between 0 and 1; NaN where the gene is constant in every sample.
    lower
        (g,) one-sided lower bound from resampled spatial blocks; NaN where there are fewer than
        :data:`prestige.stats.bootstrap.MIN_CLUSTERS` of them.
    """

    genes: tuple[str, ...]
    value: Float[np.ndarray, " g"]
    lower: Float[np.ndarray, " g"]

    def fraction(self, score: Float[np.ndarray, " g"]) -> Float[np.ndarray, " g"]:
        """Return scores as a fraction of the ceiling; NaN where its lower bound is not above 0.2.

        Raises
        ------
        DataError
            When there is not one score for each gene.
        """
        if len(score) != len(self.genes):
            raise DataError(f"{len(score)} scores for the ceilings of {len(self.genes)} genes")
        shown = self.lower > MIN_SHOWN  # False for NaN
        return np.divide(score, self.value, out=np.full(len(score), np.nan), where=shown)


def ceiling_counts(
    counts: Counts,
    *,
    genes: Sequence[str] | None = None,
    sample_of: Shaped[np.ndarray, " n"] | None = None,
    block_of: Int[np.ndarray, " n"] | None = None,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Ceiling:
    """Return per gene the best correlation with the measured raw counts that counting noise allows.

    ``sqrt(max(0, 1 - mean / variance))``: a Poisson count has the variance of its mean, so its mean
    over observations is the noise's part of the variance.

    Overdispersion of the assay inflates it.  Where counts vary by phi * mean**2 beyond Poisson
    (efficiency that differs between observations, say), the formula takes that excess for signal and gives
    ``sqrt((Var m + phi E[m**2]) / Var k)`` in place of ``sqrt(Var m / Var k)`` (the negative binomial
    measurement of Sarkar and Stephens 2021; Neufeld et al. 2022 on halves that are then not independent).
    A score may therefore be nearer to what is possible than its fraction says, and never farther.

    Parameters
    ----------
    counts
        Raw counts, observations x genes, of the side that is scored; sparse is not made dense.
    genes
        Names of the genes; by default "0", "1", ...
    sample_of
        The sample of each observation: ceilings are of one sample, then averaged.  One sample by default.
    block_of
        The spatial block of each observation (:func:`prestige.stats.spatial_blocks`); without it
        there is no lower bound.  Sums are kept per block: 24 bytes x blocks x genes.
    draws, seed
        Resamples of the blocks.
    level
        Confidence of the lower bound, one-sided.

    Raises
    ------
    DataError
        When shapes do not fit, or counts are negative, NaN or infinite.
    """
    table = _checked(counts)
    sums = _sum_up(table, sample_of, block_of, lambda k, _: (k, k))
    return _ceiling(sums, _names(genes, table.shape[1]), draws=draws, seed=seed, level=level)


def ceiling_log(
    counts: Counts,
    totals: Num[np.ndarray, " n"],
    scale: float = 100.0,
    *,
    genes: Sequence[str] | None = None,
    sample_of: Shaped[np.ndarray, " n"] | None = None,
    block_of: Int[np.ndarray, " n"] | None = None,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Ceiling:
    """Return per gene the best correlation with ``log1p(scale * counts / totals)``.

    With R the total less the gene's own count k, both Poisson, ``Y = F(k, R) = log1p(scale k / (k + R))``
    has given its means the variance ``Var_k F(k, R) + E[R] (E_k dF/dR)**2`` in the mean over R, up to
    terms of 1/R**2.  The noise of an observation is v(k, R) with ``E_k v(k, R)`` equal to this for
    every mean of k.  Halves of a split count, taken to full depth, lead to such a v: a
    polynomial of the split's share that is read off at 2.  That one is unbiased and swings with the parity
    of k.  Here v solves the same equations in least squares with a small penalty on its own
    variance; what bias that leaves is 0.02 to 0.03 of the noise at most.

    Overdispersion of the assay inflates it, as in :func:`ceiling_counts`: whatever varies beyond Poisson
    between replicates of one observation is taken for signal, ``sqrt((Var m + excess) / Var Y)`` in
    place of ``sqrt(Var m / Var Y)``.  For counts of mean mu and variance mu + phi * mu**2 the excess on this
    scale is about ``phi E[(scale mu / (total + scale mu))**2]`` (delta method; sources as there).

    Parameters
    ----------
    totals
        Counts of each observation over all measured genes, also those that are not in ``counts``.
    scale
        The total to which counts are scaled.
    counts, genes, sample_of, block_of, draws, seed, level
        As in :func:`ceiling_counts`.  Fractions among the counts are rounded for the noise alone.

    Raises
    ------
    DataError
        When shapes do not fit, counts are negative, NaN or infinite, or a total is smaller than the sum
        of the observation's counts.
    """
    if not (np.isfinite(scale) and scale > 0):
        raise DataError(f"counts cannot be scaled to a total of {scale}", expected="a positive number")
    table = _checked(counts)
    depth = _checked_totals(table, totals)
    noise_of = _Noise(scale, float(depth.max(initial=0.0)))

    def terms(k: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = np.maximum(depth[row], _TINY)  # zeros may be stored, also where there are no counts
        return np.log1p(scale * k / total), noise_of(k, np.maximum(total - k, 0.0))

    sums = _sum_up(table, sample_of, block_of, terms)
    return _ceiling(sums, _names(genes, table.shape[1]), draws=draws, seed=seed, level=level)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over the observations of c clusters for g genes: of Y, its square, and the noise."""

    sample: Shaped[np.ndarray, " c"]
    n: Float[np.ndarray, " c"]
    total: Float[np.ndarray, "c g"]
    squares: Float[np.ndarray, "c g"]
    noise: Float[np.ndarray, "c g"]

    def of(self, rows: np.ndarray, weights: np.ndarray, genes: slice) -> Float[np.ndarray, "d _"]:
        """Return the ceilings of one sample's clusters under each of d sets of weights."""
        n = weights @ self.n[rows]
        total, squares, noise = (
            weights @ sums[rows, genes] for sums in (self.total, self.squares, self.noise)
        )
        spread = centred(n, total, squares)
        # Per observation both: noise / n against spread / (n - 1).
        share = noise * (1 - 1 / np.maximum(n, 1))[:, None]
        share = np.divide(share, spread, out=np.full_like(spread, np.nan), where=spread > 0)
        return np.sqrt(np.clip(1 - share, 0.0, 1.0))


def _sum_up(
    counts: csr_matrix, sample_of: np.ndarray | None, block_of: np.ndarray | None, terms: _Terms
) -> _Sums:
    """Sum Y, its square and its noise per (sample, block); ``terms(k, row)`` gives Y and noise of counts.

    Only stored counts are visited: where k is 0, all three are.
    """
    rows, genes = counts.shape
    sample_of = np.zeros(rows, np.int64) if sample_of is None else sample_of
    block_of = np.zeros(rows, np.int64) if block_of is None else block_of
    if len(sample_of) != rows or len(block_of) != rows:
        raise DataError(f"{len(sample_of)} samples and {len(block_of)} blocks for {rows} observations")
    sample, _, cluster = clusters_of(sample_of, block_of)
    order = np.argsort(cluster, kind="stable")
    sums = np.zeros((3, len(sample), genes))
    for start in range(0, rows, _CHUNK_ROWS):
        chosen = order[start : start + _CHUNK_ROWS]
        part = counts[chosen]
        stored = np.diff(part.indptr)
        y, noise = terms(part.data.astype(np.float64), np.repeat(chosen, stored))
        first, last = cluster[chosen[0]], cluster[chosen[-1]] + 1
        cell = np.repeat((cluster[chosen] - first) * genes, stored) + part.indices
        for out, values in zip(sums, (y, y * y, noise), strict=True):
            added = np.bincount(cell, values, minlength=(last - first) * genes)
            out[first:last] += added.reshape(last - first, genes)
    return _Sums(sample, np.bincount(cluster).astype(np.float64), *sums)


def _ceiling(sums: _Sums, genes: tuple[str, ...], *, draws: int, seed: int, level: float) -> Ceiling:
    if draws < 1 or not 0 < level < 1:
        raise DataError(f"{draws} draws at a level of {level}", expected="1 draw or more, a level in (0, 1)")
    samples = [np.flatnonzero(sums.sample == name) for name in np.unique(sums.sample)]
    once = [np.ones((1, len(rows))) for rows in samples]
    value = _mean(sums, samples, once, slice(None))[0]
    lower = np.full(len(genes), np.nan)
    if len(sums.n) < MIN_CLUSTERS:
        return Ceiling(genes, value, lower)
    rng = np.random.default_rng(seed)
    weights = [
        rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=draws).astype(np.float64)
        for rows in samples
    ]
    step = max(1, _CHUNK // draws)
    for start in range(0, len(genes), step):
        part = slice(start, start + step)
        drawn = _mean(sums, samples, weights, part)
        # Blocks among which a gene does not vary have no ceiling for it: the least one is counted.
        lower[part] = np.quantile(np.nan_to_num(drawn, nan=0.0), 1 - level, axis=0)
    return Ceiling(genes, value, np.where(np.isnan(value), np.nan, np.minimum(lower, value)))


def _mean(
    sums: _Sums, samples: Sequence[np.ndarray], weights: Sequence[np.ndarray], genes: slice
) -> Float[np.ndarray, "d _"]:
    """Return the mean over the samples in which a gene varies, NaN where it varies in none."""
    above, below = 0.0, 0.0
    for rows, of_sample in zip(samples, weights, strict=True):
        found = sums.of(rows, of_sample, genes)
        above = above + np.nan_to_num(found, nan=0.0)
        below = below + np.isfinite(found)
    return np.divide(above, below, out=np.full_like(above, np.nan), where=np.asarray(below) > 0)


class _Noise:
    """v(k, R): what counts k with R other counts in the observation add to the noise on the log scale.

    The table has a row for each R of a grid.  In each, v(1) ... v(K) solve
    ``sum_k Poisson(k; mean) v(k) = V(mean)`` for means from 0.001 to K, each equation divided by V, with a
    penalty on ``sum_k Poisson(k; mean) v(k)**2 / V**2``.  v(0) is 0: an absent gene that stays absent.
    """

    def __init__(self, scale: float, largest: float) -> None:
        self.scale = scale
        grid = np.arange(np.ceil(np.log1p(largest) / _STEP) + 2) * _STEP
        mean = np.geomspace(1e-3, _K, 4 * _K)[:, None]
        k = np.arange(3 * _K, dtype=np.float64)
        poisson = np.exp(xlogy(k, mean) - mean - gammaln(k + 1))
        self.table = np.stack([self._row(poisson, k, float(rest)) for rest in np.expm1(grid)])

    def __call__(self, k: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Return v for each count; between two R of the grid it is linear in log(1 + R)."""
        place = np.log1p(rest) / _STEP
        below = place.astype(np.int64)
        share = place - below
        column = np.minimum(np.rint(k), _K).astype(np.int64)
        out = (1 - share) * self.table[below, column] + share * self.table[below + 1, column]
        large = k > _K
        out[large] = self._large(k[large], rest[large])
        return out

    def _row(self, poisson: np.ndarray, k: np.ndarray, rest: float) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # 0 / 0 where there are no counts at all
            y = np.where(k > 0, np.log1p(self.scale * k / (k + rest)), 0.0)
            slope = np.where(k > 0, self.scale * k / ((k + rest) * (k + rest + self.scale * k)), 0.0)
        away = y - (poisson @ y)[:, None]
        variance = (poisson * away**2).sum(axis=1) + rest * (poisson @ slope) ** 2
        unit = variance + _FLOOR * variance.max()
        smooth = np.zeros_like(k)
        smooth[1:] = self._large(k[1:], np.full(len(k) - 1, rest))
        # What is solved for is how far v lies from the smooth v of the delta method.
        left = poisson[:, 1 : _K + 1] / unit[:, None]
        right = (variance - poisson @ smooth) / unit
        penalty = (left / unit[:, None]).sum(axis=0) * _PENALTY
        found = np.linalg.solve(left.T @ left + np.diag(penalty), left.T @ right)
        return np.concatenate([[0.0], smooth[1 : _K + 1] + found])

    def _large(self, k: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Return v by the delta method: (dY/dlog k)**2 times the relative variance of k / (k + R)."""
        scaled = self.scale * k / (k + rest)
        return (scaled / (1 + scaled)) ** 2 * (1 - k / (k + rest)) / k


def _checked(counts: Counts) -> csr_matrix:
    table = csr_matrix(counts)
    if not table.has_canonical_format:
        table = table.copy()
        table.sum_duplicates()
    if not table.shape[0]:
        raise DataError("there is no observation to take ceilings of", expected="at least one row of counts")
    for start in range(0, table.nnz, _CHUNK):
        values = table.data[start : start + _CHUNK]
        if not (np.isfinite(values) & (values >= 0)).all():
            raise DataError(
                "the counts hold NaN, infinite or negative values",
                expected="raw counts, 0 or more and finite",
                remedy="give the raw counts, not scaled or centred ones",
            )
    return table


def _checked_totals(table: csr_matrix, totals: np.ndarray) -> Float[np.ndarray, " n"]:
    depth = totals.astype(np.float64)
    if len(depth) != table.shape[0]:
        raise DataError(f"{len(depth)} totals for {table.shape[0]} observations")
    sums = np.asarray(table.sum(axis=1, dtype=np.float64)).ravel()
    wrong = ~np.isfinite(depth) | (depth < sums * (1 - 1e-6))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{int(wrong.sum())} totals are below the sum of the observation's counts, or no number "
            f"(row {row}: {depth[row]:g} and {sums[row]:g})",
            expected="totals over all measured genes",
        )
    return depth


def _names(genes: Sequence[str] | None, width: int) -> tuple[str, ...]:
    names = tuple(genes) if genes is not None else tuple(str(i) for i in range(width))
    if len(names) != width:
        raise DataError(f"{len(names)} names for {width} genes")
    return names

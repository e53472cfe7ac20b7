"""How far apart tissue is still alike: correlation over distance, and the length at which it is lost.

Blocks of the bootstrap stand for independent pieces of tissue, so they have to be wider than the
correlation length of what is scored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from prestige.errors import DataError
from prestige.stats.space import neighbour_distances

BLOCK_LENGTHS = 4.0
"""Blocks should be at least so many correlation lengths (at 1/e) wide: docs/results/coverage.md."""

_MIN_OBSERVATIONS = 30
_MAX_OBSERVATIONS = 100_000
_CHUNK = 1 << 22  # pairs in flight
_BINS = 28
_Z = 4.0  # standard errors at which one of the bins is taken for more than chance
_POWERS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
_LENGTHS = 300


@dataclass(frozen=True, eq=False)
class Correlogram:
    """Correlation of observations by the distance between them, averaged over genes.

    Attributes
    ----------
    distance_um, correlation, n_pairs
        Mean distance, correlation and number of pairs of each of m classes of distance; shares of the whole
        variance, so counting noise lowers all of them alike.
    structured
        Share of the variance that is spatially structured: the fit at distance 0, pairs with themselves left
        out.  The rest is noise of single observations (the nugget).
    length_um
        Distance at which the fit falls to ``share`` of ``structured``.  0 where no class of distance shows
        correlation beyond chance; infinity where it does not fall so far within the tissue.
    share
        1/e unless asked otherwise.
    longest_um
        The longest distance that was looked at.  A length below the first of ``distance_um`` is an
        extrapolation.
    """

    distance_um: Float[np.ndarray, " m"]
    correlation: Float[np.ndarray, " m"]
    n_pairs: Int[np.ndarray, " m"]
    structured: float
    length_um: float
    share: float
    longest_um: float


def blocks_to_merge(block_um: float, length_um: float) -> int | None:
    """Return how many blocks a side make one that is :data:`BLOCK_LENGTHS` correlation lengths wide.

    1 where the blocks are wide enough; None where no block is (``length_um`` is infinite).
    For :func:`~prestige.stats.moments.merge_blocks`.

    Raises
    ------
    DataError
        When a width is no positive number or a length is negative or NaN.
    """
    if not block_um > 0 or not length_um >= 0:
        raise DataError(
            f"blocks of {block_um} um and a correlation length of {length_um} um", expected="positive numbers"
        )
    if math.isinf(length_um):
        return None
    return max(1, math.ceil(BLOCK_LENGTHS * length_um / block_um - 1e-9))


def correlogram(
    xy_um: Float[np.ndarray, "n 2"],
    values: Float[np.ndarray, "n g"],
    *,
    sample_of: Shaped[np.ndarray, " n"] | None = None,
    share: float = 1 / math.e,
    anchors: int = 500,
    seed: int = 0,
) -> Correlogram:
    """Return correlation over distance of test residuals (or of the truth), averaged over genes.

    Each gene is standardised within its sample; pairs are of one sample.  ``anchors`` observations drawn at
    random are paired with all others (at most 100,000 of them), which takes some seconds for 100,000 x 400.
    Into the classes of distance a stable covariance is fitted, structured x exp(-(d / l)^q) with q from 0.5
    to 2 (1: exponential, 2: Gaussian; Chiles and Delfiner 2012, Geostatistics, section 2.5), less its own
    mean over all pairs: standardising within a section takes that mean off.  Pairs of an observation with
    itself are left out, so noise of single observations lowers the curve and leaves the length.

    Parameters
    ----------
    xy_um
        Positions, um.
    values
        Residuals or truth, observations x genes.
    sample_of
        The sample of each observation; left out, all are of one.
    share
        The share of the structured variance at which the length is read, between 0 and 1.

    Raises
    ------
    DataError
        When a value is NaN or infinite, the share is not between 0 and 1, nothing varies, or no sample has 30
        observations.
    """
    _check(xy_um, values, sample_of, share)
    rng = np.random.default_rng(seed)
    sample = np.zeros(len(xy_um), dtype=np.int64) if sample_of is None else sample_of
    names, size = np.unique(sample, return_counts=True)
    names = names[size >= _MIN_OBSERVATIONS]
    total = int(size[size >= _MIN_OBSERVATIONS].sum())
    parts = []
    for name in names:
        rows = np.flatnonzero(sample == name)
        number = max(1, round(anchors * len(rows) / total))
        if len(rows) > _MAX_OBSERVATIONS:
            rows = np.sort(rng.choice(rows, _MAX_OBSERVATIONS, replace=False))
        at = rng.choice(len(rows), min(number, len(rows)), replace=False)
        z = _standardised(values[rows])
        if z.shape[1]:
            parts.append((xy_um[rows] - xy_um[rows].mean(axis=0), z, at))
    if not parts:
        raise DataError("nothing varies", where="correlogram", expected="a gene that is not constant")
    edges = _edges([xy for xy, _, _ in parts], rng)
    sums = np.concatenate([_of_anchors(xy, z, at, edges) for xy, z, at in parts], axis=1)
    return _fitted(sums, edges, share, max(z.shape[1] for _, z, _ in parts))


def _check(xy_um: np.ndarray, values: np.ndarray, sample_of: np.ndarray | None, share: float) -> None:
    where = "correlogram"
    if not 0 < share < 1:
        raise DataError(f"the share is {share}", where=where, expected="a number between 0 and 1")
    sizes = np.unique(np.zeros(len(values)) if sample_of is None else sample_of, return_counts=True)[1]
    if not len(sizes) or sizes.max() < _MIN_OBSERVATIONS:
        raise DataError(
            f"no sample has {_MIN_OBSERVATIONS} observations", where=where, expected="more observations"
        )
    step = max(1, _CHUNK // max(1, values.shape[1]))
    finite = all(np.isfinite(values[i : i + step]).all() for i in range(0, len(values), step))
    if not finite or not np.isfinite(xy_um).all():
        raise DataError("a position or a value is NaN or infinite", where=where)


def _standardised(values: np.ndarray) -> Float[np.ndarray, "n k"]:
    """Return each gene less its mean, over its deviation, as float32; constant genes are left out."""
    mean, spread = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    varies: Bool[np.ndarray, " g"] = spread > 1e-6 * np.abs(mean)
    out = values[:, varies].astype(np.float32)
    out -= mean[varies].astype(np.float32)
    out /= spread[varies].astype(np.float32)
    return out


def _edges(places: list[np.ndarray], rng: np.random.Generator) -> Float[np.ndarray, " e"]:
    """Return the ends of classes of distance: a first one up to the nearest neighbours', then by factors."""
    nearest = []
    for xy in places:
        some = rng.choice(len(xy), min(len(xy), 2000), replace=False)
        away = neighbour_distances(xy, 1, some)
        nearest.append(np.median(away[away > 0]) if (away > 0).any() else np.nan)
    longest = max(float(np.hypot(*np.ptp(xy, axis=0))) for xy in places)
    shortest = float(np.nanmin(nearest)) if np.isfinite(nearest).any() else np.nan
    if not (np.isfinite(shortest) and longest > shortest > 0):
        raise DataError("all observations lie at one place", where="correlogram", expected="positions in um")
    return np.concatenate([[0.0], np.geomspace(1.25 * shortest, 1.001 * max(longest, 2 * shortest), _BINS)])


def _of_anchors(
    xy: np.ndarray, z: np.ndarray, at: np.ndarray, edges: np.ndarray
) -> Float[np.ndarray, "3 a m"]:
    """Return for each anchor and class of distance the number of pairs, their distances and products."""
    n, m = len(xy), len(edges) - 1
    out = np.zeros((3, len(at), m))
    step = max(1, _CHUNK // n)
    x, y = xy.astype(np.float32).T
    scale = np.float32(0.5 * (m - 1) / math.log(edges[-1] / edges[1]))
    for start in range(0, len(at), step):
        some = at[start : start + step]
        squared = (x[some, None] - x) ** 2 + (y[some, None] - y) ** 2
        squared[np.arange(len(some)), some] = np.inf  # no observation is paired with itself
        rise = np.log(np.maximum(squared / np.float32(edges[1] ** 2), np.float32(1e-12)))
        place = np.clip(np.ceil(rise * scale), 0, m)
        cell = (place.astype(np.int64) + (m + 1) * np.arange(len(some))[:, None]).ravel()
        product = (z[some] @ z.T).ravel() / z.shape[1]
        distance = np.sqrt(np.where(np.isfinite(squared), squared, 0)).ravel()
        for k, weight in enumerate((None, distance, product)):
            sums = np.bincount(cell, weight, minlength=len(some) * (m + 1))
            out[k, start : start + step] = sums.reshape(len(some), m + 1)[:, :m]
    return out


def _fitted(sums: Float[np.ndarray, "3 a m"], edges: np.ndarray, share: float, n_genes: int) -> Correlogram:
    n_pairs = sums[0].sum(axis=0)
    seen = n_pairs > 0
    distance, correlation = (sums[k].sum(axis=0)[seen] / n_pairs[seen] for k in (1, 2))
    off = sums[2][:, seen] - correlation * sums[0][:, seen]
    # A pair of two anchors is counted from both ends, so twice the variance at most.
    error = np.sqrt(2 * (off**2).sum(axis=0)) / n_pairs[seen]
    n_pairs = n_pairs[seen]
    # Over few anchors the spread may come out small by chance; below that of independent genes it is not.
    error = np.maximum(error, np.sqrt(2 / (n_pairs * n_genes)))
    enough = n_pairs >= _MIN_OBSERVATIONS
    # Half the farthest distance: beyond, there are only pairs across the whole section.
    longest = 0.5 * float(edges[-1])
    used = enough & (distance <= longest)
    length, structured = 0.0, 0.0
    if used.any() and (correlation[used] > _Z * error[used]).any():
        length, structured = _fit(distance, correlation, error, n_pairs, used, share)
        if length > longest:
            length = math.inf
    return Correlogram(
        distance_um=distance,
        correlation=correlation,
        n_pairs=n_pairs.astype(np.int64),
        structured=structured,
        length_um=length,
        share=share,
        longest_um=longest,
    )


def _fit(
    distance: np.ndarray,
    correlation: np.ndarray,
    error: np.ndarray,
    n_pairs: np.ndarray,
    used: np.ndarray,
    share: float,
) -> tuple[float, float]:
    """Return length at ``share`` and structured variance of the best stable covariance, on a grid."""
    lengths = np.geomspace(0.3 * distance[0], 4 * distance[-1], _LENGTHS)
    power = np.array(_POWERS)[:, None, None]
    curve = np.exp(-((distance / lengths[:, None]) ** power))  # (powers, lengths, classes)
    curve = curve - (curve @ n_pairs / n_pairs.sum())[..., None]
    curve, goal, error = curve[..., used], correlation[used], error[used]
    # Two kinds of error: of few pairs, and of a curve that no covariance of this form follows exactly.
    weight = 1 / (error**2 + (0.05 * goal.max()) ** 2)
    above, below = (curve * goal) @ weight, (curve**2) @ weight
    height = np.clip(np.divide(above, below, out=np.zeros_like(above), where=below > 0), 0.0, None)
    misfit = ((height[..., None] * curve - goal) ** 2) @ weight
    q, at = np.unravel_index(int(np.argmin(misfit)), misfit.shape)
    length = float(lengths[at] * (-math.log(share)) ** (1 / _POWERS[q]))
    return length, float(min(height[q, at], 1.0))

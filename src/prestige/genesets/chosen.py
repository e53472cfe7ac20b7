"""Gene sets chosen on training data: most expressed, most variable, most spatially variable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped

from prestige.errors import DataError
from prestige.genesets.gmt import GeneSet

NEIGHBOURS = 8
"""Nearest neighbours of an observation in Moran's I: on a square grid, those that touch it."""

MAX_CENTRES = 20_000
"""Moran's I sums over at most this many observations."""

_SOURCE = "chosen on training data"
_CHUNK_GENES = 64
_LEAF = 10  # as it was when the sets of benches were chosen: on a grid another one may choose other genes


def most_expressed(mean: Float[np.ndarray, " g"], genes: Sequence[str], n: int) -> GeneSet:
    """Return the n genes with the highest training mean, highest first.

    Parameters
    ----------
    mean
        (g,) means over the training observations (``Panel.train_mean``); NaN is never chosen.
    genes, n
        The g genes, and how many to take; all there are, with a note, where there are fewer.

    Raises
    ------
    DataError
        When there is not one value for each gene.
    """
    return _highest("most expressed", "highest mean over the training observations", mean, genes, n)


def most_variable(variance: Float[np.ndarray, " g"], genes: Sequence[str], n: int) -> GeneSet:
    """Return the n genes with the highest training variance, highest first.

    Parameters
    ----------
    variance
        (g,) variances over the training observations, best those of :func:`within_sample_variance`:
        differences between slides are mostly stain and depth.  NaN is never chosen.
    genes, n
        The g genes, and how many to take; all there are, with a note, where there are fewer.

    Raises
    ------
    DataError
        When there is not one value for each gene.
    """
    return _highest("most variable", "highest variance over the training observations", variance, genes, n)


def most_spatially_variable(
    y: Float[np.ndarray, "n g"],
    xy_um: Float[np.ndarray, "_ 2"],
    sample: Shaped[np.ndarray, " _"],
    genes: Sequence[str],
    n: int,
    *,
    seed: int = 0,
) -> GeneSet:
    """Return the n genes with the highest Moran's I over training observations, highest first.

    Parameters are those of :func:`morans_i`; ``n`` is how many genes to take.

    Raises
    ------
    DataError
        As :func:`morans_i`, or when there is not one column for each gene.
    """
    values = morans_i(y, xy_um, sample, seed=seed)
    how = f"highest Moran's I over the training observations, {NEIGHBOURS} nearest neighbours"
    return _highest("most spatially variable", how, values, genes, n)


def within_sample_variance(
    y: Float[np.ndarray, "n g"], sample: Shaped[np.ndarray, " _"]
) -> Float[np.ndarray, " g"]:
    """Return each gene's variance about the means of its samples.

    ``sum_s sum_(i in s) (y_i - mean_s)^2 / (n - S)`` over S samples: the within-group mean square
    of an analysis of variance.  NaN where every sample has one observation.

    Raises
    ------
    DataError
        When the number of observations differs between the arguments, or is 0.
    """
    _check(y, sample=sample)
    from prestige.stats.space import covariance_within

    return covariance_within(y, y, sample)


def morans_i(
    y: Float[np.ndarray, "n g"],
    xy_um: Float[np.ndarray, "_ 2"],
    sample: Shaped[np.ndarray, " _"],
    *,
    neighbours: int = NEIGHBOURS,
    max_centres: int = MAX_CENTRES,
    seed: int = 0,
) -> Float[np.ndarray, " g"]:
    """Return Moran's I of each gene: how alike an observation and its nearest neighbours are.

    Within a sample of N observations, with ``z`` the values less their mean and ``W`` the matrix
    that has 1/k at the k nearest neighbours of each observation (rows sum to 1),

        I = (N / sum_ij W_ij) * sum_ij W_ij z_i z_j / sum_i z_i^2 = z' W z / z' z,

    which is -1/(N - 1) on average where places carry no information, and 1 at most about.  The answer
    is the mean over samples, each weighing alike; a sample in which the gene is constant, or with no
    more than k observations, says nothing of it.

    Where there are more than ``max_centres`` observations, the sum over i is taken over that many of
    them, drawn with the seed and shared out evenly among samples.  Their neighbours are drawn
    from all observations, so the distance of which I speaks stays what it is.

    Parameters
    ----------
    y
        (n, g) values, log-normalised expression of training observations.
    xy_um, sample
        (n, 2) places in um and (n,) sample of each observation.
    neighbours
        k.

    Returns
    -------
    (g,) values; NaN where no sample says anything.

    Raises
    ------
    DataError
        When the number of observations differs between the arguments, or is 0, or a place or value
        is not finite.

    References
    ----------
    Moran (1950), Notes on continuous stochastic phenomena, Biometrika 37.
    Cliff and Ord (1981), Spatial Processes, chapter 1 (general weights, and their row-standardised form).
    """
    from prestige.stats.space import rows_of_samples  # the package loads scipy

    _check(y, sample=sample, xy_um=xy_um)
    groups = [rows for _, rows in rows_of_samples(sample)]
    share = max_centres // len(groups) if len(y) > max_centres else None
    rng = np.random.default_rng(seed)
    rows = [
        _morans_i_of(y[one], xy_um[one], neighbours, share, rng) for one in groups if len(one) > neighbours
    ]
    if not rows:
        return np.full(y.shape[1], np.nan)
    table = np.stack(rows)
    known = np.isfinite(table)
    sums = np.where(known, table, 0.0).sum(axis=0)
    return np.divide(sums, known.sum(axis=0), out=np.full(y.shape[1], np.nan), where=known.any(axis=0))


def _morans_i_of(
    y: Float[np.ndarray, "n g"],
    xy_um: Float[np.ndarray, "n 2"],
    neighbours: int,
    share: int | None,
    rng: np.random.Generator,
) -> Float[np.ndarray, " g"]:
    """Return Moran's I within one sample."""
    from scipy.sparse import csr_array

    from prestige.stats.space import nearest_others

    count = len(y)
    centres = np.arange(count)
    if share is not None and share < count:
        centres = np.sort(rng.choice(count, size=max(share, 1), replace=False))
    near = nearest_others(xy_um, neighbours, centres, leaf=_LEAF)
    start = np.arange(len(centres) + 1) * neighbours
    weights = csr_array(
        (np.full(near.size, 1 / neighbours), near.ravel(), start), shape=(len(centres), count)
    )
    out = np.full(y.shape[1], np.nan)
    for first in range(0, y.shape[1], _CHUNK_GENES):
        z = y[:, first : first + _CHUNK_GENES].astype(np.float64)
        varies = np.ptp(z, axis=0) > 0
        z -= z.mean(axis=0)
        of_centres = z[centres]
        across = (of_centres * (weights @ z)).mean(axis=0)
        spread = np.square(z).mean(axis=0)
        out[first : first + _CHUNK_GENES] = np.divide(
            across, spread, out=np.full(z.shape[1], np.nan), where=varies & (spread > 0)
        )
    return out


def _highest(name: str, description: str, values: np.ndarray, genes: Sequence[str], n: int) -> GeneSet:
    if len(values) != len(genes):
        raise DataError(f"{len(values)} values for {len(genes)} genes", where=f"the set '{name}'")
    order = np.argsort(-values, kind="stable")  # NaN goes last, ties keep the panel's order
    chosen = [genes[int(position)] for position in order if np.isfinite(values[position])][:n]
    notes = () if len(chosen) == n else (f"{n} genes were asked for, there are {len(chosen)}",)
    return GeneSet(name, tuple(chosen), _SOURCE, description, notes)


def _check(y: np.ndarray, *, sample: np.ndarray, xy_um: np.ndarray | None = None) -> None:
    lengths = {len(y), len(sample), len(y) if xy_um is None else len(xy_um)}
    if len(lengths) > 1:
        raise DataError(
            "values, places and samples are not of one length: " + ", ".join(map(str, sorted(lengths)))
        )
    if not len(y):
        raise DataError("no observations to choose genes on", expected="training observations")
    if not np.isfinite(y).all():
        raise DataError("values are not all finite", expected="log-normalised expression")
    if xy_um is not None and not np.isfinite(xy_um).all():
        raise DataError("places are not all finite", expected="x and y in um")

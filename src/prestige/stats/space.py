"""Places in space: the rows of each sample, nearest neighbours, spacing, and covariance within samples.

Nothing here crosses from one sample to another: places of two sections have no distance.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from prestige.errors import DataError

_CHUNK = 64  # genes at a time


def rows_of_samples(sample_of: Shaped[np.ndarray, " n"]) -> Iterator[tuple[str, Int[np.ndarray, " m"]]]:
    """Yield the name of each sample and its rows, in the order of the names."""
    names, code = np.unique(sample_of.astype(np.str_), return_inverse=True)
    for number, name in enumerate(names):
        yield str(name), np.flatnonzero(code == number)


def large_enough(
    sample_of: Shaped[np.ndarray, " n"], least: int, what: str
) -> tuple[Bool[np.ndarray, " n"], tuple[str, ...]]:
    """Return whether the sample of each observation has ``least`` of them, and which samples have not.

    Parameters
    ----------
    what
        What needs so many, for the message.

    Raises
    ------
    DataError
        When no sample has so many.
    """
    kept, left_out = np.ones(len(sample_of), dtype=bool), []
    for name, rows in rows_of_samples(sample_of):
        if len(rows) < least:
            kept[rows] = False
            left_out.append(name)
    if not kept.any():
        one = f"sample {left_out[0]}" if len(left_out) == 1 else f"the largest of {len(left_out)} samples"
        most = max((len(rows) for _, rows in rows_of_samples(sample_of)), default=0)
        raise DataError(f"{one} has {most} observations", where=what, expected=f"{least} or more in a sample")
    return kept, tuple(left_out)


def nearest_others(
    xy_um: Float[np.ndarray, "n 2"],
    k: int,
    of: Int[np.ndarray, " m"] | slice = slice(None),
    *,
    leaf: int = 16,
) -> Int[np.ndarray, "m k"]:
    """Return the rows of the k nearest others of the observations ``of`` of one sample, nearest first.

    An observation is never among its own neighbours, also where several lie at one place.  Of others that
    are equally far (on a grid), which come first is the search's choice, and always the same one.

    Parameters
    ----------
    k
        How many: at least 1, fewer than there are observations.
    of
        Whose neighbours; of all by default.
    leaf
        Places in a leaf of the tree.  It settles which come first of those that are equally far, and nothing
        else: on a grid another one gives other neighbours, no nearer and no farther.

    Raises
    ------
    DataError
        When k is out of range.
    """
    from scipy.spatial import KDTree

    n = len(xy_um)
    if not 1 <= k < n:
        raise DataError(
            f"{k} nearest neighbours among {n} observations", expected="at least 1, and fewer than those"
        )
    whose = np.arange(n)[of]
    near = np.asarray(KDTree(xy_um, leafsize=leaf).query(xy_um[whose], k=k + 1)[1])
    itself = near == whose[:, None]
    # Where several lie at one place, an observation may be missing in its own list: then the last goes.
    drop = np.where(itself.any(axis=1), itself.argmax(axis=1), k)
    return near[np.arange(k + 1) != drop[:, None]].reshape(len(whose), k)


def nearest(
    xy_um: Float[np.ndarray, "n 2"], sample_of: Shaped[np.ndarray, " n"], k: int
) -> Int[np.ndarray, "n k"]:
    """Return the rows of the k nearest others of each observation, nearest first, all of its sample.

    Parameters
    ----------
    xy_um, sample_of
        (n, 2) places in um and (n,) sample of each observation.
    k
        How many, at least 1.

    Raises
    ------
    DataError
        When k is below 1 or a sample has no more than k observations.
    """
    if k < 1:
        raise DataError(f"{k} nearest neighbours", expected="at least 1")
    out = np.empty((len(xy_um), k), dtype=np.int64)
    for name, rows in rows_of_samples(sample_of):
        if len(rows) <= k:
            raise DataError(
                f"has {len(rows)} observations",
                where=f"sample {name}",
                expected=f"more than the {k} neighbours of each",
                remedy="ask for fewer neighbours or leave the sample out",
            )
        out[rows] = rows[nearest_others(xy_um[rows], k)]
    return out


def neighbour_distances(
    xy: Float[np.ndarray, "n 2"], neighbour: int, of: Int[np.ndarray, " m"] | slice = slice(None)
) -> Float[np.ndarray, " m"]:
    """Return how far the first, second, ... nearest other of each observation ``of`` of one sample is.

    In the unit of the places; infinite where there are not so many others.
    """
    from scipy.spatial import KDTree

    return np.asarray(KDTree(xy).query(xy[of], k=[neighbour + 1])[0])[:, 0]


def spacing_um(distances_um: Float[np.ndarray, " m"], neighbour: int) -> float:
    """Return the spacing of observations: the side of the square that each has to itself, um.

    From the median distance d to the k-th nearest other: a disc of that radius holds k, so the spacing is
    ``d sqrt(pi / k)``.  It is near the step of a grid, and the same for places at random of the same density,
    the nearer the larger k is.  Observations whose k-th nearest lies at their own place have no part in it; 0
    where that holds of all.

    Parameters
    ----------
    distances_um, neighbour
        Distances to the k-th nearest others (:func:`neighbour_distances`), and k.
    """
    away = distances_um[distances_um > 0]
    return float(np.median(away) * np.sqrt(np.pi / neighbour)) if len(away) else 0.0


def covariance_within(
    first: Float[np.ndarray, "n g"], second: Float[np.ndarray, "n g"], sample_of: Shaped[np.ndarray, " n"]
) -> Float[np.ndarray, " g"]:
    """Return each gene's covariance of two sides about the means of its samples; of one side its variance.

    ``sum_s sum_(i in s) (x_i - mean_s)(y_i - mean_s) / (n - S)`` over S samples: the within-group mean square
    of an analysis of variance.  NaN where every sample has one observation.
    """
    samples = [rows for _, rows in rows_of_samples(sample_of)]
    total = np.zeros(first.shape[1])
    for rows in samples:
        for start in range(0, first.shape[1], _CHUNK):
            genes = slice(start, start + _CHUNK)
            x, y = (side[rows, genes].astype(np.float64) for side in (first, second))
            total[genes] += ((x - x.mean(axis=0)) * (y - y.mean(axis=0))).sum(axis=0)
    free = len(sample_of) - len(samples)
    return total / free if free else np.full(len(total), np.nan)

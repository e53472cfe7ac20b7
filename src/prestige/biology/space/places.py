"""Which observations lie next to each other: nearest neighbours within a sample."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from prestige.errors import DataError

_RANK = 6  # of the neighbour whose distance tells the density


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


def left_out_sentence(names: tuple[str, ...], least: int, what: str) -> list[str]:
    """Return the sentence that samples were left out of something; none where all were in."""
    if not names:
        return []
    which = f"sample {names[0]}" if len(names) == 1 else f"samples {', '.join(names)}"
    return [f"Left out of {what}, with fewer than {least} observations: {which}."]


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
    from scipy.spatial import cKDTree

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
        near = np.asarray(cKDTree(xy_um[rows]).query(xy_um[rows], k=k + 1)[1])
        own = near == np.arange(len(rows))[:, None]
        # Where several lie at one place, an observation may be missing in its own list: then the last goes.
        drop = np.where(own.any(axis=1), own.argmax(axis=1), k)
        keep = np.arange(k + 1)[None, :] != drop[:, None]
        out[rows] = rows[near[keep].reshape(len(rows), k)]
    return out


def spacing_um(xy_um: Float[np.ndarray, "n 2"], sample_of: Shaped[np.ndarray, " n"]) -> float:
    """Return the spacing of observations, um: the root of the tissue's area for each of them.

    From the median distance d to the sixth nearest other: a disc of that radius holds six, so the spacing is
    ``d sqrt(pi / 6)``.  It is near the step of a grid, and the same for places at random of the same density.
    Samples with fewer than seven observations have no part in it, unless all are as small.

    Raises
    ------
    DataError
        When no sample has two observations or all lie at one place.
    """
    most = max((len(rows) for _, rows in rows_of_samples(sample_of)), default=0)
    k = min(_RANK, max(most - 1, 1))
    kept, _ = large_enough(sample_of, k + 1, "spacing of observations")
    xy_um, sample_of = xy_um[kept], sample_of[kept]
    near = nearest(xy_um, sample_of, k)[:, -1]
    away = np.hypot(*(xy_um - xy_um[near]).T)
    if not (away > 0).any():
        raise DataError("all observations lie at one place", expected="places in um")
    return float(np.median(away[away > 0]) * np.sqrt(np.pi / k))

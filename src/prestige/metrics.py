"""Scores on arrays of observations x genes: pure functions, exact, in bounded memory.

:func:`all_metrics` and :func:`pearson` take a prediction and a truth of shape (n, g) and an ``axis``: 0
gives one value a gene (over observations), 1 one value an observation (over genes).  Sums are taken in
float64 over deviations from the mean, block by block, so a million observations x 460 genes need little
memory beyond the two arrays themselves.

What is not defined is NaN, never a made-up number: a correlation where the truth or the
prediction is constant, R2 and explained variance where the truth is constant, a cosine with a zero
vector.  What a mean makes of the NaN is decided in :mod:`prestige.evaluate`.

>>> import numpy as np
>>> from prestige import metrics
>>> truth = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0]])  # 3 observations of 2 genes
>>> metrics.pearson(truth + [[0.5, 0.0], [0.0, 0.0], [0.0, 0.0]], truth).round(2)
array([0.98, 1.  ])
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from prestige.compute.threads import in_threads
from prestige.errors import DataError

_BLOCK = 1 << 20  # numbers in one block: 8 MB of float64, a few of which are alive at a time

HIGHER_IS_BETTER = {
    "pearson": True,
    "spearman": True,
    "mse": False,
    "rmse": False,
    "mae": False,
    "r2": True,
    "explained_variance": True,
    "cosine": True,
}


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums along one axis: centred squares and products, errors, means; ``flat_*`` marks constants."""

    n: int
    mean_p: np.ndarray
    mean_t: np.ndarray
    pp: np.ndarray
    tt: np.ndarray
    pt: np.ndarray
    squared_error: np.ndarray
    absolute_error: np.ndarray
    flat_p: np.ndarray
    flat_t: np.ndarray


def pearson(
    pred: Float[np.ndarray, "n g"], truth: Float[np.ndarray, "n g"], *, axis: int = 0
) -> Float[np.ndarray, " m"]:
    """Return Pearson's correlation along ``axis``; NaN where either side is constant.

    Raises
    ------
    DataError
        As :func:`all_metrics`.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])  # the second gene is constant
    >>> pred = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 5.0]])
    >>> pearson(pred, truth)
    array([ 1., nan])
    """
    return _pearson(_sums(pred, truth, axis))


def all_metrics(
    pred: Float[np.ndarray, "n g"], truth: Float[np.ndarray, "n g"], *, axis: int = 0
) -> dict[str, np.ndarray]:
    """Return every metric along ``axis`` by name, from one pass over the arrays.

    ``pearson``; ``spearman`` (Pearson's of the average ranks, ties shared); ``mse``, ``rmse``, ``mae`` (mean
    squared error, its root, mean absolute error); ``r2`` (1 - squared error / squared deviation of the
    truth); ``explained_variance`` (1 - variance of the residual / variance of the truth: R2 but for a
    constant offset); ``cosine`` (of the angle between the two).  :data:`HIGHER_IS_BETTER` says which way
    is up.

    Three further entries (bool) say where a score is undefined and why: ``truth_constant``,
    ``prediction_constant`` and, for the cosine, ``truth_zero``.

    Parameters
    ----------
    pred, truth
        Observations x genes, of one shape.
    axis
        0: one value a gene; 1: one value an observation.

    Raises
    ------
    DataError
        When the shapes differ, an array is empty or holds NaN or infinity, or the axis is another.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]])
    >>> pred = np.array([[0.0, 1.0], [1.0, 2.0], [3.0, 0.0]])
    >>> of_genes = all_metrics(pred, truth)
    >>> of_genes["spearman"].round(2)
    array([1. , 0.5])
    >>> all_metrics(pred, truth, axis=1)["mse"]  # one value an observation
    array([0.5, 0.5, 0.5])
    """
    sums = _sums(pred, truth, axis)
    residual = np.maximum(sums.pp + sums.tt - 2.0 * sums.pt, 0.0)
    return {
        "pearson": _pearson(sums),
        "spearman": _spearman(pred, truth, axis),
        "mse": sums.squared_error / sums.n,
        "rmse": np.sqrt(sums.squared_error / sums.n),
        "mae": sums.absolute_error / sums.n,
        "r2": 1.0 - _ratio(sums.squared_error, sums.tt, ~sums.flat_t),
        "explained_variance": 1.0 - _ratio(residual, sums.tt, ~sums.flat_t),
        "cosine": _cosine(sums),
        "truth_constant": sums.flat_t,
        "prediction_constant": sums.flat_p,
        "truth_zero": (sums.tt == 0) & (sums.mean_t == 0),
    }


def _pearson(sums: _Sums) -> np.ndarray:
    r = _ratio(sums.pt, np.sqrt(sums.pp) * np.sqrt(sums.tt), ~(sums.flat_p | sums.flat_t))
    return np.clip(r, -1.0, 1.0)


def _cosine(sums: _Sums) -> np.ndarray:
    product = sums.pt + sums.n * sums.mean_p * sums.mean_t
    norms = np.sqrt(sums.pp + sums.n * sums.mean_p**2) * np.sqrt(sums.tt + sums.n * sums.mean_t**2)
    return np.clip(_ratio(product, norms, np.ones(len(norms), dtype=bool)), -1.0, 1.0)


def _ratio(above: np.ndarray, below: np.ndarray, defined: np.ndarray) -> np.ndarray:
    out = np.full(above.shape, np.nan)
    return np.divide(above, below, out=out, where=defined & (below > 0))


def _check(pred: np.ndarray, truth: np.ndarray, axis: int) -> None:
    if pred.shape != truth.shape or pred.ndim != 2:
        raise DataError(
            f"prediction has shape {pred.shape}, truth {truth.shape}",
            where="metrics",
            expected="two arrays of one shape, observations x genes",
        )
    if pred.size == 0:
        raise DataError("there is nothing to score", where="metrics", expected="an observation and a gene")
    if axis not in (0, 1):
        raise DataError(f"axis is {axis}", where="metrics", expected="0 (per gene) or 1 (per observation)")
    for name, array in (("prediction", pred), ("truth", truth)):
        if not all(np.isfinite(array[rows]).all() for rows in _row_blocks(array)):
            raise DataError(
                f"the {name} holds NaN or infinity", where="metrics", expected="finite numbers only"
            )


def _row_blocks(array: np.ndarray) -> Iterator[slice]:
    step = max(1, _BLOCK // array.shape[1])
    for start in range(0, array.shape[0], step):
        yield slice(start, start + step)


def _sums(pred: np.ndarray, truth: np.ndarray, axis: int) -> _Sums:
    _check(pred, truth, axis)
    return _sums_over_rows(pred, truth) if axis == 0 else _sums_over_genes(pred, truth)


def _sums_over_rows(pred: np.ndarray, truth: np.ndarray) -> _Sums:
    """Sum down the columns in two passes over blocks of rows: the means, then the deviations from them."""
    n = pred.shape[0]

    def first(rows: slice) -> tuple[np.ndarray, np.ndarray]:
        sides = ((pred[rows], pred[0]), (truth[rows], truth[0]))
        means = [part.sum(axis=0, dtype=np.float64) / n for part, _ in sides]
        return np.stack(means), np.stack([(part == top).all(axis=0) for part, top in sides])

    means, flat = zip(*in_threads(first, _row_blocks(pred)), strict=True)
    (mean_p, mean_t), (flat_p, flat_t) = np.sum(means, axis=0), np.all(flat, axis=0)

    def second(rows: slice) -> np.ndarray:
        p, t = pred[rows].astype(np.float64), truth[rows].astype(np.float64)
        error = p - t
        squared, absolute = np.einsum("ij,ij->j", error, error), np.abs(error, out=error).sum(axis=0)
        p -= mean_p
        t -= mean_t
        products = [np.einsum("ij,ij->j", a, b) for a, b in ((p, p), (t, t), (p, t))]
        return np.stack([*products, squared, absolute, p.sum(axis=0), t.sum(axis=0)])

    pp, tt, pt, squared, absolute, left_p, left_t = np.sum(in_threads(second, _row_blocks(pred)), axis=0)
    # What is left of the sums of deviations is the rounding of the means: taken off again.
    pp, tt, pt = (
        np.maximum(pp - left_p**2 / n, 0),
        np.maximum(tt - left_t**2 / n, 0),
        pt - left_p * left_t / n,
    )
    return _Sums(n, mean_p, mean_t, pp, tt, pt, squared, absolute, flat_p, flat_t)


def _sums_over_genes(pred: np.ndarray, truth: np.ndarray) -> _Sums:
    """Sum along the rows, a block of rows at a time."""
    n, g = pred.shape
    total = np.zeros((7, n))
    flat_p, flat_t = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)

    def part(rows: slice) -> None:
        p = pred[rows].astype(np.float64)
        t = truth[rows].astype(np.float64)
        flat_p[rows] = (p == p[:, :1]).all(axis=1)
        flat_t[rows] = (t == t[:, :1]).all(axis=1)
        error = p - t
        total[3, rows] = np.einsum("ij,ij->i", error, error)
        total[4, rows] = np.abs(error, out=error).sum(axis=1)
        total[5, rows] = p.mean(axis=1)
        total[6, rows] = t.mean(axis=1)
        p -= p.mean(axis=1, keepdims=True)
        t -= t.mean(axis=1, keepdims=True)
        total[0, rows] = np.einsum("ij,ij->i", p, p)
        total[1, rows] = np.einsum("ij,ij->i", t, t)
        total[2, rows] = np.einsum("ij,ij->i", p, t)

    in_threads(part, _row_blocks(pred))
    pp, tt, pt, squared, absolute, mean_p, mean_t = total
    return _Sums(g, mean_p, mean_t, pp, tt, pt, squared, absolute, flat_p, flat_t)


def _spearman(pred: np.ndarray, truth: np.ndarray, axis: int) -> np.ndarray:
    from prestige.ranks import rank_correlation  # compiles, so only where it is needed

    many, length = (pred.shape[1], pred.shape[0]) if axis == 0 else pred.shape
    out = np.empty(many)
    both = np.result_type(pred, truth)
    small = both.kind == "f" and both.itemsize <= 4  # float16, float32
    width, bits = (np.float32, np.uint32) if small else (np.float64, np.uint64)

    def part(start: int) -> None:
        rows = slice(start, start + step)
        sides = ((x[:, rows].T if axis == 0 else x[rows]) for x in (pred, truth))
        p, t = (np.ascontiguousarray(x, dtype=width).view(bits) for x in sides)
        rank_correlation(p, t, out[rows])

    step = max(1, _BLOCK // length)
    in_threads(part, range(0, many, step))
    return out

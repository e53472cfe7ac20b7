"""Counting noise on predictions, and halves of measurements: what makes the two comparable.

A measurement is a count, a prediction is a mean.  Even the true mean of a tissue varies less, is smoother in
space and correlates better than any measurement of it.  So counts are drawn around the prediction at the
observed depth before variances, Moran's I, correlations or clusters are compared; and what two measurements
of the same tissue would say of each other is read from two halves of the counts, each with half the depth
(count splitting).  What depth and counting bring by themselves stands beside (the depth-only null).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32
from scipy.sparse import csr_matrix

from prestige.biology.pair import Pair, normalised
from prestige.errors import DataError

_BLOCK = 1 << 21  # numbers drawn in one piece
_DEPTHS = 24  # quantiles of the totals that stand for all of them
_GRID = 500  # shares between the rarest and the whole
_RAREST = 1e-7
_LARGE = 60.0  # mean count from which the delta method is exact enough (relative error below 1e-4)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Measured and predicted values of equal noise, on the log1p scale.

    Attributes
    ----------
    predicted
        The prediction with noise at the observed depth: beside ``Pair.measured``.
    predicted_halves
        The prediction with noise at half the depth, drawn twice.
    measured_halves
        The measured counts in two halves (count splitting).
    depth_half
        What depth and counting bring by themselves (:func:`depth_alone`), at half the depth.
    seed
        What all of them were drawn with.
    """

    predicted: Float32[np.ndarray, "n g"]
    predicted_halves: tuple[Float32[np.ndarray, "n g"], Float32[np.ndarray, "n g"]]
    measured_halves: tuple[Float32[np.ndarray, "n g"], Float32[np.ndarray, "n g"]]
    depth_half: Float32[np.ndarray, "n g"]
    seed: int

    def sides(self, pair: Pair) -> dict[str, Float32[np.ndarray, "n g"]]:
        """Return what is compared, by name: at the observed depth, and below it at half of that."""
        half, other = self.measured_halves
        return {
            "measured": pair.measured,
            "predicted": self.predicted,
            "half": half,
            "other_half": other,
            "predicted_half": self.predicted_halves[0],
            "depth": self.depth_half,
        }


def draw(pair: Pair, seed: int = 0) -> Drawn:
    """Draw all that measured and predicted expression are compared by.

    Six arrays of the size of the prediction; each from its own stream, so none depends on another.
    """
    streams = [np.random.default_rng([seed, number]) for number in range(5)]
    return Drawn(
        predicted=noisy(pair, streams[0]),
        predicted_halves=(noisy(pair, streams[1], 0.5), noisy(pair, streams[2], 0.5)),
        measured_halves=halves(pair, streams[3]),
        depth_half=noisy(depth_alone(pair), streams[4], 0.5),
        seed=seed,
    )


def noisy(pair: Pair, rng: np.random.Generator, share: float = 1.0) -> Float32[np.ndarray, "n g"]:
    """Return what a measurement would be if the prediction were the truth, on the log1p scale.

    An observation keeps its total N, or for a ``share`` below 1 a binomial part of it.  Its N counts fall on
    the genes by the predicted shares p and on the genes outside the panel by what is left (Poisson counts
    given their total are multinomial), and are normalised by N as measurements are.  Where the shares of an
    observation add up to more than 1 they are scaled down to 1.

    Which share a value stands for depends on what it is the mean of.  A mean of counts (``Pair.mean_of``) is
    ``expm1(value) / total``.  A mean of values on the log scale is lower than the logarithm of the mean, by
    as much as the depth is low; its share is the p for which log1p(total K / N) with K ~ Binomial(N, p) has
    this mean over the totals N of the pair.  So the noise leaves the mean of a prediction where it was.

    Parameters
    ----------
    rng
        Where the counts come from.
    share
        Of the observed depth, above 0 and at most 1.

    Raises
    ------
    DataError
        When ``share`` is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise DataError(f"a share of {share} of the depth", where="noise", expected="above 0 and at most 1")
    depth = np.rint(pair.totals).astype(np.int64)
    if share < 1:
        depth = rng.binomial(depth, share)
    n, g = pair.predicted.shape
    out = np.empty((n, g), dtype=np.float32)
    table = _table(pair) if pair.mean_of == "log1p" else None
    for start in range(0, n, max(1, _BLOCK // g)):
        rows = slice(start, start + max(1, _BLOCK // g))
        p = _shares(pair.predicted[rows], pair.total, table)
        # The last share is not looked at: what the others leave over goes there.
        p = np.concatenate([p, np.zeros((len(p), 1))], axis=1)
        counts = rng.multinomial(depth[rows], p)[:, :g]
        factor = pair.total / np.maximum(depth[rows], 1)
        out[rows] = np.log1p(counts * factor[:, None])
    return out


def halves(
    pair: Pair, rng: np.random.Generator
) -> tuple[Float32[np.ndarray, "n g"], Float32[np.ndarray, "n g"]]:
    """Return two measurements of half the depth, on the log1p scale, from one: count splitting, or thinning.

    Every count, also those outside the panel, goes to either half with probability 1/2, and each half is
    normalised by its own total.  The halves of a Poisson count are independent given its mean (Neufeld et al.
    2022, Inference after latent variable estimation for single-cell RNA sequencing data); an observation of
    which a half keeps no count is 0 there.
    """
    counts = pair.counts
    number = np.rint(counts.data).astype(np.int64)
    sums = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    others = np.rint(np.maximum(pair.totals - sums, 0)).astype(np.int64)
    first = rng.binomial(number, 0.5)
    first_others = rng.binomial(others, 0.5)
    made = []
    for half, rest in ((first, first_others), (number - first, others - first_others)):
        table = csr_matrix((half.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)
        total = np.asarray(table.sum(axis=1, dtype=np.float64)).ravel() + rest
        made.append(normalised(table, total, pair.total))
    return made[0], made[1]


def depth_alone(pair: Pair) -> Pair:
    """Return the depth-only null: the same shares predicted everywhere, those of all counts together.

    With noise it has what depth and counting bring by themselves: variance, correlation between genes that
    share an observation's total, and structure where depth has any.
    """
    share = np.asarray(pair.counts.sum(axis=0, dtype=np.float64)).ravel() / pair.totals.sum()
    value = np.log1p(pair.total * share).astype(np.float32)
    return replace(pair, predicted=np.broadcast_to(value, pair.predicted.shape), mean_of="counts")


def _shares(
    values: np.ndarray, total: float, table: tuple[np.ndarray, np.ndarray] | None
) -> Float[np.ndarray, "b g"]:
    """Return the predicted share of each gene in all counts of an observation; at most 1 together."""
    if table is None:
        p = np.maximum(np.expm1(values.astype(np.float64)), 0) / total
    else:
        means, shares = table
        p = np.interp(values.ravel().astype(np.float64), means, shares).reshape(values.shape)
    # A hair below 1: sums of rounded shares may not pass it.
    return p / np.maximum(p.sum(axis=1, keepdims=True) * (1 + 1e-9), 1)


def _table(pair: Pair) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
    """Return means on the log scale, ascending, and the share of each."""
    from scipy.special import gammaln, xlog1py, xlogy

    depth = np.quantile(np.rint(pair.totals), (np.arange(_DEPTHS) + 0.5) / _DEPTHS)
    share = np.geomspace(_RAREST, 1.0, _GRID)
    mean = np.zeros(_GRID)
    for size in np.maximum(np.rint(depth), 1):
        rate, unit = share * size, pair.total / size
        # Delta method where counts are large: half the second derivative times the variance.
        value = np.log1p(unit * rate) - unit**2 * rate * (1 - share) / (2 * (1 + unit * rate) ** 2)
        small = (rate <= _LARGE) | (size <= 2 * _LARGE)
        k = np.arange(min(size, 2 * _LARGE + 40) + 1)
        choose = gammaln(size + 1) - gammaln(k + 1) - gammaln(size - k + 1)
        p = share[small, None]
        value[small] = np.exp(choose + xlogy(k, p) + xlog1py(size - k, -p)) @ np.log1p(unit * k)
        mean += np.maximum.accumulate(value) / _DEPTHS
    return np.concatenate([[0.0], mean]), np.concatenate([[0.0], share])

"""Confidence intervals from draws: studentised, simultaneous (max-T), and the confidence set of the best.

Simultaneous confidence intervals hold all together with the stated confidence: this is how multiple testing
is paid for here, and no p value is adjusted.  The comparison with the best (multiple comparisons with the
best, MCB, of Hsu) bounds how far each lies below the best, and says which may be the best.

References
----------
Davison and Hinkley (1997), Bootstrap Methods and their Application, sections 2.4 and 5.2: the
studentised bootstrap; the quantile of R draws at p is the one of rank (R + 1) p.
Edwards and Hsu (1983), Multiple comparisons with the best treatment, JASA 78: bounds on the distance to
the best, from comparisons of each one with all others, whichever is the best.
Westfall and Young (1993), Resampling-Based Multiple Testing: the maximum over the comparisons of a draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from prestige.errors import DataError
from prestige.stats.bootstrap import Draws

# A variance of a difference below this share of what it is the difference of is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Combined:
    """m linear combinations of scores, and the draws of their distance in standard errors.

    Attributes
    ----------
    estimate, se
        Of each combination, (m,); ``se`` is the infinitesimal jackknife's, 0 where nothing can vary.
    t
        (draw less estimate) / standard error of the draw, (m, d); draws without one are left out.
    """

    estimate: Float[np.ndarray, " m"]
    se: Float[np.ndarray, " m"]
    t: Float[np.ndarray, "m d"]


def combine(
    weights: Float[np.ndarray, "m k"],
    scores: Float[np.ndarray, " k"],
    covariance: Float[np.ndarray, "k k"],
    draws: Draws,
) -> Combined:
    """Return m linear combinations of k scores, studentised.

    A score whose weights are all 0 has no part in it, whatever it is: 0 x NaN would be NaN.
    """
    used = np.flatnonzero((weights != 0).any(axis=0))
    if len(used) < weights.shape[1]:
        weights, scores, covariance = weights[:, used], scores[used], covariance[np.ix_(used, used)]
        draws = Draws(draws.scores[used], draws.covariances[:, used[:, None], used])
    deviation = weights @ draws.scores - (weights @ scores)[:, None]
    t = _studentise(deviation, _errors(weights, draws.covariances).T)
    return _combined(weights @ scores, _errors(weights, covariance[None])[0], t)


def _against(i: int, scores: np.ndarray, covariance: np.ndarray, draws: Draws) -> Combined:
    """Return the differences of all k scores from that of i, as :func:`combine` would, but in order k."""
    error = _errors_against(i, draws.covariances).T
    t = _studentise((draws.scores - draws.scores[i]) - (scores - scores[i])[:, None], error)
    return _combined(scores - scores[i], _errors_against(i, covariance[None])[0], t)


def _combined(estimate: np.ndarray, se: np.ndarray, t: np.ndarray) -> Combined:
    """Leave out the draws in which something that varies has no error: one block stands for all of it."""
    t[se == 0] = 0.0
    return Combined(estimate, se, t[:, np.isfinite(t).all(axis=0)])


def bounds(
    combined: Combined, level: float = 0.95, *, at_once: bool = False
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Return the lower and upper ends of equal-tailed studentised confidence intervals.

    With ``at_once`` they are simultaneous (max-T) confidence intervals: they hold for all m together with
    that confidence, each end with half the rest.  The critical values are quantiles of the largest and the
    smallest t of a draw.

    Raises
    ------
    DataError
        When fewer than two draws have a standard error.
    """
    t = combined.t
    if t.shape[1] < 2:
        raise DataError("no interval: the draws have no standard error", expected="clusters that differ")
    if at_once:
        t = np.stack([t.min(axis=0), t.max(axis=0)])
        down, up = _quantile(t[0], (1 - level) / 2), _quantile(t[1], (1 + level) / 2)
    else:
        down, up = _quantile(t, (1 - level) / 2), _quantile(t, (1 + level) / 2)
    return combined.estimate - up * combined.se, combined.estimate - down * combined.se


def _quantile(t: np.ndarray, p: float) -> np.ndarray:
    return np.asarray(np.quantile(t, p, axis=-1, method="weibull"))


def _errors(weights: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """Return standard errors (d, m) of combinations (m, k) from covariances (d, k, k)."""
    variance = ((weights @ covariances) * weights).sum(axis=-1)
    return _root(variance, np.diagonal(covariances, axis1=1, axis2=2) @ (weights**2).T)


def _errors_against(i: int, covariances: np.ndarray) -> np.ndarray:
    """Return standard errors (d, k) of the differences of all k from i."""
    own = np.diagonal(covariances, axis1=1, axis2=2)
    scale = own + own[:, [i]]
    return _root(scale - 2 * covariances[:, i], scale)


def _root(variance: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.sqrt(np.where(variance > _ROUNDING * scale, variance, 0.0))


def _studentise(deviation: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Divide, NaN where there is no error to divide by."""
    return np.divide(deviation, error, out=np.full(deviation.shape, np.nan), where=error > 0)


@dataclass(frozen=True, eq=False)
class DistanceToBest:
    """How far the best lies above each of k configurations, and which may be the best.

    With the stated confidence all of this holds at once: the best is among those with ``tied`` (the
    confidence set of the best), and every gap lies between ``low`` and ``high``.  ``low`` is 0 for every tied
    one; one that is not tied lies below the best, though its ``low`` may be 0 where it is not known by how
    much.
    """

    low: Float[np.ndarray, " k"]
    high: Float[np.ndarray, " k"]
    tied: Bool[np.ndarray, " k"]


def compare_with_best(
    scores: Float[np.ndarray, " k"],
    covariance: Float[np.ndarray, "k k"],
    draws: Draws,
    *,
    level: float = 0.95,
) -> tuple[DistanceToBest | None, str | None]:
    """Compare all configurations with the best at once (MCB); None and the reason where draws allow none.

    For each configuration i, D_ji is the score of j less that of i, and t_ji its distance from the
    observed one in standard errors, those of the draw.  Upper and lower critical values are the quantiles at
    1 - alpha / 2 of max_j t_ji and max_j -t_ji (max-T).  Were i the best, all D_ji would be 0 or below, so i
    is excluded from the confidence set when one is above 0 by more than that; which one is the best need not
    be known, and picking the best-looking one from the same data costs nothing.  The bounds on (best less i)
    follow from the same event and hold for all i at once.

    Parameters
    ----------
    scores, covariance
        Of the k configurations, as observed.
    draws
        Their scores and covariances in each draw; draws that are not finite are left out.
    level
        The confidence.
    """
    finite = np.isfinite(draws.scores).all(axis=0) & np.isfinite(draws.covariances).all(axis=(1, 2))
    draws = Draws(draws.scores[:, finite], draws.covariances[finite])
    if draws.scores.shape[1] < 2 or not np.isfinite(scores).all():
        return None, "no interval: a configuration has no score"
    k = len(scores)
    # A matrix each, since every i has critical values and standard errors of its own: up[i, j] is how far j
    # may seem to lie above i by chance, down[i, j] how far below.  Neither is the other's transpose.
    up, down = np.zeros((k, k)), np.zeros((k, k))
    for i in range(k):
        against = _against(i, scores, covariance, draws)
        if against.t.shape[1] < 2:
            return None, "no interval: in most draws no block differs from another"
        up[i] = _quantile(against.t.max(axis=0), (1 + level) / 2) * against.se
        down[i] = -_quantile(against.t.min(axis=0), (1 - level) / 2) * against.se
    above = scores[None, :] - scores[:, None]  # above[i, j]: j less i
    tied = np.all(above <= up, axis=1)
    # Which one is the best is not known: a bound on the gap of j is the weakest over all i that may be it.
    # Here j is the row: above[j, i] is i less j, and what chance does to it stands in the row of i, up[i, j].
    most = np.where(tied[None, :], above + up.T, 0.0).max(axis=1)
    least = np.where(tied[None, :], above - down.T, np.inf).min(axis=1)
    # A gap to the best cannot be negative, which ends both bounds at 0 and costs no confidence.
    return DistanceToBest(np.maximum(least, 0.0), np.maximum(most, 0.0), tied), None

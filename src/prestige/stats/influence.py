"""The score of one unit under weights of its clusters, and how far each cluster moves it.

A unit is one sample in one fold.  Its score is the mean of the per-gene Pearson correlations; both the
score and its derivative with regard to the weight of a cluster follow from the moments by products of
matrices, for many sets of weights and many runs at once.

The derivative is the influence of the cluster.  For one gene, with sums over the clusters b of weights
w, means m_p and m_t under these weights, C = sum w c_b, A = sum w a_b, D = sum w d_b, where c_b, a_b and
d_b are the sums of (p - m_p)(t - m_t), (p - m_p)^2 and (t - m_t)^2 over the cluster, and r = C / sqrt(A D):

    dr / dw_b = c_b / sqrt(A D) - (r / 2) (a_b / A + d_b / D)

The means need no derivative, since deviations from them sum to zero.  Weighted, the influences of a unit
sum to zero.  Sums of their squares are the infinitesimal jackknife (Efron 1982, The Jackknife, the
Bootstrap and Other Resampling Plans, chapter 6; Davison and Hinkley 1997, section 2.7.2), which for a
correlation is the delta method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from prestige.stats.moments import Moments, centred


@dataclass(frozen=True, eq=False)
class UnitSums:
    """The moments of the r clusters of a unit, of k runs that were scored on the same truth.

    Attributes
    ----------
    n
        Observations of each cluster, (r,).
    truth
        Sums of the truth and of its squares side by side, (r, 2 g).
    predicted
        For each run the sums of prediction, squares and products side by side, (k, r, 3 g).
    """

    n: Float[np.ndarray, " r"]
    truth: Float[np.ndarray, "r g2"]
    predicted: Float[np.ndarray, "k r g3"]


def unit_sums(runs: Sequence[Moments], rows: Shaped[np.ndarray, " r"]) -> UnitSums:
    """Lay the moments of some runs on the clusters ``rows`` side by side; the truth is that of the first."""
    first = runs[0]
    return UnitSums(
        n=first.n[rows].astype(np.float64),
        truth=np.concatenate([first.sum_t[rows], first.sum_tt[rows]], axis=1),
        predicted=np.stack(
            [np.concatenate([m.sum_p[rows], m.sum_pp[rows], m.sum_pt[rows]], axis=1) for m in runs]
        ),
    )


def unit_scores(
    weights: Float[np.ndarray, "d r"], sums: UnitSums, *, influences: bool = True
) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, "k d _"]]:
    """Return the score of each run under each set of weights, and the influence of each cluster on it.

    Genes whose truth is constant under the weights are left out, for every run alike; a constant
    prediction counts 0 and has no influence; where no gene is left the score is NaN and influences are 0.
    Without ``influences`` they are not computed, and r is 0.
    """
    n = np.maximum(weights @ sums.n, 1.0)[:, None]
    t, tt = np.split(weights @ sums.truth, 2, axis=-1)
    p, pp, pt = np.split(weights @ sums.predicted, 3, axis=-1)
    spread_t, spread_p = centred(n[:, 0], t, tt), centred(n[:, 0], p, pp)
    mean_t, mean_p = t / n, p / n
    norm = np.sqrt(spread_p) * np.sqrt(spread_t)  # two roots: the product of tiny spreads would underflow
    slope = np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0)
    r = np.clip((pt - p * mean_t) * slope, -1.0, 1.0)
    scored = (spread_t > 0).sum(axis=-1)
    share = np.divide(1.0, scored, out=np.zeros(len(n)), where=scored > 0)
    scores = np.where(scored > 0, r.sum(axis=-1) * share, np.nan)
    if not influences:
        return scores, np.empty((*scores.shape, 0))
    # dr/dw_b of the module's docstring, with c_b, a_b and d_b written out in the raw sums of the block, which
    # are what is kept: c_b = sum pt - m_t sum p - m_p sum t + n m_p m_t, a_b and d_b likewise.  Collected by
    # these sums, the factor of each is a (draws, genes) matrix, and the sum over genes a product of matrices:
    # nothing of size draws x blocks x genes is ever made.
    half_p = np.divide(0.5 * r, spread_p, out=np.zeros_like(r), where=norm > 0)
    half_t = np.divide(0.5 * r, spread_t, out=np.zeros_like(r), where=norm > 0)
    of_p = 2.0 * half_p * mean_p - slope * mean_t
    of_t = 2.0 * half_t * mean_t - slope * mean_p
    # What is left has no sum of its own but n: the same for every observation of a cluster.
    of_n = (slope * mean_p * mean_t - half_p * mean_p**2 - half_t * mean_t**2).sum(axis=-1)
    # The order of the factors is that in which the sums stand side by side: p, pp, pt; then t, tt.
    influence = np.concatenate([of_p, -half_p, slope], axis=-1) @ sums.predicted.transpose(0, 2, 1)
    influence += np.concatenate([of_t, -half_t], axis=-1) @ sums.truth.T
    influence += of_n[..., None] * sums.n
    # A gene without a slope (prediction or truth constant) has 0 for each factor, so it moves nothing.
    return scores, influence * share[:, None]

"""Random sets that are matched to a gene set: the null against which a set is well or badly predicted.

Some genes are easier to predict than others because they are expressed more and measured better.  A
set's mean score says something of its biology only beside sets of other genes with the same expression
and the same ceiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from prestige.errors import DataError

NEIGHBOURS = 20
"""A member's stand-in is drawn from this many nearest genes outside the set."""

CALIPER = 0.1
"""... as far as they lie within this distance in every feature, ranks scaled to 0 .. 1."""


@dataclass(frozen=True, eq=False)
class RandomSets:
    """Sets of genes outside a set, each with one stand-in for each member that has any.

    Attributes
    ----------
    index
        (draws, m) positions in the panel: column j stands in for member j.  No gene twice in a row.
    members
        (m,) positions of the members that have stand-ins.
    genes
        Their names.
    unmatched
        Members without a gene like them outside the set; they count on neither side.
    """

    index: Int[np.ndarray, "draws m"]
    members: Int[np.ndarray, " m"]
    genes: tuple[str, ...]
    unmatched: tuple[str, ...]


@dataclass(frozen=True)
class Excess:
    """How much better a set is predicted than random sets like it.

    Attributes
    ----------
    set_mean, random_mean
        Mean value over the members, and over all random sets; NaN without members.
    random_low, random_high
        Between these lie 95 % of the random sets' means, spread as for p.
    excess
        Their difference.
    p
        ``(1 + count) / (1 + draws)``, with the random sets as far above their mean as the set is, or
        farther.  Descriptive: see :func:`set_excess`.  NaN where the draws leave no choice.
    widening
        Factor by which the spread of the random sets was widened for p, for the finite pool of genes.
    n_genes
        Members that count.
    draws
        Number of random sets.
    """

    set_mean: float
    random_mean: float
    random_low: float
    random_high: float
    excess: float
    p: float
    widening: float
    n_genes: int
    draws: int


def matched_random_sets(
    members: Sequence[str],
    panel_genes: Sequence[str],
    features: Float[np.ndarray, "_ f"],
    *,
    draws: int = 1000,
    seed: int = 0,
    caliper: float = CALIPER,
    neighbours: int = NEIGHBOURS,
) -> RandomSets:
    """Draw random sets outside a set, matched to its members on features.

    Each feature is replaced by its rank among the panel's genes, scaled to 0 .. 1, ties at their mean.
    The distance of two genes is the largest difference over features.  In each draw every member gets a
    stand-in among the ``neighbours`` nearest genes outside the set that lie within the caliper, and no
    gene stands in twice.

    Where members compete for few genes, the assignment of as many members as can be to different genes
    within the caliper, at the least total distance (Kuhn 1955), says who has a stand-in at all; it widens
    the choice where the nearest genes are too few for all.  A draw that gets stuck is replaced by a largest
    matching (Hopcroft and Karp 1973) of genes in random order.  Under such competition not all
    possible sets are equally likely.

    Parameters
    ----------
    members
        Genes of the set, all of the panel.
    panel_genes
        The g genes of the panel.
    features
        (g, f) what is to be alike, as mean expression and ceiling.  A gene with a feature that is NaN
        is no member's stand-in and has none itself.
    draws, seed
        Number of random sets, and their seed.
    caliper
        Largest distance, above 0 and at most 1.
    neighbours
        From how many nearest genes a stand-in is drawn.

    Raises
    ------
    DataError
        When a member is not in the panel or is named twice, when features and genes do not fit, or
        when a number is out of range.
    """
    place = {gene: position for position, gene in enumerate(panel_genes)}
    _check(members, place, features, len(panel_genes))
    _check_numbers(draws, caliper, neighbours)
    scaled = _scaled_ranks(features)
    known = np.isfinite(scaled).all(axis=1)
    inside = np.zeros(len(panel_genes), dtype=bool)
    inside[[place[gene] for gene in members]] = True
    own, outside = np.flatnonzero(inside & known), np.flatnonzero(~inside & known)
    rng = np.random.default_rng(seed)
    near, kept = _near(scaled[own], scaled[outside], caliper, neighbours, rng)
    chosen = _draw(near[kept], draws, rng)
    used, index = own[kept], outside[chosen] if len(outside) else np.zeros((draws, 0), dtype=np.int64)
    names = [panel_genes[int(position)] for position in used]
    return RandomSets(
        index=index,
        members=used,
        genes=tuple(names),
        unmatched=tuple(gene for gene in members if gene not in names),
    )


def set_excess(
    values: Float[np.ndarray, " g"],
    members_used: Int[np.ndarray, " m"],
    random_sets: Int[np.ndarray, "draws m"],
) -> Excess:
    """Compare a set's mean value with the means of random sets.

    The p value is ``(1 + count) / (1 + draws)`` (Davison and Hinkley 1997, Bootstrap Methods and their
    Application, section 4.2: the set itself is one of the draws, so p is never 0), where count is the number
    of random sets with ``f * (mean - mean over all draws) >= excess``.

    The draws share a finite pool of genes, so they differ less from each other than the set differs from
    them by chance.  With ``a`` the mean weight of each gene outside in a draw (summing to 1), and genes that
    are alike and independent, the excess has the variance ``1/m + sum a^2`` and the draws show
    ``1/m - sum a^2``, in units of one gene's.  Hence ``f = sqrt((1/m + sum a^2) / (1/m - sum a^2))``; it is
    near 1 for a small set in a large panel, and p is uniform when the set is like all others.

    It stays a description and no test: genes of a set are co-expressed, so their scores rise and fall
    together and the mean of a set varies far more than that of genes drawn one by one.  Such p values are too
    small, the more so the larger the set (Wu and Smyth 2012, CAMERA, Nucleic Acids Research 40,
    doi:10.1093/nar/gks461).  The excess and its interval (resampled spatial blocks) come first.

    Parameters
    ----------
    values
        (g,) one value for each gene of the panel, higher is better.  A member whose value is NaN is left
        out with its stand-ins; a stand-in whose value is NaN is left out of its draw.
    members_used, random_sets
        (m,) and (draws, m) positions in the panel, as :class:`RandomSets` has them.
    """
    here = np.isfinite(values[members_used])
    own, index = values[members_used[here]], random_sets[:, here]
    draws = len(random_sets)
    others = values[index]
    known = np.isfinite(others)
    counts = known.sum(axis=1)
    sums = np.where(known, others, 0.0).sum(axis=1)
    means = np.divide(sums, counts, out=np.full(draws, np.nan), where=counts > 0)
    if not len(own) or not (counts > 0).any():
        return Excess(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, len(own), draws)
    set_mean, random_mean = float(own.mean()), float(np.nanmean(means))
    excess = set_mean - random_mean
    widening = _widening(index, len(values))
    if not np.isfinite(widening):
        return Excess(set_mean, random_mean, np.nan, np.nan, excess, np.nan, np.nan, len(own), draws)
    away = widening * (means - random_mean)
    # Equal means differ in the last bits by the order in which they are summed.
    reached = int((away >= excess - 1e-12 * max(1.0, abs(set_mean))).sum())
    low, high = random_mean + np.nanquantile(away, [0.025, 0.975])
    p = (1 + reached) / (1 + draws)
    return Excess(set_mean, random_mean, float(low), float(high), excess, p, widening, len(own), draws)


def _widening(index: Int[np.ndarray, "draws m"], n_panel: int) -> float:
    """Return the factor f of :func:`set_excess`; NaN where all draws are one and the same set."""
    each = 1 / index.shape[1]
    shared = float(np.square(np.bincount(index.ravel(), minlength=n_panel) / index.size).sum())
    return float(np.sqrt((each + shared) / (each - shared))) if each - shared > 1e-9 * each else np.nan


def _near(
    own: Float[np.ndarray, "m f"],
    outside: Float[np.ndarray, "c f"],
    caliper: float,
    neighbours: int,
    rng: np.random.Generator,
) -> tuple[Bool[np.ndarray, "m c"], Bool[np.ndarray, " m"]]:
    """Return which genes may stand in for which members, and the members that can all have one at once."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    distance = cdist(own, outside, "chebyshev")
    within = distance <= caliper + 1e-12
    rows, partner = linear_sum_assignment(np.where(within, distance, 1e6))  # as many as can be, then as near
    matched = within[rows, partner]
    kept = np.zeros(len(own), dtype=bool)
    kept[rows[matched]] = True
    near = np.zeros_like(within)
    tie = rng.random(len(outside))  # among genes at one distance, which are nearest is chance
    for row in range(len(own)):
        order = np.lexsort((tie, distance[row]))[:neighbours]
        near[row, order] = within[row, order]
    if (_matching(near[kept]) < 0).any():  # the nearest are too few for all: look farther, within the caliper
        near[rows[matched], partner[matched]] = True
    return near, kept


def _draw(near: Bool[np.ndarray, "m c"], draws: int, rng: np.random.Generator) -> Int[np.ndarray, "draws m"]:
    """Return for each draw a different column of ``near`` for every row."""
    chosen = np.full((draws, len(near)), -1, dtype=np.int64)
    free = np.ones((draws, near.shape[1]), dtype=bool)
    for row in np.argsort(near.sum(axis=1), kind="stable"):  # who has the least choice goes first
        options = np.flatnonzero(near[row])
        luck = np.where(free[:, options], rng.random((draws, len(options))), -1.0)
        best = luck.argmax(axis=1)
        able = np.flatnonzero(luck[np.arange(draws), best] >= 0)
        chosen[able, row] = options[best[able]]
        free[able, chosen[able, row]] = False
    for stuck in np.flatnonzero((chosen < 0).any(axis=1)):
        rows, columns = rng.permutation(near.shape[0]), rng.permutation(near.shape[1])
        chosen[stuck, rows] = columns[_matching(near[np.ix_(rows, columns)])]
    return chosen


def _matching(allowed: Bool[np.ndarray, "m c"]) -> Int[np.ndarray, " m"]:
    """Return the column of each row in a largest matching, -1 for a row without."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    if not allowed.size:
        return np.full(len(allowed), -1, dtype=np.int64)
    return np.asarray(maximum_bipartite_matching(csr_array(allowed), perm_type="column"), dtype=np.int64)


def _scaled_ranks(features: Float[np.ndarray, "g f"]) -> Float[np.ndarray, "g f"]:
    """Return each feature's ranks scaled to 0 .. 1; NaN where any feature is not finite."""
    from scipy.stats import rankdata

    known = np.isfinite(features).all(axis=1)
    scaled = np.full(features.shape, np.nan)
    if known.any():
        ranks = rankdata(features[known], method="average", axis=0)
        scaled[known] = (ranks - 1) / max(int(known.sum()) - 1, 1)
    return scaled


def _check(
    members: Sequence[str], place: dict[str, int], features: Float[np.ndarray, "_ f"], n_genes: int
) -> None:
    if len(features) != n_genes or len(place) != n_genes:
        raise DataError(
            f"features of {len(features)} genes for a panel of {len(place)} different ones, {n_genes} named",
            expected="one row of features for each gene, every gene once",
        )
    unknown = [gene for gene in members if gene not in place]
    if unknown:
        raise DataError(
            f"{len(unknown)} members are not in the panel: " + ", ".join(unknown[:5]),
            remedy="take the members that the panel has (score_sets)",
        )
    if len(set(members)) != len(members):
        raise DataError("a member of the set is named twice", expected="every gene once")


def _check_numbers(draws: int, caliper: float, neighbours: int) -> None:
    if draws < 1 or neighbours < 1:
        raise DataError(f"{draws} draws from {neighbours} neighbours", expected="at least 1 of each")
    if not 0 < caliper <= 1:
        raise DataError(f"the caliper is {caliper}", expected="more than 0 and at most 1, in scaled ranks")

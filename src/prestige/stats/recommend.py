"""The recommendation: the cheapest configuration that is not worse than the best by a stated margin.

"Not worse" is shown, not assumed: the upper simultaneous bound on the distance to the best, whichever that
is, lies within the margin (non-inferiority, and with the two-sided bounds of ``intervals.py`` its usual
stricter form).  Being indistinguishable from the best is not enough, since few data tell nothing apart.
Nor is being near the best where the best itself is worth nothing: with a ``floor`` (the training mean) the
chosen one is also shown to lie above it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from prestige.errors import DataError
from prestige.stats.compare import Comparison

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Recommendation(Generic[K]):
    """What to use, and what the data could not decide.

    Attributes
    ----------
    chosen
        The cheapest configuration shown to be within ``margin`` of the best, and above the floor where
        there is one; None with ``reason``.
    not_worse
        All that are shown to be, cheapest first, ``chosen`` at their head.
    not_above_floor
        Those shown to be within ``margin`` of the best, but not above the floor, cheapest first; some may
        cost less than ``chosen``.
    undecided
        Those that may or may not be, cheapest first.
    worse
        Those shown to lie further from the best, cheapest first.  With these and the three before, each
        configuration that has a cost is named once.
    cheaper_undecided
        The undecided ones that cost less than ``chosen`` (all of them, where none is chosen).
    cheaper_not_above_floor
        Likewise of those not shown to lie above the floor.
    best
        The configuration with the highest score.
    margin, level
        Of the claim; all claims hold together with that confidence.
    reason
        Why none is chosen, or None.
    """

    chosen: K | None
    not_worse: tuple[K, ...]
    not_above_floor: tuple[K, ...]
    undecided: tuple[K, ...]
    worse: tuple[K, ...]
    cheaper_undecided: tuple[K, ...]
    cheaper_not_above_floor: tuple[K, ...]
    best: K
    margin: float
    level: float
    reason: str | None


def recommend(
    comparison: Comparison[K], cost: Mapping[K, float], margin: float, *, floor: K | None = None
) -> Recommendation[K]:
    """Recommend the cheapest configuration that is not worse than the best by ``margin``.

    Parameters
    ----------
    comparison
        Of :func:`~prestige.stats.compare`; restrict its genes to recommend for a gene set.
    cost
        What each configuration costs, in any unit in which less is better (FLOPs, parameters, seconds).
        Those without a cost are compared with, as candidates for the best, but never recommended.
    margin
        How much of the score one is ready to give up, as a difference of mean correlations.
    floor
        A configuration that the chosen one is shown to surpass: its lower bound on the distance to the best
        lies above the chosen one's upper bound.  Both bounds hold at once, so the claim does too.

    Raises
    ------
    DataError
        When the margin is not a number of 0 or more, a cost is not finite or of no configuration, or
        there is no such floor.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise DataError(f"the margin is {margin}", where="recommend", expected="a number of 0 or more")
    for key, value in cost.items():
        if key not in comparison.rows or not math.isfinite(value):
            raise DataError(
                f"the cost of '{key}' is {value}", where="recommend", expected="a number a configuration"
            )
    if floor is not None and floor not in comparison.rows:
        raise DataError(f"the floor '{floor}' is not among the configurations", where="recommend")
    # Equal costs: the higher score first.
    eligible = sorted(
        (key for key in comparison.rows if key in cost), key=lambda key: (cost[key], comparison.rows[key].gap)
    )
    sorted_in: dict[str, list[K]] = {"not_worse": [], "undecided": [], "worse": []}
    for key in eligible:
        sorted_in[_verdict(comparison, key, margin)].append(key)
    good = [key for key in sorted_in["not_worse"] if floor is None or _surpasses(comparison, key, floor)]
    chosen = good[0] if good else None
    low = [key for key in sorted_in["not_worse"] if key not in good]
    open_ones = sorted_in["undecided"]

    def cheaper(keys: list[K]) -> tuple[K, ...]:
        return tuple(key for key in keys if chosen is None or cost[key] < cost[chosen])

    return Recommendation(
        chosen=chosen,
        not_worse=tuple(good),
        not_above_floor=tuple(low),
        undecided=tuple(open_ones),
        worse=tuple(sorted_in["worse"]),
        cheaper_undecided=cheaper(open_ones),
        cheaper_not_above_floor=cheaper(low),
        best=comparison.best,
        margin=margin,
        level=comparison.level,
        reason=None if chosen is not None else _reason(comparison, sorted_in, margin, floor),
    )


def _verdict(comparison: Comparison[K], key: K, margin: float) -> str:
    row = comparison.rows[key]
    if row.gap_low is None or row.gap_high is None:
        return "undecided"
    if row.gap_high <= margin:
        return "not_worse"
    return "worse" if row.gap_low > margin else "undecided"


def _surpasses(comparison: Comparison[K], key: K, floor: K) -> bool:
    high, low = comparison.rows[key].gap_high, comparison.rows[floor].gap_low
    return high is not None and low is not None and low > high


def _reason(
    comparison: Comparison[K], sorted_in: Mapping[str, list[K]], margin: float, floor: K | None
) -> str:
    if comparison.reason is not None:
        return comparison.reason
    if not any(sorted_in.values()):
        return "no configuration has a cost"
    if sorted_in["not_worse"]:
        return f"none of those within {margin:g} of the best is shown to be better than {floor}"
    return f"none is shown to lie within {margin:g} of the best: it takes more tissue, or a wider margin"

"""The recommendation in words: the cheapest configuration that is shown not to be worse than the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from prestige.analysis.summary import Group, Summary
from prestige.records.configuration import MEAN_BASELINE, Configuration
from prestige.stats.recommend import Recommendation, recommend
from prestige.text import si

NAMED = 4


def costs(summary: Summary, group: Group) -> dict[Configuration, float]:
    """Return the FLOPs of one patch for every encoder of a group; baselines are never advised."""
    flops = dict(zip(summary.table["configuration"], summary.table["flops"], strict=True))
    return {
        key: float(flops[key])
        for key in group.standings
        if not key.baseline and not key.control and math.isfinite(flops[key])
    }


def advise(summary: Summary, group: Group, margin: float) -> Recommendation[Configuration] | None:
    """Return what is recommended within a margin of the best, None where no encoder has a cost."""
    cost = costs(summary, group)
    mean = next((key for key in group.comparison.rows if key.encoder == MEAN_BASELINE), None)
    return recommend(group.comparison, cost, margin, floor=mean) if cost else None


def advice_sentences(summary: Summary, group: Group, margin: float) -> list[str]:
    """Return the recommendation with its numbers, and what the data could not decide."""
    found = advise(summary, group, margin)
    if found is None:
        return []
    rows, flops = group.comparison.rows, costs(summary, group)
    said_margin = f"{margin:g}"
    if found.chosen is None:
        why = "it takes intervals" if group.comparison.reason is not None else found.reason
        return [f"No encoder can be recommended: {why}{_named_in_brackets(found.not_above_floor)}."]
    row = rows[found.chosen]
    below = "the best itself" if found.chosen == found.best else f"at most {row.gap_high:.3f} below the best"
    sentences = [
        f"Recommended: **{found.chosen.label}**, the cheapest configuration "
        f"({si(flops[found.chosen])}FLOPs a patch) that is shown to lie within {said_margin} of the best "
        f"{_where(summary, group)}: {row.score:.3f}, {below}, "
        f"with {100 * found.level:g} % confidence for all configurations at once."
    ]
    if low := found.cheaper_not_above_floor:
        sentences.append(
            f"Cheaper and within {said_margin} of the best too, but not shown to be better than the training "
            f"mean{_named_in_brackets(low)}."
        )
    if found.cheaper_undecided:
        named = _named_in_brackets(found.cheaper_undecided)
        sentences.append(f"Not decided by these data: whether a cheaper one would do{named}.")
    return sentences


def _named_in_brackets(keys: Sequence[Configuration]) -> str:
    """Return " (the first, the second and 3 more)", "" where there is none."""
    named = ", ".join(key.label for key in keys[:NAMED])
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return f" ({named}{more})" if keys else ""


def _where(summary: Summary, group: Group) -> str:
    """Say for whose tissue a recommendation is shown to hold."""
    if group.comparison.cluster == "patient":
        return "on new patients"
    patients = max((standing.spread.n_patients for standing in group.standings.values()), default=0)
    if patients == 1:
        return "on more tissue of this patient"
    return f"on more tissue of these {patients} patients" if patients else "on more of this tissue"


def advice_record(summary: Summary, group: Group, margin: float) -> dict[str, Any] | None:
    """Return the recommendation for other programs."""
    found = advise(summary, group, margin)
    if found is None:
        return None
    kinds = ("not_worse", "not_above_floor", "undecided", "worse")
    names = {name: [key.label for key in getattr(found, name)] for name in kinds}
    return {
        "chosen": None if found.chosen is None else found.chosen.label,
        "patch_um": None if found.chosen is None else found.chosen.patch_um,
        "margin": found.margin,
        "reason": found.reason,
        **names,
    }

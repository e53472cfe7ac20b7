"""The recommendation in words: the cheapest configuration that is shown not to be worse than the best."""

from __future__ import annotations

import math
from typing import Any

from prestige.report.load import MEAN_BASELINE, Configuration, si
from prestige.report.summary import Group, Summary
from prestige.stats import Recommendation, recommend

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
        return [f"No encoder can be recommended: {why}."]
    row = rows[found.chosen]
    below = "the best itself" if found.chosen == found.best else f"at most {row.gap_high:.3f} below the best"
    sentences = [
        f"Recommended: **{found.chosen.label}**, the cheapest configuration "
        f"({si(flops[found.chosen])}FLOPs a patch) that is shown to lie within {said_margin} of the best "
        f"{_where(summary, group)}: {row.score:.3f}, {below}, "
        f"with {found.level:.0%} confidence for all configurations at once."
    ]
    if found.cheaper_undecided:
        named = ", ".join(key.label for key in found.cheaper_undecided[:NAMED])
        more = len(found.cheaper_undecided) - NAMED
        rest = f" and {more} more" if more > 0 else ""
        sentences.append(f"Not decided by these data: whether a cheaper one would do ({named}{rest}).")
    return sentences


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
    names = {
        name: [key.label for key in getattr(found, name)] for name in ("not_worse", "undecided", "worse")
    }
    return {
        "chosen": None if found.chosen is None else found.chosen.label,
        "patch_um": None if found.chosen is None else found.chosen.patch_um,
        "margin": found.margin,
        "reason": found.reason,
        **names,
    }

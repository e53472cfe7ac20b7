"""The cheapest configuration that is shown not to be worse than the best."""

from __future__ import annotations

import math

from prestige.analysis.summary import Group, Summary
from prestige.records.configuration import MEAN_BASELINE, Configuration
from prestige.stats.recommend import Recommendation, recommend


def costs(summary: Summary, group: Group) -> dict[Configuration, float]:
    """Return the FLOPs of one patch for every encoder of a group; baselines are never advised."""
    flops = dict(zip(summary.table["configuration"], summary.table["flops"], strict=True))
    return {
        key: float(flops[key])
        for key in group.results
        if not key.baseline and not key.control and math.isfinite(flops[key])
    }


def advise(summary: Summary, group: Group, margin: float) -> Recommendation[Configuration] | None:
    """Return what is recommended within a margin of the best, None where no encoder has a cost."""
    cost = costs(summary, group)
    mean = next((key for key in group.comparison.rows if key.encoder == MEAN_BASELINE), None)
    return recommend(group.comparison, cost, margin, floor=mean) if cost else None

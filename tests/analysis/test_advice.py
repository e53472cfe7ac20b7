"""The recommendation in the report's words."""

from dataclasses import replace
from pathlib import Path

import pytest

from prestige.analysis.advice import advise, costs
from prestige.analysis.record import advice_record
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.stats.recommend import recommend


def test_only_encoders_cost_and_can_be_advised(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    group = summary.groups[0]
    cost = costs(summary, group)
    assert {key.name for key in cost} == {"compact_s", "resnet18"}
    flops = summary.table.set_index("configuration")["flops"]
    assert all(cost[key] == flops[key] for key in cost)


@pytest.mark.parametrize("margin", [0.0, 0.02, 2.0])
def test_the_advised_one_is_the_cheapest_that_is_shown_to_be_near_enough(
    tiny_bench: Path, margin: float
) -> None:
    summary = summarise(load_bench(tiny_bench))
    group = summary.groups[0]
    found, cost = advise(summary, group, margin), costs(summary, group)
    assert found is not None
    near = [key for key in cost if (group.comparison.rows[key].gap_high or 0.0) <= margin]
    assert found.chosen == min(near, key=cost.__getitem__, default=None)
    if margin == 2.0:
        assert found.chosen == min(cost, key=cost.__getitem__)  # everything is near enough


def test_what_is_not_shown_to_beat_the_training_mean_is_not_advised(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    group = summary.groups[0]
    mean = next(key for key in group.results if key.name == "training mean")
    best = group.comparison.best
    assert advise(summary, group, 0.02) is not None
    # All are near enough to the best, and the bounds of the training mean reach theirs.
    rows = {key: replace(row, gap_low=0.0, gap_high=0.01) for key, row in group.comparison.rows.items()}
    alike = replace(group, comparison=replace(group.comparison, rows=rows, best=best))
    cost = costs(summary, alike)
    cheapest = sorted(cost, key=cost.__getitem__)
    without_floor = recommend(alike.comparison, cost, 0.02)
    assert without_floor.chosen is not None  # so it is the floor alone that says no
    found = advise(summary, alike, 0.02)
    assert found is not None
    assert found.chosen is None
    assert set(found.not_above_floor) == set(cheapest)
    assert "better than training mean" in str(found.reason)
    # The mean lies apart now, but only from the dearest one.
    rows[mean] = replace(rows[mean], gap_low=0.009, gap_high=0.02)
    rows[cheapest[-1]] = replace(rows[cheapest[-1]], gap_low=0.0, gap_high=0.008)
    apart = replace(group, comparison=replace(group.comparison, rows=rows, best=best))
    found = advise(summary, apart, 0.02)
    assert found is not None
    assert (found.chosen, found.not_worse) == (cheapest[-1], (cheapest[-1],))
    cheaper = {key for key in cost if cost[key] < cost[cheapest[-1]]}
    assert set(found.cheaper_not_above_floor) == cheaper
    record = advice_record(found)
    assert record is not None
    assert set(record["not_above_floor"]) == {key.label for key in cost} - {cheapest[-1].label}

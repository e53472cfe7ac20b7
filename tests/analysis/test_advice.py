"""The recommendation in the report's words."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from prestige.analysis.advice import NAMED, advice_record, advice_sentences, advise, costs
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report import write_report
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
    sentences = advice_sentences(summary, group, margin)
    if found.chosen is None:
        assert sentences[0].startswith("No encoder can be recommended")
    else:
        assert f"**{found.chosen.label}**" in sentences[0]
        gap = f"{group.comparison.rows[found.chosen].gap_high:.3f} below the best"
        assert ("the best itself" if found.chosen == group.comparison.best else gap) in sentences[0]
    if margin == 2.0:
        assert found.chosen == min(cost, key=cost.__getitem__)  # everything is near enough


def test_what_is_not_shown_to_beat_the_training_mean_is_not_advised(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    group = summary.groups[0]
    mean = next(key for key in group.standings if key.name == "training mean")
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
    (said,) = advice_sentences(summary, alike, 0.02)
    assert said.startswith("No encoder can be recommended")
    assert cheapest[0].label in said
    # The mean lies apart now, but only from the dearest one.
    rows[mean] = replace(rows[mean], gap_low=0.009, gap_high=0.02)
    rows[cheapest[-1]] = replace(rows[cheapest[-1]], gap_low=0.0, gap_high=0.008)
    apart = replace(group, comparison=replace(group.comparison, rows=rows, best=best))
    found = advise(summary, apart, 0.02)
    assert found is not None
    assert (found.chosen, found.not_worse) == (cheapest[-1], (cheapest[-1],))
    cheaper = {key for key in cost if cost[key] < cost[cheapest[-1]]}
    assert set(found.cheaper_not_above_floor) == cheaper
    (said,) = [line for line in advice_sentences(summary, apart, 0.02) if line.startswith("Cheaper and")]
    assert "not shown to be better than the training mean" in said
    assert sum(key.label in said for key in cheaper) == min(len(cheaper), NAMED)
    record = advice_record(summary, apart, 0.02)
    assert record is not None
    assert set(record["not_above_floor"]) == {key.label for key in cost} - {cheapest[-1].label}


def test_page_and_record_carry_the_recommendation(tiny_bench: Path) -> None:
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    record = json.loads((tiny_bench / "report" / "answer.json").read_text())[0]["recommended"]
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    assert record == advice_record(summary, summary.groups[0], record["margin"])
    assert ("Recommended:" in page) == (record["chosen"] is not None)
    kinds = ("not_worse", "not_above_floor", "undecided", "worse")
    everything = {label for kind in kinds for label in record[kind]}
    assert everything == {key.label for key in costs(summary, summary.groups[0])}

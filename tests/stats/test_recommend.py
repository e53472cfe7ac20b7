"""The cheapest that is shown to be good enough, and what was not shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from prestige.errors import DataError
from prestige.stats.compare import Comparison, compare
from prestige.stats.moments import Moments, moments_of
from prestige.stats.recommend import recommend

GENES = tuple(f"G{i}" for i in range(8))
COST = {"tiny": 1.0, "small": 2.0, "large": 3.0, "huge": 4.0}
QUALITY = {"tiny": 0.15, "small": 0.58, "large": 0.6, "huge": 0.6}


def run(quality: float, *, blocks: int = 40, noise: float = 0.05, seed: int = 0) -> Moments:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(30 * blocks, len(GENES)))
    pred = quality * truth + rng.normal(size=truth.shape)
    pred += noise * np.random.default_rng([seed, int(1000 * quality)]).normal(size=truth.shape)
    return moments_of(pred, truth, np.array(["S"] * len(truth)), np.repeat(np.arange(blocks), 30), GENES)


@pytest.fixture(scope="module")
def four() -> Comparison[str]:
    return compare(
        {name: [run(quality, seed=i)] for i, (name, quality) in enumerate(QUALITY.items())}, draws=400
    )


def test_the_cheapest_that_is_shown_to_be_good_enough(four: Comparison[str]) -> None:
    found = recommend(four, COST, 0.05)
    assert found.chosen == "small"
    assert found.not_worse == ("small", "large", "huge")
    assert (found.undecided, found.worse, found.cheaper_undecided) == ((), ("tiny",), ())
    assert (found.margin, found.level, found.reason) == (0.05, 0.95, None)
    assert found.best == four.best
    assert recommend(four, {**COST, "small": 9.0}, 0.05).chosen == "large"


def test_a_smaller_margin_leaves_more_open(four: Comparison[str]) -> None:
    for margin in (0.0, 0.003, 0.02, 0.5):
        found = recommend(four, COST, margin)
        for name, row in four.rows.items():
            assert row.gap_low is not None
            assert row.gap_high is not None
            wanted = found.undecided
            if row.gap_high <= margin:
                wanted = found.not_worse
            elif row.gap_low > margin:
                wanted = found.worse
            assert name in wanted
        assert len(found.not_worse) + len(found.undecided) + len(found.worse) == 4
    assert recommend(four, COST, 0.5).chosen == "tiny"


def test_what_is_open_and_cheaper_is_named(four: Comparison[str]) -> None:
    rows = dict(four.rows)
    rows["tiny"] = replace(rows["tiny"], gap_low=0.0, gap_high=0.3)
    found = recommend(replace(four, rows=rows), COST, 0.05)
    assert (found.chosen, found.undecided, found.cheaper_undecided) == ("small", ("tiny",), ("tiny",))
    rows["large"] = replace(rows["large"], gap_low=0.0, gap_high=0.3)
    found = recommend(replace(four, rows=rows), COST, 0.05)
    assert (found.undecided, found.cheaper_undecided) == (("tiny", "large"), ("tiny",))


def test_without_proof_there_is_none_and_the_reason() -> None:
    rough = compare(
        {name: [run(0.3, blocks=12, noise=1.5, seed=i)] for i, name in enumerate("abc")}, draws=300
    )
    found = recommend(rough, {"a": 1.0, "b": 2.0, "c": 3.0}, 0.001)
    assert found.chosen is None
    assert found.reason is not None
    assert "within 0.001 of the best" in found.reason
    assert found.cheaper_undecided == found.undecided == ("a", "b", "c")


def test_the_chosen_one_is_shown_to_surpass_the_floor(four: Comparison[str]) -> None:
    assert recommend(four, COST, 0.05, floor="tiny").chosen == "small"
    rows = dict(four.rows)
    above = rows["small"].gap_high
    assert above is not None
    rows["tiny"] = replace(rows["tiny"], gap_low=above + 1e-9)  # told from it, by a hair
    assert recommend(replace(four, rows=rows), COST, 0.05, floor="tiny").chosen == "small"
    rows["tiny"] = replace(rows["tiny"], gap_low=above)
    found = recommend(replace(four, rows=rows), {"small": 1.0}, 0.05, floor="tiny")
    assert (found.chosen, found.not_worse, found.not_above_floor) == (None, (), ("small",))
    assert found.reason == "none of those within 0.05 of the best is shown to be better than tiny"


def test_cheaper_ones_that_fail_the_floor_are_named_apart(four: Comparison[str]) -> None:
    rows = dict(four.rows)
    rows["small"] = replace(rows["small"], gap_low=0.0, gap_high=0.04)
    rows["large"] = replace(rows["large"], gap_low=0.0, gap_high=0.01)
    rows["huge"] = replace(rows["huge"], gap_low=0.0, gap_high=0.04)
    rows["tiny"] = replace(rows["tiny"], gap_low=0.03, gap_high=0.3)
    found = recommend(replace(four, rows=rows), COST, 0.05, floor="tiny")
    assert (found.chosen, found.not_worse) == ("large", ("large",))
    assert found.not_above_floor == ("small", "huge")
    assert found.cheaper_not_above_floor == ("small",)
    assert (found.undecided, found.cheaper_undecided, found.worse) == (("tiny",), ("tiny",), ())
    # Without a floor there is nothing to fail.
    plain = recommend(replace(four, rows=rows), COST, 0.05)
    assert (plain.not_worse, plain.not_above_floor) == (("small", "large", "huge"), ())


def test_where_nothing_can_be_predicted_nothing_is_recommended() -> None:
    # All lie within the margin of the best, for none of them is worth anything.
    nothing = compare({name: [run(0.0, noise=0.5, seed=10 + i)] for i, name in enumerate("abm")}, draws=300)
    cost = {"a": 1.0, "b": 2.0}
    assert recommend(nothing, cost, 0.2).chosen == "a"
    assert recommend(nothing, cost, 0.2, floor="m").chosen is None


def test_an_unknown_floor_is_refused(four: Comparison[str]) -> None:
    with pytest.raises(DataError, match="floor 'mean'"):
        recommend(four, COST, 0.1, floor="mean")


def test_few_clusters_give_the_reason() -> None:
    few = compare({"a": [run(0.5, blocks=9)], "b": [run(0.1, blocks=9)]}, draws=20)
    found = recommend(few, {"a": 2.0, "b": 1.0}, 0.5)
    assert found.chosen is None
    assert found.undecided == ("b", "a")
    assert found.reason is not None
    assert "9 spatial blocks" in found.reason


def test_equal_costs_go_to_the_better_and_those_without_cost_are_never_chosen(four: Comparison[str]) -> None:
    better = max(("large", "huge"), key=lambda name: four.rows[name].score)
    assert recommend(four, {"large": 1.0, "huge": 1.0}, 0.05).chosen == better
    found = recommend(four, {}, 0.05)
    assert (found.chosen, found.not_worse) == (None, ())
    assert found.reason == "no configuration has a cost"
    only = recommend(four, {"tiny": 1.0}, 0.05)
    assert (only.chosen, only.worse) == (None, ("tiny",))


def test_a_gene_set_has_its_own_answer() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(1200, 8))
    noise = rng.normal(size=truth.shape)
    good_at = {"cheap": [0.8] * 4 + [0.1] * 4, "dear": [0.8] * 8}
    runs = {
        name: [
            moments_of(
                np.array(q) * truth + noise, truth, np.array(["S"] * 1200), np.arange(1200) // 30, GENES
            )
        ]
        for name, q in good_at.items()
    }
    cost = {"cheap": 1.0, "dear": 2.0}
    assert recommend(compare(runs, draws=200, genes=GENES[:4]), cost, 0.02).chosen == "cheap"
    assert recommend(compare(runs, draws=200, genes=GENES[4:]), cost, 0.02).chosen == "dear"
    assert recommend(compare(runs, draws=200), cost, 0.02).chosen == "dear"


@pytest.mark.parametrize("margin", [-0.01, float("nan"), float("inf")])
def test_bad_margins_are_refused(four: Comparison[str], margin: float) -> None:
    with pytest.raises(DataError, match="margin"):
        recommend(four, COST, margin)


@pytest.mark.parametrize("cost", [{"tiny": float("nan")}, {"none": 1.0}])
def test_bad_costs_are_refused(four: Comparison[str], cost: dict[str, float]) -> None:
    with pytest.raises(DataError, match="cost of"):
        recommend(four, cost, 0.1)

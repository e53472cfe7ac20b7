"""What is said of gene sets: which lie above their random sets, and what is left out."""

from __future__ import annotations

import math
from dataclasses import replace

from prestige.analysis.gene_sets.scores import notable
from prestige.records.configuration import Configuration
from prestige.report.gene_sets.tables import ONE_BY_ONE, P_NOTE, score_facts

from .test_figures import made

KEY = Configuration(pretrained=False, baseline=False, encoder="compact_s", patch_um=32.0, input_px=64)


def test_sets_are_sorted_by_what_their_intervals_say() -> None:
    scores = made(KEY, {"up": (0.1, 0.05, 0.15), "down": (-0.1, -0.2, -0.01), "open": (0.02, -0.1, 0.1)})
    facts = score_facts(scores, KEY)
    assert facts["text"] == (
        "Beside each set stand 1,000 random sets of genes outside it, matched on mean expression and ceiling."
        " Predicted better than genes like theirs are on average: up; predicted worse than genes like theirs "
        "are on average: down; not told from that average: open. "
        f"{ONE_BY_ONE}."
    )
    assert P_NOTE in facts["notes"]
    assert "expressed together" in P_NOTE


def test_a_row_has_every_number_under_its_head() -> None:
    facts = score_facts(made(KEY, {"up": (0.1, 0.05, 0.15)}), KEY)
    assert facts["label"] == KEY.label
    row = dict(zip(facts["head"], facts["rows"][0], strict=True))
    assert row == {
        "gene set": "up",
        "genes": "6 of 7",
        "mean Pearson": "0.300 (0.250 to 0.350)",
        "median": "0.310",
        "quartiles": "0.210 to 0.410",
        "of the ceiling": "40% (35% to 45%)",
        "random sets": "0.200",
        "excess": "+0.100 (+0.050 to +0.150)",
        "p": "0.02",
    }


def test_a_set_without_random_sets_has_dashes_and_is_named() -> None:
    scores = made(KEY, {"up": (0.1, 0.05, 0.15), "alone": (math.nan, math.nan, math.nan)})
    facts = score_facts(scores, KEY)
    assert facts["rows"][1][-3:] == ["\N{EN DASH}"] * 3
    assert "not compared, since too few of their genes have others like them: alone." in facts["text"]


def test_what_is_missing_is_said() -> None:
    scores = made(KEY, {"up": (0.1, 0.05, 0.15)})
    assert "Without a gene like them outside the set, and out of that comparison: up: G5." in " ".join(
        score_facts(scores, KEY)["notes"]
    )
    bare = replace(scores, known_rare=False, reason="no interval: 4 clusters are too few")
    notes = " ".join(score_facts(bare, KEY)["notes"])
    assert "There are no intervals: 4 clusters are too few." in notes
    assert "No ceilings are kept" in notes
    assert "of the ceiling" not in score_facts(bare, KEY)["head"]
    assert score_facts(scores, None) == {}
    assert score_facts(replace(scores, sets={}), KEY) == {}


def test_a_set_without_an_interval_is_no_set_that_is_not_told_apart() -> None:
    scores = made(KEY, {"up": (0.1, 0.05, 0.15), "bare": (0.2, math.nan, math.nan)})
    text = score_facts(scores, KEY)["text"]
    assert "without an interval, so nothing is said of them: bare." in text
    assert "not told from that average" not in text
    assert ONE_BY_ONE not in text  # one interval is no case of many


def test_few_sets_are_all_named() -> None:
    excess = {f"s{i:02d}": (0.1, 0.05, 0.15) for i in range(12)}
    assert f"on average: {', '.join(excess)}. Each" in score_facts(made(KEY, excess), KEY)["text"]


def test_many_sets_are_cut_to_the_shipped_and_the_farthest() -> None:
    excess = {f"s{i:02d}": (0.001 * i * (-1) ** i, -0.2, 0.2) for i in range(60)}
    excess["immune"] = (0.0, -0.2, 0.2)
    excess["none"] = (math.nan, math.nan, math.nan)
    scores = made(KEY, excess)
    facts = score_facts(scores, KEY)
    shown = [row[0] for row in facts["rows"]]
    assert shown == [*(f"s{i:02d}" for i in range(21, 60)), "immune"] == list(notable(scores, KEY))
    assert facts["notes"][0].startswith("Shown are 40 sets; 22 ")
    assert "Not told from that average: s59, s58, s57, s56, s55, s54, s53, s52 and 53 more" in facts["text"]
    assert "and of 54 more sets" in " ".join(facts["notes"])  # each made set lacks a match for G5
    assert notable(scores, KEY, most=62) == tuple(excess)

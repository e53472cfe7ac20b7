"""What is said of gene sets: which lie above their random sets, and what is left out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from prestige.genesets import RandomSets
from prestige.report.answer import answers
from prestige.report.load import Configuration, load_bench
from prestige.report.set_estimates import FRACTION, QUANTILES, Estimate, SetGenes
from prestige.report.set_scores import SetScores
from prestige.report.set_words import P_NOTE, score_facts, shown_configuration
from prestige.report.summary import summarise

from .test_set_figures import made

KEY = Configuration(pretrained=False, baseline=False, encoder="compact_s", patch_um=32.0, input_px=64)


def test_sets_are_sorted_by_what_their_intervals_say() -> None:
    scores = made(KEY, {"up": (0.1, 0.05, 0.15), "down": (-0.1, -0.2, -0.01), "open": (0.02, -0.1, 0.1)})
    facts = score_facts(scores, KEY)
    assert facts["text"] == (
        "Beside each set stand 1,000 random sets of genes outside it, matched on mean expression and ceiling."
        " Predicted better than genes like theirs are on average: up; predicted worse than genes like theirs "
        "are on average: down; not told from that average: open."
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


def test_the_recommended_configuration_is_shown(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    answer = answers(bench, summary)[0]
    shown = shown_configuration(summary, answer)
    assert shown is not None
    assert shown.encoder == "compact_s"
    wide = replace(answer, margin=5.0)  # all lie within it: the cheapest
    cheapest = shown_configuration(summary, wide)
    assert cheapest is not None
    assert cheapest.patch_um == 16
    assert shown_configuration(summary, None) is None


@pytest.mark.parametrize("statistic", ["mean", *QUANTILES])
def test_the_made_scores_are_found(statistic: str) -> None:
    scores = made(KEY, {"up": (0.1, 0.05, 0.15)})
    assert isinstance(scores, SetScores)
    assert isinstance(scores.sets["up"], SetGenes)
    assert isinstance(scores.sets["up"].random, RandomSets)
    assert isinstance(scores.of(KEY, "measurable", "pearson", statistic)["up"], Estimate)
    assert scores.of(replace(KEY, patch_um=64.0), "measurable", "pearson", statistic) == {}
    assert isinstance(scores.table, pd.DataFrame)
    assert "up" in scores.of(KEY, "measurable", FRACTION, "mean")

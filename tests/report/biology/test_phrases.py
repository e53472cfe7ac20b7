"""Phrases that sentences share."""

from __future__ import annotations

import pytest

from prestige.biology.agreement import WITH_DEPTH, Mean
from prestige.report.biology.phrases import VERSIONS, capital, left_out_sentences, mean_text, with_interval


def test_an_interval_stands_behind_its_value_where_there_is_one() -> None:
    assert with_interval(0.456, (0.1, 0.999)) == "0.46 (0.10 to 1.00)"
    assert with_interval(-0.5, None) == "-0.50"
    assert mean_text(Mean(0.5, 0.25, 0.75, "a note")) == "0.50 (0.25 to 0.75)"
    assert mean_text(Mean(0.5, None, None, "a note")) == "0.50"


def test_samples_that_are_left_out_are_named() -> None:
    assert left_out_sentences(("a", "c"), 2, "maps") == [
        "Left out of maps, with fewer than 2 observations: samples a, c."
    ]
    assert left_out_sentences(("a",), 9, "maps") == [
        "Left out of maps, with fewer than 9 observations: sample a."
    ]
    assert left_out_sentences((), 2, "maps") == []


@pytest.mark.parametrize(("text", "wanted"), [("depth alone", "Depth alone"), ("PODXL", "PODXL"), ("", "")])
def test_only_the_first_letter_is_made_large(text: str, wanted: str) -> None:
    assert capital(text) == wanted


def test_every_comparison_has_its_words() -> None:
    assert set(VERSIONS) == set(WITH_DEPTH)

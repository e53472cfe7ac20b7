"""An answer as plain values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prestige.analysis.advice import advise, costs
from prestige.analysis.answer import answers
from prestige.analysis.effects import WIDTH, effects_of
from prestige.analysis.record import advice_record, answer_record, blocks_record, effect_records
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report import write_report


def test_page_and_record_carry_the_recommendation(tiny_bench: Path) -> None:
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    record = json.loads((tiny_bench / "report" / "answer.json").read_text())[0]["recommended"]
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    assert record == advice_record(advise(summary, summary.groups[0], record["margin"]))
    assert ("Recommended:" in page) == (record["chosen"] is not None)
    kinds = ("not_worse", "not_above_floor", "undecided", "worse")
    everything = {label for kind in kinds for label in record[kind]}
    assert everything == {key.label for key in costs(summary, summary.groups[0])}


def test_the_record_is_the_answer_as_plain_values(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    (answer,) = answers(bench, summary)
    record = answer_record(summary, answer)
    json.dumps(record, allow_nan=False)  # nothing in it that JSON cannot say
    assert record["best"] == "compact_s at 64 µm"
    assert record["pearson"] == pytest.approx(summary.groups[0].results[answer.best].score)
    assert record["tied"] == ["compact_s at 32 µm"]
    assert record["baselines"]["training mean"] == 0.0
    assert record["recommended"]["margin"] == record["margin"] == answer.margin
    assert [row["configuration"] for row in record["spread"]["rows"]] == [
        key.label for key in summary.groups[0].results
    ]


def test_what_is_not_there_is_none() -> None:
    assert blocks_record(None) is None
    assert advice_record(None) is None


def test_effects_are_their_numbers(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    effects = effects_of(summary, summary.groups[0])
    (record, *_) = effect_records(effects)
    one = effects.tested[WIDTH]
    assert record == {"effect": WIDTH, "estimate": one.estimate, "low": one.low, "high": one.high}

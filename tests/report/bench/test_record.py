"""answer.json says what the page says, in plain values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prestige.analysis.answer import answers
from prestige.analysis.effects import question_facts
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report.bench.record import answer_record


def test_the_record_is_the_answer_as_plain_values(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    (answer,) = answers(bench, summary)
    questions = question_facts(summary, summary.groups[0])
    record = answer_record(summary, answer, questions)
    json.dumps(record, allow_nan=False)  # nothing in it that JSON cannot say
    assert record["best"] == "compact_s at 64 \N{MICRO SIGN}m"
    assert record["pearson"] == pytest.approx(summary.groups[0].standings[answer.best].score)
    assert record["tied"] is not None
    assert set(record["tied"]) <= {key.label for key in summary.used}
    assert record["baselines"]["training mean"] == 0.0
    assert all("**" not in limit for limit in record["limits"])
    assert record["questions"] == questions.get("rows", [])
    assert record["recommended"]["margin"] == record["margin"] == answer.margin


def test_without_questions_there_are_none(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    (answer,) = answers(bench, summary)
    record = answer_record(summary, answer, {})
    assert (record["questions"], record["not_asked"]) == ([], [])

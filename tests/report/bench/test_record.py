"""answer.json says what the page says, in plain values."""

from __future__ import annotations

import json
from pathlib import Path

from prestige.report import write_report
from prestige.report.bench.record import with_words


def test_the_words_stand_before_and_among_the_numbers() -> None:
    record = {"best": "a", "spread": {"rows": [1]}}
    told = with_words(record, ["**a** is best.", "Use **b**."], ["Not **c**."], "They vary.", {})
    assert list(told.items()) == [
        ("text", "a is best. Use b."),
        ("limits", ["Not c."]),
        ("best", "a"),
        ("spread", {"text": "They vary.", "rows": [1]}),
        ("questions", []),
        ("not_asked", []),
    ]


def test_the_file_has_the_rows_of_the_page(tiny_bench: Path) -> None:
    write_report(tiny_bench)
    (record,) = json.loads((tiny_bench / "report" / "answer.json").read_text())
    assert all("**" not in limit for limit in record["limits"])
    assert [len(row) for row in record["questions"]] == [4] * len(record["questions"])
    assert record["questions"]
    assert all(": " in line for line in record["not_asked"])

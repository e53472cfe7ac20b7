"""How it was measured, in the words of what was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report.bench.method import (
    assumptions,
    fold_rows,
    sample_rows,
    scoring_facts,
    span,
    split_facts,
    training_facts,
)


def rewrite(bench: Path, folder: str, **changes: object) -> None:
    path = bench / "runs" / folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("values", "text"),
    [([3, 3], "3 s"), ([1, 5, 2], "1 to 5 s"), ([], "not recorded"), ([None, float("nan")], "not recorded")],
)
def test_a_span_is_written_once_where_all_are_alike(values: list[object], text: str) -> None:
    assert span(values, "{:.0f}".format, "s") == text


def test_training_is_told_as_recorded(tiny_bench: Path) -> None:
    rewrite(tiny_bench, "compact_s-16-0", steps=123, budget={"kind": "minutes", "minutes": 4})
    facts = dict(training_facts(load_bench(tiny_bench)))
    assert "123" in facts["Steps"]
    assert " to " in facts["Steps"]
    assert "4 a run" in facts["Budget"]
    assert "not of capacity" in facts["Budget"]
    assert "threads" in facts["Hardware"]


def test_what_an_old_run_did_not_record_is_said(tiny_bench: Path) -> None:
    for path in (tiny_bench / "runs").glob("*/manifest.json"):
        raw = json.loads(path.read_text())
        for key in ("hardware", "versions", "peak_memory_bytes"):
            raw.pop(key, None)
        path.write_text(json.dumps(raw))
    facts = dict(training_facts(load_bench(tiny_bench)))
    assert facts["Hardware"] == facts["Versions"] == facts["Peak memory"] == "not recorded"


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (10.0, "blocks are 4.0 lengths wide"),
        (20.0, "blocks are 4.0 lengths wide"),  # two of 40 um made one
        (1000.0, "fewer than 3: the intervals are too narrow"),
        (0.0, "no more alike"),
        (None, "distrust"),
    ],
)
def test_the_correlation_length_stands_beside_the_width_of_the_blocks(
    tiny_bench: Path, length: float | None, words: str
) -> None:
    path = tiny_bench / "bench.json"
    raw = json.loads(path.read_text())
    raw["evaluation"] = {"block_um": 40.0}
    raw["folds"][0]["correlation"] = {"length_um": length, "structured": 0.2}
    path.write_text(json.dumps(raw))
    bench = load_bench(tiny_bench)
    assert words in dict(scoring_facts(bench, summarise(bench)))["Correlation length"]


def test_what_was_not_run_is_said_with_the_reason(tiny_bench: Path) -> None:
    path = tiny_bench / "bench.json"
    raw = json.loads(path.read_text())
    raw["skipped"] = [{"name": "coordinates", "fold": 1, "reason": "no slide stands on both sides"}]
    path.write_text(json.dumps(raw))
    bench = load_bench(tiny_bench)
    facts = dict(scoring_facts(bench, summarise(bench)))
    assert facts["Not run"] == "coordinates on fold 1: no slide stands on both sides"


def test_folds_and_samples_are_counted(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    head, rows = fold_rows(bench)
    assert len(rows) == 2
    by_name = dict(zip(head, rows[0], strict=True))
    assert (by_name["train"], by_name["test"]) == ("900", "300")
    assert by_name["dropped: within the buffer"] == "41"
    head, rows = sample_rows(bench)
    assert [row[0] for row in rows] == ["S1", "S2"]
    assert "assumed" in rows[0][head.index("µm per px")]
    assert "assumed" not in rows[1][head.index("µm per px")]


def test_assumptions_name_the_samples(tiny_bench: Path) -> None:
    found = assumptions(load_bench(tiny_bench))
    assert found[0].startswith("The pixel size of S1 was assumed")
    assert any("<b>a note</b>" in line for line in found)  # escaped by the page, not here


def test_split_and_scoring_say_their_settings(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    split = dict(split_facts(bench))
    assert "patient" in split.values()
    assert any("70" in value for value in split.values())
    scoring = dict(scoring_facts(bench, summarise(bench)))
    assert "never pooled" in scoring["Score"]
    assert scoring["Margin"].startswith("0.01: ")
    assert "evaluation: {margin: ...}" in scoring["Margin"]
    assert any("100" in value for value in scoring.values())

"""What does not follow from an answer: whose tissue, which blocks, how many trainings."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from prestige.analysis.analyse import analyse
from prestige.analysis.blocks import correlation_lengths
from prestige.analysis.record import blocks_record
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report import write_report
from prestige.report.bench.limits import blocks_words, length_words, limits, seeds_limit
from prestige.report.bench.method import scoring_facts

from ...analysis.test_blocks import give
from ...analysis.test_spread import add_seeds
from ...small_bench import Recipe

Maker = Callable[[Recipe], Path]


def limits_of(folder: Path) -> list[str]:
    analysis = analyse(folder)
    (answer,) = analysis.answers
    return limits(analysis.bench, analysis.summary, analysis.group(answer.pretrained))


def test_one_patient_says_nothing_about_others(make_bench: Maker, tiny_bench: Path) -> None:
    one = limits_of(make_bench(Recipe(patients=("P1",))))
    assert any("one patient: nothing about other patients follows" in limit for limit in one)
    assert any(limit.startswith("2 patients were scored") for limit in limits_of(tiny_bench))


def test_what_the_interval_does_not_hold_is_said(tiny_bench: Path) -> None:
    lines = limits_of(tiny_bench)
    assert any("not that of the training: each encoder was trained with one seed" in line for line in lines)


def test_minutes_that_were_not_equal_are_told(tiny_bench: Path) -> None:
    paths = sorted((tiny_bench / "runs").glob("*/manifest.json"))
    for path in paths:
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps(manifest | {"seconds": {"train": 230.0, "validate": 10.0}}))
    assert "not equal" not in " ".join(limits_of(tiny_bench))
    path = next(path for path in paths if "resnet18" in path.parent.name)
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"seconds": {"train": 360.0, "validate": 12.0}}))
    assert "The minutes were not equal: runs planned for 4 took 4 to 6.2," in " ".join(limits_of(tiny_bench))


def test_tissue_of_the_same_patients_speaks_of_no_others_however_many_there_are(make_bench: Maker) -> None:
    many = tuple(f"P{i}" for i in range(10))
    folder = make_bench(Recipe(folds=10, patients=many, n_obs=100))
    comparison = summarise(load_bench(folder)).groups[0].comparison
    assert (comparison.cluster, comparison.n_clusters) == ("patient", 10)
    info = json.loads((folder / "bench.json").read_text())
    info["split"] |= {"by": "blocks", "within_section": True}
    (folder / "bench.json").write_text(json.dumps(info))
    assert summarise(load_bench(folder)).groups[0].comparison.cluster == "block"
    lines = limits_of(folder)
    assert any("of the same patients: nothing about other patients follows" in line for line in lines)


def test_an_unfinished_bench_compares_only_what_shares_folds(tiny_bench: Path) -> None:
    shutil.rmtree(tiny_bench / "runs" / "compact_s-64-1")
    (tiny_bench / "runs" / "resnet18-16-1" / "DONE").unlink()
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    assert {item.reason for item in bench.missing} == {"not started", "not finished: main at step 400"}
    assert summary.folds == (0, 1)
    assert summary.excluded == ["compact_s at 64 µm", "resnet18 at 16 µm"]
    assert str(summary.groups[0].best) == "compact_s at 32 µm"
    limit = next(limit for limit in limits_of(tiny_bench) if "not finished" in limit)
    assert "22 runs" in limit
    assert "compact_s at 64 µm and resnet18 at 16 µm" in limit


def test_too_few_seeds_are_a_limit(tiny_bench: Path) -> None:
    runs = tiny_bench / "runs"
    needs = "a bench that claims something needs 3"
    assert f"One seed: the spread over trainings is unknown; {needs}." in limits_of(tiny_bench)
    raw = json.loads((tiny_bench / "bench.json").read_text())
    for seed in (1, 2):
        for path in sorted(runs.glob("*-0")) + sorted(runs.glob("*-1")):
            if path.name.startswith("baseline"):
                continue
            copy = shutil.copytree(path, runs / f"{path.name}-seed-{seed}")
            manifest = json.loads((copy / "manifest.json").read_text())
            (copy / "manifest.json").write_text(json.dumps(manifest | {"seed": seed}))
            raw["runs"].append({"folder": f"runs/{copy.name}"})
        (tiny_bench / "bench.json").write_text(json.dumps(raw))
        told = [limit for limit in limits_of(tiny_bench) if needs in limit]
        assert told == (
            [] if seed == 2 else [f"2 seeds: the spread over trainings is hardly known; {needs}."]
        )


SAID = "blocks of 250 µm merged to 500 µm: the correlation length is 120 µm"


def test_the_page_and_the_record_say_which_blocks(tiny_bench: Path) -> None:
    give(tiny_bench, 120.0, 30.0)
    text = re.sub(r"<[^>]+>", "", write_report(tiny_bench).read_text(encoding="utf-8"))
    assert f"with its 95 % interval ({SAID})" in text
    assert f"Intervals from {SAID}." in text
    bench = load_bench(tiny_bench)
    method = scoring_facts(bench, summarise(bench))
    assert ("Blocks of the bootstrap", SAID.removeprefix("blocks of ")) in method
    lengths = [words for name, words in method if name == "Correlation length"]
    assert "the blocks are 4.2 lengths wide" in lengths[0]
    assert "the blocks are 16.7 lengths wide" in lengths[1]
    record = json.loads((tiny_bench / "report" / "answer.json").read_text())[0]["blocks"]
    assert record == {
        "kept_um": 250.0,
        "merged_um": 500.0,
        "correlation_length_um": 120.0,
        "wide_enough": True,
    }
    assert "too narrow" not in " ".join(limits_of(tiny_bench))


def test_blocks_that_are_wide_enough_stay_and_nothing_is_said(tiny_bench: Path) -> None:
    give(tiny_bench, 80.0, 30.0)
    summary = summarise(load_bench(tiny_bench))
    assert summary.groups[0].comparison.n_blocks == {"S1": 62, "S2": 62}
    assert blocks_words(summary.blocks) == "blocks of 250 µm"
    assert "narrow" not in " ".join(limits_of(tiny_bench))


def test_where_wider_blocks_leave_too_few_the_widest_are_taken_and_that_is_a_limit(tiny_bench: Path) -> None:
    # 8 x 8 blocks in each of two sections.  12 a side (for 700 um) leave 2; 4 leave 2 x 2 = 4 each, 8 in all;
    # 3 leave 3, 3 and 2 a side: 18.
    give(tiny_bench, 700.0, 30.0)
    line = " ".join(limits_of(tiny_bench))
    assert "Merged to 750 µm, blocks are still too narrow for this tissue, which is alike over 700 µm" in line
    assert "wider ones would be too few (2 spatial blocks are too few, at least 10" in line
    assert summarise(load_bench(tiny_bench)).groups[0].comparison.n_blocks == {"S1": 9, "S2": 9}


def test_without_any_interval_the_width_is_no_matter(make_bench: Callable[[Recipe], Path]) -> None:
    folder = make_bench(Recipe(block_um=1000.0))  # 2 x 2 blocks in each section
    give(folder, 700.0, 30.0)
    assert "narrow" not in " ".join(limits_of(folder))
    assert "8 spatial blocks" in str(summarise(load_bench(folder)).groups[0].reason)


def test_a_fold_that_is_alike_all_over_is_a_limit(tiny_bench: Path) -> None:
    give(tiny_bench, None, 120.0)
    bench = load_bench(tiny_bench)
    assert list(correlation_lengths(bench).values()) == [math.inf, 120.0]
    line = " ".join(limits_of(tiny_bench))
    assert "In fold 0 expression is alike across the whole test tissue" in line
    assert "Blocks of 750 µm are taken, the widest that leave enough of them" in line
    summary = summarise(bench)
    assert summary.blocks is not None
    assert summary.blocks.times == 3  # the other one asks for 2
    assert blocks_words(summary.blocks).endswith("expression is alike across the whole test tissue of a fold")
    assert "distrust" in length_words(bench, summary.blocks)[0]
    write_report(tiny_bench)
    record = json.loads((tiny_bench / "report" / "answer.json").read_text())[0]["blocks"]
    assert record == {
        "kept_um": 250.0,
        "merged_um": 750.0,
        "correlation_length_um": None,
        "wide_enough": False,
    }


def test_a_length_that_is_not_known_leaves_it_open(tiny_bench: Path) -> None:
    give(tiny_bench, None, 30.0)
    path = tiny_bench / "bench.json"
    raw = json.loads(path.read_text())
    raw["folds"][0]["correlation"]["structured"] = None  # nothing could be fitted
    path.write_text(json.dumps(raw))
    bench = load_bench(tiny_bench)
    blocks = summarise(bench).blocks
    assert blocks is not None
    record = blocks_record(blocks)
    assert record is not None
    assert (record["correlation_length_um"], record["wide_enough"]) == (30.0, None)
    assert "alike is not known in fold 0: whether blocks of 250 µm are wide enough" in " ".join(
        limits_of(tiny_bench)
    )
    for fold in raw["folds"]:
        del fold["correlation"]
    path.write_text(json.dumps(raw))
    record = blocks_record(summarise(load_bench(tiny_bench)).blocks)
    assert record is not None
    assert (record["correlation_length_um"], record["wide_enough"]) == (None, None)
    assert "alike is not known: whether blocks of 250 µm" in " ".join(limits_of(tiny_bench))


def test_a_bench_under_way_says_how_many_seeds_there_are(tiny_bench: Path) -> None:
    add_seeds(tiny_bench, {1: 0.9})
    for run in (tiny_bench / "runs").glob("resnet18*-seed-1"):
        (run / "DONE").unlink()
    summary = summarise(load_bench(tiny_bench))
    (line,) = seeds_limit(summary, summary.groups[0].results)
    assert line.startswith("1 to 2 seeds: the spread over trainings is not known of every encoder;")


def test_two_groups_are_said_to_be_answered_apart(tiny_bench: Path) -> None:
    for path in (tiny_bench / "runs").glob("resnet18-*/manifest.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"pretrained": True}))
    analysis = analyse(tiny_bench)
    for answer in analysis.answers:
        lines = limits(analysis.bench, analysis.summary, analysis.group(answer.pretrained))
        assert any("answered apart" in line for line in lines)


@pytest.mark.parametrize(
    ("n", "line"), [(1, "All scored tissue is of one patient"), (5, "5 patients were scored"), (10, "")]
)
def test_whose_tissue_it_is_about_is_said(make_bench: Maker, n: int, line: str) -> None:
    folder = make_bench(Recipe(folds=n, patients=tuple("ABCDEFGHIJ"[:n]), n_obs=200))
    first = limits_of(folder)[0]
    assert first.startswith(line) if line else "patients were scored" not in first

"""The study's questions: effects worked out by hand from the scores."""

import json
from pathlib import Path

import numpy as np
import pytest

from prestige.report import write_report
from prestige.report.load import load_bench
from prestige.report.questions import INTERACTION, PARAMETERS, TISSUE, WIDTH, family, question_facts
from prestige.report.summary import Summary, summarise


def rows_of(summary: Summary) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in question_facts(summary, summary.groups[0])["rows"]}


def change(bench: Path, name: str, **values: object) -> None:
    """Rewrite the manifests of an encoder's runs."""
    for path in (bench / "runs").glob("*/manifest.json"):
        raw = json.loads(path.read_text())
        if raw["encoder"] == name:
            path.write_text(json.dumps(raw | values))


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        ("compact_s", "compact"),
        ("resnet18", "resnet"),
        ("efficientnet_b0", "efficientnet"),
        ("vit_tiny", "vit"),
        ("timm:resnet50.a1_in1k", "resnet"),
        ("timm:hf-hub:MahmoodLab/UNI", "uni"),
    ],
)
def test_a_family_is_what_the_name_begins_with(encoder: str, expected: str) -> None:
    assert family(encoder) == expected


def test_a_doubled_width_is_the_slope_within_each_encoder(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    table = summary.table[~summary.table["baseline"]]
    x = np.log2(table["patch_um"].to_numpy(float))
    y = table["score"].to_numpy(float)
    for name in table["name"].unique():
        rows = (table["name"] == name).to_numpy()
        x[rows] -= x[rows].mean()
    effect = rows_of(summary)[WIDTH]
    assert float(effect[0]) == pytest.approx((x @ y) / (x @ x), abs=2e-4)
    low, high = (float(part) for part in effect[1].split(" to "))
    assert low < float(effect[0]) < high


def test_parameters_are_asked_within_a_family_only(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    facts = question_facts(summary, summary.groups[0])
    assert PARAMETERS not in rows_of(summary)
    assert any(line.startswith(PARAMETERS) and "one family" in line for line in facts["open"])
    change(tiny_bench, "resnet18", encoder="compact_l")
    summary = summarise(load_bench(tiny_bench))
    table = summary.table[~summary.table["baseline"]]
    per_decade = []
    for _, at_patch in table.groupby("patch_um"):
        size = np.log10(at_patch["parameters"].to_numpy(float))
        per_decade.append(np.diff(at_patch["score"].to_numpy(float))[0] / np.diff(size)[0])
    found = rows_of(summary)
    assert float(found[PARAMETERS][0]) == pytest.approx(np.mean(per_decade), abs=2e-4)
    assert INTERACTION in found


def test_a_variant_is_set_against_the_design_itself(tiny_bench: Path) -> None:
    change(tiny_bench, "resnet18", encoder="compact_s", variant="readout whole")
    summary = summarise(load_bench(tiny_bench))
    table = summary.table[~summary.table["baseline"]].set_index("name")["score"]
    found = rows_of(summary)
    effect = found["readout whole, against the design's own"]
    expected = table["compact_s (readout whole)"].mean() - table["compact_s"].mean()
    assert float(effect[0]) == pytest.approx(expected, abs=2e-4)
    assert "readout whole: change of what a doubled patch width brings" in found


def test_tissue_is_told_from_computing_where_a_part_was_greyed_out(tiny_bench: Path) -> None:
    for path in (tiny_bench / "runs").glob("*/manifest.json"):
        raw = json.loads(path.read_text())
        if raw["encoder"] == "resnet18":  # stands in for compact_s with only its middle seen
            path.write_text(json.dumps(raw | {"encoder": "compact_s", "visible_um": raw["patch_um"] / 2}))
    summary = summarise(load_bench(tiny_bench))
    table = summary.table[~summary.table["baseline"]]
    whole = table.loc[~table["control"]].set_index("patch_um")["score"]
    grey = table.loc[table["control"]].set_index("patch_um")["score"]
    assert float(rows_of(summary)[TISSUE][0]) == pytest.approx((whole - grey).mean(), abs=2e-4)


def test_the_page_and_the_record_carry_the_answers(tiny_bench: Path) -> None:
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    assert WIDTH in page
    record = json.loads((tiny_bench / "report" / "answer.json").read_text())[0]
    assert record["questions"][0][0] == WIDTH

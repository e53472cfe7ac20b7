"""Effects worked out by hand from the scores."""

import json
from pathlib import Path

import numpy as np
import pytest

from prestige.analysis.answer import answers
from prestige.analysis.effects import EITHER, INTERACTION, PARAMETERS, TISSUE, WIDTH, effects_of, family
from prestige.analysis.record import advice_record
from prestige.analysis.summary import Summary, summarise
from prestige.records.folders import load_bench
from prestige.report import write_report
from prestige.report.bench.method import training_facts
from prestige.stats.effects import Contrast


def effects_in(summary: Summary) -> dict[str, Contrast]:
    return effects_of(summary, summary.groups[0]).tested


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
    effect = effects_in(summary)[WIDTH]
    assert effect.estimate == pytest.approx((x @ y) / (x @ x), abs=2e-4)
    assert effect.low is not None
    assert effect.high is not None
    assert effect.low < effect.estimate < effect.high


def test_parameters_are_asked_within_a_family_only(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    assert PARAMETERS not in effects_in(summary)
    assert "one family" in effects_of(summary, summary.groups[0]).untested[PARAMETERS]
    change(tiny_bench, "resnet18", encoder="compact_l")
    summary = summarise(load_bench(tiny_bench))
    table = summary.table[~summary.table["baseline"]]
    per_decade = []
    for _, at_patch in table.groupby("patch_um"):
        size = np.log10(at_patch["parameters"].to_numpy(float))
        per_decade.append(np.diff(at_patch["score"].to_numpy(float))[0] / np.diff(size)[0])
    found = effects_in(summary)
    assert found[PARAMETERS].estimate == pytest.approx(np.mean(per_decade), abs=2e-4)
    assert INTERACTION in found


def test_a_variant_is_set_against_the_design_itself(tiny_bench: Path) -> None:
    change(tiny_bench, "resnet18", encoder="compact_s", variant="readout whole")
    summary = summarise(load_bench(tiny_bench))
    table = summary.table[~summary.table["baseline"]].set_index("name")["score"]
    found = effects_in(summary)
    effect = found["readout whole, against the design's own"]
    expected = table["compact_s (readout whole)"].mean() - table["compact_s"].mean()
    assert effect.estimate == pytest.approx(expected, abs=2e-4)
    assert "readout whole: change of what a doubled patch width brings" in found


OWN = "learning rates 0.002"


def as_own_rates(bench: Path, **values: object) -> None:
    """Let the runs of resnet18 stand for compact_s with learning rates of its own, better than all others."""
    change(bench, "resnet18", encoder="compact_s", variant=OWN, learning_rates_tried=[2e-3], **values)


def test_no_bench_that_asks_is_said_plainly(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    untested = effects_of(summary, summary.groups[0]).untested
    assert {name: lack for name, lack in untested.items() if name.startswith(EITHER)} == {
        f"{EITHER} the readout": "no entry of the grid has another one (readout: whole)",
        f"{EITHER} the normalisation layer": "no entry of the grid has another one (norm: group)",
        f"{EITHER} the learning rates tried": "no entry of the grid has learning rates of its own",
    }


def test_learning_rates_are_set_against_those_of_the_bench(tiny_bench: Path) -> None:
    as_own_rates(tiny_bench)
    summary = summarise(load_bench(tiny_bench))
    table = summary.table[~summary.table["baseline"]].set_index("name")
    own, bench = (
        table.loc[name].set_index("patch_um")["score"] for name in (f"compact_s ({OWN})", "compact_s")
    )
    found = effects_in(summary)
    effect = found[f"{OWN}, against those of the bench"]
    assert effect.estimate == pytest.approx((own - bench).mean(), abs=2e-4)
    assert effect.low is not None
    assert effect.high is not None
    assert effect.low < effect.estimate < effect.high < 0
    assert effect.sign == -1
    change_of_width = found[f"{OWN}: change of what a doubled patch width brings"]
    slopes = [(one[64.0] - one[16.0]) / 2 for one in (own, bench)]  # of three widths, each twice the last
    assert change_of_width.estimate == pytest.approx(slopes[0] - slopes[1], abs=2e-4)
    assert change_of_width.sign in {-1, 0}
    untested = effects_of(summary, summary.groups[0]).untested
    assert f"{OWN}: change of what tenfold parameters bring" in untested
    assert not any("the learning rates tried" in name for name in untested)


def test_the_effect_of_parameters_may_change_with_them_too(tiny_bench: Path) -> None:
    # resnet18 at 16 and 32 um as a larger one of compact_s's family; at 64 um all four have to be there.
    names = {"compact_s": ("compact_s", ""), "resnet18": ("compact_l", "")}
    for path in (tiny_bench / "runs").glob("*/manifest.json"):
        raw = json.loads(path.read_text())
        if raw["encoder"] in names:
            encoder = names[raw["encoder"]][0]
            variant = OWN if raw["patch_um"] == 64 else ""
            width = 32.0 if raw["patch_um"] == 64 else raw["patch_um"]
            changed = {"encoder": encoder, "variant": variant, "patch_um": width, "input_px": int(2 * width)}
            path.write_text(json.dumps(raw | changed))
    summary = summarise(load_bench(tiny_bench))
    table = summary.table.set_index("label")["score"]
    of_own = table[f"compact_l ({OWN}) at 32 µm"] - table[f"compact_s ({OWN}) at 32 µm"]
    of_bench = table["compact_l at 32 µm"] - table["compact_s at 32 µm"]
    effect = effects_in(summary)[f"{OWN}: change of what tenfold parameters bring"]
    assert effect.estimate == pytest.approx(of_own - of_bench, abs=2e-4)  # they differ tenfold


def test_an_entry_with_its_own_rates_is_no_candidate(tiny_bench: Path) -> None:
    # The better encoder has rates of its own: it is neither best, tied, advised nor in a gene set's table.
    change(
        tiny_bench, "compact_s", encoder="resnet18", variant=OWN, learning_rates_tried=[2e-3], parameters=9
    )
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    (group,) = summary.groups
    assert not any(key.own_rates for key in group.results)
    assert any(key.own_rates for key in group.with_own_rates.rows)
    assert group.comparison.best.label == "resnet18 at 64 µm"
    (answer,) = answers(bench, summary)
    assert answer.best.label == "resnet18 at 64 µm"
    record = advice_record(answer.recommendation)
    assert record is not None
    assert not any(OWN in label for name in ("not_worse", "undecided", "worse") for label in record[name])
    rows = summary.table.set_index("label")
    own = rows.loc[f"resnet18 ({OWN}) at 64 µm"]
    assert own["score"] > rows.at["resnet18 at 64 µm", "score"]
    assert (own["best"], own["tied"]) == (False, None)
    assert own["low"] < own["score"] < own["high"]
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    assert OWN not in json.loads((tiny_bench / "report" / "answer.json").read_text())[0]["text"]
    assert "Rows with learning rates of their own are compared with the same encoder" in page
    rates = dict(training_facts(bench))["Learning rates"]
    assert rates.startswith("0.0003, 0.001, 0.003 tried for every encoder")
    assert f"Apart from these, resnet18 ({OWN})" in rates


def test_tissue_is_told_from_computing_where_a_part_was_greyed_out(tiny_bench: Path) -> None:
    for path in (tiny_bench / "runs").glob("*/manifest.json"):
        raw = json.loads(path.read_text())
        if raw["encoder"] == "resnet18":  # stands in for compact_s with only its middle seen
            path.write_text(json.dumps(raw | {"encoder": "compact_s", "visible_um": raw["patch_um"] / 2}))
    summary = summarise(load_bench(tiny_bench))
    table = summary.table[~summary.table["baseline"]]
    whole = table.loc[~table["control"]].set_index("patch_um")["score"]
    grey = table.loc[table["control"]].set_index("patch_um")["score"]
    assert effects_in(summary)[TISSUE].estimate == pytest.approx((whole - grey).mean(), abs=2e-4)

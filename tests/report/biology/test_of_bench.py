"""The page "Biology" of a bench and of a file: of the right configuration, on all test observations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest

from prestige.analysis.analyse import analyse
from prestige.biology.settings import BiologyConfig
from prestige.errors import PrestigeError
from prestige.records.folders import load_bench
from prestige.report import write_report
from prestige.report.biology.of_bench import bench_biology, check_biology, read_biology, write_file_biology
from prestige.report.style import with_units

pytestmark = pytest.mark.usefixtures("empty_figures")


def ask(bench: Path, text: str) -> None:
    with (bench / "bench.yaml").open("a") as file:
        file.write(text)


def found(bench: Path, out: Path) -> dict[str, Any]:
    return bench_biology(analyse(bench), out)


def test_a_bench_that_does_not_ask_has_no_page(tiny_bench: Path, tmp_path: Path) -> None:
    assert found(tiny_bench, tmp_path / "report") == {}
    assert not (tmp_path / "report").exists()


def test_the_page_is_of_the_recommended_configuration_on_all_folds(tiny_bench: Path, tmp_path: Path) -> None:
    ask(tiny_bench, "biology: {note: rendered from two stains}\n")
    told = found(tiny_bench, tmp_path / "report")
    assert told["label"].startswith("compact_s")
    record = json.loads((tmp_path / "report" / "biology" / "biology.json").read_text())
    assert record["schema"] == "prestige.biology/1"
    text = (tmp_path / "report" / told["link"]).read_text()
    assert "rendered from two stains" in text
    assert "<dt>observations</dt><dd>600 of 2 sections: S1 (300), S2 (300)</dd>" in text  # both folds
    assert (record["n_observations"], record["samples"]) == (600, ["S1", "S2"])
    assert f"Scores: {record['sentences']['scores'][0]}" in told["findings"]
    assert told["findings"][0] == f"Structure in space: {with_units(record['sentences']['structure'][0])}"


def test_the_page_says_of_which_trainings_it_is(tiny_bench: Path, tmp_path: Path) -> None:
    ask(tiny_bench, "biology: {}\n")
    told = found(tiny_bench, tmp_path / "report")
    text = (tmp_path / "report" / told["link"]).read_text()
    assert "Predictions are of seed 0 alone, the first, and of 2 folds, each tested by its own model" in text


def test_a_fold_that_is_not_there_leaves_no_page(tiny_bench: Path, tmp_path: Path) -> None:
    ask(tiny_bench, "biology: {}\n")
    told = found(tiny_bench, tmp_path / "report")
    opened = load_bench(tiny_bench)
    for run in opened.runs:
        if run.configuration.label == told["label"] and run.fold == 1:
            for path in run.folder.predictions.glob("*.h5ad"):
                path.unlink()
    assert found(tiny_bench, tmp_path / "again") == {}
    assert not (tmp_path / "again").exists()


def test_the_report_links_to_it(tiny_bench: Path) -> None:
    ask(tiny_bench, "biology: {}\n")
    page = write_report(tiny_bench)
    assert 'href="biology/index.html"' in page.read_text()
    assert (page.parent / "biology" / "index.html").is_file()


def test_patients_and_covariates_of_the_samples_can_be_asked_for(tiny_bench: Path, tmp_path: Path) -> None:
    info = json.loads((tiny_bench / "bench.json").read_text())
    for sample, condition in zip(info["dataset"]["samples"], ("calm", "inflamed"), strict=True):
        sample["covariates"] = {"condition": condition}
    (tiny_bench / "bench.json").write_text(json.dumps(info))
    ask(tiny_bench, "biology: {condition: {column: condition, first: calm, second: inflamed}}\n")
    told = found(tiny_bench, tmp_path / "report")
    (line,) = [line for line in told["findings"] if line.startswith("Differences between conditions: ")]
    record = json.loads((tmp_path / "report" / "biology" / "biology.json").read_text())
    assert line.endswith(record["sentences"]["conditions"][1])  # the finding, not how it was asked
    table = (tmp_path / "report" / "biology" / "tables" / "conditions.csv").read_text()
    assert table.count("\n") == 41  # a row a gene


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("biology: {tisue: kidney}\n", "tissue"),
        ("biology: {tissue: kidny}\n", "kidney"),
        ("biology: {sets: [/nowhere.gmt]}\n", "nowhere.gmt"),
    ],
)
def test_what_is_not_there_is_said_and_the_report_stands(
    tiny_bench: Path, tmp_path: Path, text: str, words: str
) -> None:
    ask(tiny_bench, text)
    told = found(tiny_bench, tmp_path / "report")
    assert words in told["error"]
    page = write_report(tiny_bench).read_text()
    assert "There is no page of it" in page
    assert words in page


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (BiologyConfig(tissue="kidny"), "kidney"),
        (BiologyConfig.model_validate({"sets": ["/nowhere.gmt"]}), "nowhere.gmt"),
    ],
)
def test_files_and_tissues_are_looked_for_before_anything_is_trained(
    config: BiologyConfig, words: str
) -> None:
    with pytest.raises(PrestigeError, match=words):
        check_biology(config)
    check_biology(None)
    check_biology(BiologyConfig(tissue="kidney"))


def files(bench: Path) -> tuple[Path, Path]:
    run = next(path for path in (bench / "runs").iterdir() if path.name == "compact_s-64-0")
    return run / "predictions" / "S1.h5ad", bench / "truth" / "fold-0" / "S1.h5ad"


def test_anyones_file_has_a_page(tiny_bench: Path, tmp_path: Path) -> None:
    pred, truth = files(tiny_bench)
    gmt = tmp_path / "mine.gmt"
    gmt.write_text("\t".join(["mine", "first genes", *(f"GENE{i:02d}" for i in range(8))]) + "\n")
    table = anndata.read_h5ad(pred)
    del table.uns["prestige"], table.var["train_mean"]
    other = tmp_path / "other.h5ad"
    table.write_h5ad(other)
    page, study = write_file_biology(other, truth, tmp_path / "out", sets=(gmt,), scale="log1p:100")
    assert page == tmp_path / "out" / "index.html"
    assert "mine" in study.sets
    by_hand = [np.corrcoef(study.pair.predicted[:, i], study.pair.measured[:, i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(study.scores[:3], by_hand, atol=1e-5)
    # The same page again, in its own folder, but never over something else.
    config = BiologyConfig.model_validate({"sets": [gmt]})
    write_file_biology(other, truth, tmp_path / "out", scale="log1p:100", config=config)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(PrestigeError, match=r"holds 'thesis\.txt'"):
        write_file_biology(other, truth, tmp_path / "full", scale="log1p:100")
    (tmp_path / "sets").mkdir()
    config = BiologyConfig.model_validate({"sets": [gmt.rename(tmp_path / "sets" / "mine.gmt")]})
    with pytest.raises(PrestigeError, match=r"mine\.gmt"):
        write_file_biology(other, truth, tmp_path / "sets", scale="log1p:100", config=config)


def test_a_file_of_unknown_scale_is_refused(tiny_bench: Path, tmp_path: Path) -> None:
    pred, truth = files(tiny_bench)
    table = anndata.read_h5ad(pred)
    del table.uns["prestige"]
    table.write_h5ad(tmp_path / "other.h5ad")
    with pytest.raises(PrestigeError, match="scale"):
        write_file_biology(tmp_path / "other.h5ad", truth, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_paths_of_a_settings_file_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("sets: [mine.gmt]\ndomains: 4\n")
    config = read_biology(tmp_path / "b.yaml")
    assert (config.sets[0].path, config.domains) == (tmp_path / "mine.gmt", 4)

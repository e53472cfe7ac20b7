"""Which runs are compared, and with what numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.analysis.answer import answers
from prestige.analysis.frames import summary_table
from prestige.analysis.record import answer_record
from prestige.analysis.summary import comparable_folds, summarise
from prestige.records.configuration import Configuration
from prestige.records.folders import load_bench
from prestige.report.bench.page import write_report


def _key(name: str) -> Configuration:
    return Configuration(False, False, name, 16.0, 32)


def test_the_folds_that_serve_most_runs_are_compared() -> None:
    assert comparable_folds({_key("a"): {0, 1}, _key("b"): {0, 1}, _key("c"): {0}}) == {0, 1}
    assert comparable_folds({_key("a"): {0, 1}, _key("b"): {0}, _key("c"): {0}}) == {0}
    assert comparable_folds({_key("a"): {0, 2}, _key("b"): {1, 2}}) == {2}
    assert comparable_folds({}) == set()


def test_scores_are_means_over_folds_of_the_runs_own(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    table = summarise(bench).table.set_index("label")
    for label in ("compact_s at 32 µm", "resnet18 at 64 µm", "ridge at 16 µm"):
        own = [
            run.scores.query("level == 'genes' and metric == 'pearson'")["value"].item()
            for run in bench.runs
            if run.configuration.label == label
        ]
        assert len(own) == 2
        assert table.at[label, "score"] == pytest.approx(sum(own) / 2, abs=1e-6)


def test_pretrained_encoders_are_answered_apart(tiny_bench: Path) -> None:
    for path in (tiny_bench / "runs").glob("resnet18-*/manifest.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"pretrained": True}))
    bench = load_bench(tiny_bench)
    scratch, pretrained = answers(bench, summarise(bench))
    assert scratch.best.label == "compact_s at 64 µm"
    assert pretrained.best.label == "resnet18 (pretrained) at 64 µm"
    assert set(scratch.baselines) == set(pretrained.baselines) == {"ridge", "training mean"}
    assert not {key.encoder for key in scratch.tied or ()} & {"resnet18"}


def test_models_that_differ_in_more_than_the_encoder_are_no_seeds_of_one_another(tiny_bench: Path) -> None:
    for path in (tiny_bench / "runs").glob("resnet18-*/manifest.json"):
        changes = {"encoder": "compact_s", "variant": "readout whole"}
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    table = summarise(load_bench(tiny_bench)).table.set_index("label")
    assert table.at["compact_s at 64 µm", "n_seeds"] == 1
    plain, other = (
        table.at[f"{name} at 64 µm", "score"] for name in ("compact_s", "compact_s (readout whole)")
    )
    assert plain > other + 0.05


def test_a_gene_predicted_constant_in_one_sample_counts_zero_there(tiny_bench: Path) -> None:
    path = tiny_bench / "runs" / "compact_s-64-0" / "scores.parquet"
    scores = pd.read_parquet(path)
    here = (scores["name"] == "GENE00") & scores["metric"].isin(["pearson", "spearman"])
    scores.loc[here, "value"] = np.nan
    scores.to_parquet(path)
    other = pd.read_parquet(tiny_bench / "runs" / "compact_s-64-1" / "scores.parquet")
    other = other.query("name == 'GENE00' and metric == 'pearson'")["value"].item()
    summary = summarise(load_bench(tiny_bench))
    genes = summary.genes[[key.label == "compact_s at 64 µm" for key in summary.genes["configuration"]]]
    genes = genes.set_index("gene")
    assert genes.at["GENE00", "pearson"] == pytest.approx(other / 2)
    assert np.isnan(genes.at["GENE39", "pearson"])  # constant in every sample: NaN in the table
    table = summary_table(summary)
    best = table[table["encoder"].eq("compact_s") & table["patch_um"].eq(64)]
    varies = genes.drop(index="GENE38")["spearman"].fillna(0.0)
    assert best["spearman_mean_over_genes"].item() == pytest.approx(varies.mean())


def test_seeds_are_averaged(tiny_bench: Path) -> None:
    runs = tiny_bench / "runs"
    info = json.loads((tiny_bench / "bench.json").read_text())
    for fold in (0, 1):  # a second seed of one configuration: the runs of a weaker one, renamed
        manifest = json.loads((runs / f"resnet18-32-{fold}" / "manifest.json").read_text())
        manifest |= {"encoder": "compact_s", "patch_um": 64.0, "input_px": 128, "seed": 1}
        (runs / f"resnet18-32-{fold}" / "manifest.json").write_text(json.dumps(manifest))
    (tiny_bench / "bench.json").write_text(json.dumps(info))
    bench = load_bench(tiny_bench)
    row = summarise(bench).table.set_index("label").loc["compact_s at 64 µm"]
    own = [
        run.scores.query("level == 'genes' and metric == 'pearson'")["value"].item()
        for run in bench.runs
        if run.configuration.label == "compact_s at 64 µm"
    ]
    assert row["n_seeds"] == 2
    assert len(own) == 4
    assert row["score"] == pytest.approx(sum(own) / 4, abs=1e-6)


def test_a_diagnostic_has_a_score_and_is_compared_with_nothing(tiny_bench: Path) -> None:
    # The best predictions of all, as those of a diagnostic that reads the test side's own RNA.
    for fold in (0, 1):
        path = tiny_bench / "runs" / f"compact_s-64-{fold}" / "manifest.json"
        changes = {"encoder": "diagnostic:depth", "baseline": True, "diagnostic": True, "patch_um": None}
        path.write_text(json.dumps(json.loads(path.read_text()) | changes | {"input_px": None}))
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    row = summary.table.set_index("label").loc["depth (diagnostic)"]
    others = summary.table[summary.table["label"] != "depth (diagnostic)"]
    own = [
        run.scores.query("level == 'genes' and metric == 'pearson'")["value"].item()
        for run in bench.runs
        if run.configuration.diagnostic
    ]
    assert row["score"] == pytest.approx(sum(own) / 2, abs=1e-6)
    assert row["score"] == summary.table["score"].max()
    assert not row["best"]
    assert row["tied"] is None
    assert row["low"] < row["score"] < row["high"]
    assert others["best"].sum() == 1
    assert all(not key.diagnostic for group in summary.groups for key in group.results)
    (answer,) = answers(bench, summary)
    assert answer.best.label == "compact_s at 32 µm"
    assert set(answer.baselines) == {"ridge", "training mean"}
    assert "depth" not in json.dumps(answer_record(summary, answer))
    table = summary_table(summary).set_index("encoder")
    assert table.at["diagnostic:depth", "pearson"] == row["score"]


def test_a_diagnostic_alone_is_still_reported(tiny_bench: Path) -> None:
    for path in (tiny_bench / "runs").glob("*/manifest.json"):
        changes = {"encoder": "diagnostic:depth", "baseline": True, "diagnostic": True, "patch_um": None}
        path.write_text(json.dumps(json.loads(path.read_text()) | changes | {"input_px": None}))
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    assert summary.groups == []
    assert answers(bench, summary) == []
    assert summary.table["score"].notna().all()
    assert "depth (diagnostic)" in write_report(tiny_bench).read_text(encoding="utf-8")

"""Averages over seeds, samples and folds, against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.analysis.values import GENE_METRICS, gene_table, gene_values, observation_table, with_zeros
from prestige.records.configuration import Configuration
from prestige.records.folders import load_bench
from prestige.records.manifest import Manifest
from prestige.records.run import Run, RunFolder
from prestige.stats.moments import Moments

KEY = Configuration(pretrained=False, baseline=False, encoder="compact_s", patch_um=32.0, input_px=64)


def run(fold: int, pearson: dict[str, float], *, sample: str, r2: float | None = 0.1, seed: int = 0) -> Run:
    rows = []
    for gene, value in pearson.items():
        rows += [(sample, "gene", gene, metric, value) for metric in ("pearson", "spearman")]
        rows += [
            (sample, "gene", gene, "r2", np.nan if r2 is None else r2),
            (sample, "gene", gene, "mse", 1.0),
        ]
    rows.append((sample, "obs", "all", "pearson", 0.5 + fold))
    scores = pd.DataFrame(rows, columns=["sample", "level", "name", "metric", "value"])
    none = np.zeros((1, 1))
    sums = Moments(np.array(["s"]), np.zeros(1, int), np.ones(1, int), none, none, none, none, none, ("A",))
    manifest = Manifest(encoder="resnet18", fold=fold, seed=seed)
    return Run(RunFolder(Path("nowhere")), manifest, scores, pd.DataFrame(), sums)


def test_genes_are_averaged_over_seeds_then_over_samples_and_folds() -> None:
    runs = [
        run(0, {"A": 0.2}, sample="S1", seed=0),
        run(0, {"A": 0.4}, sample="S1", seed=1),
        run(1, {"A": 0.9}, sample="S2", seed=0),
    ]
    (row,) = gene_table({KEY: runs}).to_dict("records")
    assert (row["configuration"], row["gene"]) == (KEY, "A")
    assert row["pearson"] == pytest.approx(((0.2 + 0.4) / 2 + 0.9) / 2)  # not (0.2 + 0.4 + 0.9) / 3


def test_a_constant_prediction_counts_nothing_and_a_constant_truth_is_left_out() -> None:
    lost = run(0, {"A": np.nan}, sample="S1")  # R2 is there: the truth varies
    constant = run(1, {"A": np.nan}, sample="S2", r2=None)
    good = run(2, {"A": 0.6}, sample="S3")
    (row,) = gene_table({KEY: [lost, constant, good]}).to_dict("records")
    assert row["pearson"] == pytest.approx((0.0 + 0.6) / 2)
    (alone,) = gene_table({KEY: [lost]}).to_dict("records")
    assert np.isnan(alone["pearson"])  # in the table
    as_means = gene_values([(0, lost.scores)])
    assert as_means.loc["A", "pearson"] == 0.0  # in means: rule 5
    mixed = gene_values((one.fold, one.scores) for one in (lost, constant, good))
    assert mixed.loc["A", "pearson"] == row["pearson"]
    assert np.isnan(gene_values([(1, constant.scores)]).loc["A", "pearson"])


def test_zeros_stand_only_where_the_truth_varies() -> None:
    table = pd.DataFrame(
        {"pearson": [np.nan, np.nan, 0.3], "spearman": [0.1, np.nan, np.nan], "r2": [0.0, np.nan, 0.2]}
    )
    found = with_zeros(table)
    np.testing.assert_array_equal(found["pearson"], [0.0, np.nan, 0.3])
    np.testing.assert_array_equal(found["spearman"], [0.1, np.nan, 0.0])


def test_observations_are_averaged_over_samples() -> None:
    found = observation_table({KEY: [run(0, {"A": 0.1}, sample="S1"), run(1, {"A": 0.1}, sample="S2")]})
    assert found.to_dict("records") == [{"configuration": KEY, "metric": "pearson", "value": 1.0}]


def test_without_runs_the_tables_are_empty() -> None:
    assert list(gene_table({})) == ["configuration", "gene", *GENE_METRICS]
    assert observation_table({}).empty


def test_the_table_of_a_bench_has_each_gene_once_a_configuration(tiny_bench: Path) -> None:
    runs = load_bench(tiny_bench).runs
    found = gene_table({KEY: [one for one in runs if one.manifest.encoder == "resnet18"]})
    assert not found["gene"].duplicated().any()
    assert found.set_index("gene").loc["GENE38", list(GENE_METRICS)[:3]].isna().all()  # its truth is constant

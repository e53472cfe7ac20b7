"""The official figures: worked out by hand, and by scipy on tables that nobody chose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prestige.challenge.scoring import score
from prestige.errors import DataError

GENES = list("ABCD")


def write_truth(folder: Path, sample: str, ids: list[int], values: Any, group: str = "test") -> None:
    folder.mkdir(exist_ok=True)
    frame = pd.DataFrame(values, index=pd.Index(ids, name="cell_id"), columns=GENES)
    frame.to_csv(folder / f"{group}-{sample}.csv")


def write_submission(path: Path, predicted: dict[str, tuple[list[int], Any]]) -> Path:
    rows = [
        (cell, gene, value, sample)
        for sample, (ids, values) in predicted.items()
        for cell, row in zip(ids, np.asarray(values), strict=True)
        for gene, value in zip(GENES, row, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["cell_id", "gene", "prediction", "sample"])
    frame.sample(frac=1, random_state=0).to_parquet(path, index=False)
    return path


def by_hand(folder: Path) -> Path:
    """Write two samples whose figures follow below with pencil and paper."""
    write_truth(folder, "UC1_I", [1, 2, 3], [[0, 1, 2, 3], [0, 1, 2, 3], [0, 0, 1, 1]])
    write_truth(folder, "UC1_NI", [1], [[1, 1, 1, 1]])
    (folder / "region-cell_id-map.csv").write_text(
        ",region_id,tissue_id,cell_id\n0,r1,UC1_Infl,1\n1,r1,UC1_Infl,2\n2,r2,UC1_Infl,3\n3,r1,UC1_NonInfl,1\n"
    )
    return write_submission(
        folder / "s.parquet",
        {
            "UC1_I": ([3, 1, 2, 99], [[0, 0, 1, 2], [0, 1, 2, 3], [3, 2, 1, 0], [5, 5, 5, 5]]),
            "UC1_NI": ([1], [[0, 1, 2, 1]]),
        },
    )


def test_the_figures_by_hand(tmp_path: Path) -> None:
    found = score(by_hand(tmp_path), tmp_path)
    regions = found.regions.set_index(["sample", "region"])
    # Region r1: correlations 1 (cell 1) and -1 (cell 2), squared errors 0 and (9 + 1 + 1 + 9) / 4 = 5.
    assert regions.loc[("UC1_I", "r1"), "spearman"] == pytest.approx(0, abs=1e-15)
    assert regions.loc[("UC1_I", "r1"), "mse"] == 2.5
    # Region r2: ranks 1.5 1.5 3.5 3.5 against 1.5 1.5 3 4: deviations -1 -1 1 1 and -1 -1 .5 1.5,
    # covariance 4 / 4, variances 1 and 4.5 / 4, so 1 / sqrt(1.125).
    assert regions.loc[("UC1_I", "r2"), "spearman"] == pytest.approx(1 / np.sqrt(1.125))
    assert regions.loc[("UC1_I", "r2"), "mse"] == 0.25
    # A constant truth has no ranks: the correlation counts 0.
    assert regions.loc[("UC1_NI", "r1"), "spearman"] == 0
    assert regions.loc[("UC1_NI", "r1"), "mse"] == 0.5
    # Means over regions, not over cells; then over samples, not over regions.
    samples = found.samples.set_index("sample")
    assert samples.loc["UC1_I", "mse"] == (2.5 + 0.25) / 2
    assert found.mse == ((2.5 + 0.25) / 2 + 0.5) / 2
    assert found.spearman == pytest.approx(1 / np.sqrt(1.125) / 2 / 2)
    assert not found.counts
    assert found.summary()["samples"][1] == {"sample": "UC1_NI", "n_cells": 1, "spearman": 0.0, "mse": 0.5}
    assert found.group == "test"


def official(pred: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Work the figures of a region out with scipy, cell by cell."""
    found = []
    for p, t in zip(pred, truth, strict=True):
        flat = len(set(p)) == 1 or len(set(t)) == 1
        found.append(0.0 if flat else stats.spearmanr(p, t).statistic)
    return float(np.mean(found)), float(np.mean((pred - truth) ** 2))


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_any_table_as_scipy_has_it(tmp_path_factory: pytest.TempPathFactory, seed: int, n_cells: int) -> None:
    folder = tmp_path_factory.mktemp("scored")
    rng = np.random.default_rng(seed)
    truth, pred = np.log1p(rng.poisson(0.8, (n_cells, 4))), rng.integers(0, 300, (n_cells, 4)) / 100
    ids = rng.choice(1000, n_cells, replace=False) + 1
    write_truth(folder, "DC5", ids.tolist(), truth)
    found = score(write_submission(folder / "s.parquet", {"DC5": (ids.tolist(), pred)}), folder)
    spearman, mse = official(pred, truth)
    assert found.spearman == pytest.approx(spearman, abs=1e-12)
    assert found.mse == pytest.approx(mse, rel=1e-12)
    assert any("each sample counts as one region" in note for note in found.notes)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    path = by_hand(tmp_path)
    with (tmp_path / "region-cell_id-map.csv").open("a") as file:
        file.write("4,r9,UC1_Infl,1234\n")
    write_truth(tmp_path, "UC1_NI", [1, 8], [[1, 1, 1, 1], [0, 0, 1, 1]])
    frame = pd.concat(
        [
            pd.read_parquet(path),
            pd.DataFrame({"cell_id": 8, "gene": GENES, "prediction": 1.0, "sample": "UC1_NI"}),
            pd.DataFrame({"cell_id": 8, "gene": GENES, "prediction": 1.0, "sample": "DC1"}),
        ]
    )
    frame.to_parquet(path, index=False)
    notes = "\n".join(score(path, tmp_path).notes)
    assert "sample 'UC1_I': 1 (r9) regions without a measured cell are left out" in notes
    assert "sample 'UC1_NI': 1 measured cells lie in no region" in notes
    assert "sample 'DC1' of the submission is not among the measured" in notes


def test_faults_of_truth_and_submission(tmp_path: Path) -> None:
    path = by_hand(tmp_path)
    write_truth(tmp_path, "UC9_I", [5], [[0, 1, 2, 3]])
    write_truth(tmp_path, "DC5", [5], [[0, 1, 2, -3]])
    with pytest.raises(DataError) as told:
        score(path, tmp_path)
    assert len(told.value.faults) == 3  # a number below 0, and two samples without regions
    for sample in ("UC9_I", "DC5"):
        (tmp_path / f"test-{sample}.csv").unlink()
    frame = pd.read_parquet(path)
    frame[frame["sample"] != "UC1_NI"].to_parquet(path, index=False)
    with pytest.raises(DataError, match="sample 'UC1_NI': is not predicted"):
        score(path, tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        score(path, tmp_path / "absent")


def test_submission_and_folder_are_looked_at_together(tmp_path: Path) -> None:
    (tmp_path / "s.tsv").write_text("")
    for name, what in (
        ("s.tsv", "ends with '.tsv'; expected a submission"),
        ("s.csv", "no such file; expected a"),
    ):
        with pytest.raises(DataError) as told:
            score(tmp_path / name, tmp_path)
        first, second = map(str, told.value.faults)
        assert f"{name}: {what}" in first
        assert "holds no measured expression" in second


def test_cells_of_other_ids_are_refused(tmp_path: Path) -> None:
    path = by_hand(tmp_path)
    (tmp_path / "region-cell_id-map.csv").write_text(
        "region_id,tissue_id,cell_id\nr1,UC1_Infl,77\nr1,UC1_NonInfl,1\n"
    )
    with pytest.raises(DataError, match="no measured cell of sample 'UC1_I' lies in a region"):
        score(path, tmp_path)

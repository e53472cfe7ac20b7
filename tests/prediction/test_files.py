from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest

from prestige.data.observations import Observations
from prestige.data.panel import Panel
from prestige.errors import ModelError, StorageError
from prestige.prediction.files import write_predictions, write_truth


@pytest.fixture
def observations(small_samples) -> Observations:
    rows = np.array([1, 5, 7, 2])
    number = np.array([0, 2, 2, 0])
    xy = np.stack([small_samples[n].xy_px[r] for n, r in zip(number, rows, strict=True)])
    return Observations(number, rows, xy)


PANEL = Panel(("G3", "G1"), 100.0, np.array([0.5, 0.25]), np.array([1.0, 2.0]))


def test_each_sample_gets_its_rows_with_names_places_and_means(
    small_samples, observations: Observations, tmp_path: Path
) -> None:
    prediction = np.arange(8, dtype=np.float32).reshape(4, 2)
    files = write_predictions(
        tmp_path, prediction, observations, small_samples, PANEL, {"encoder": "e", "x": None}
    )
    assert files == [tmp_path / "S0.h5ad", tmp_path / "S2.h5ad"]
    table = ad.read_h5ad(files[1])
    assert list(table.obs_names) == ["s2-5", "s2-7"]
    assert list(table.var_names) == ["G3", "G1"]
    np.testing.assert_array_equal(table.X, [[2, 3], [4, 5]])
    np.testing.assert_array_equal(table.obsm["spatial"], small_samples[2].xy_px[[5, 7]])
    np.testing.assert_array_equal(table.var["train_mean"], [0.5, 0.25])
    np.testing.assert_array_equal(table.var["train_std"], [1.0, 2.0])
    assert table.uns["prestige"]["schema"] == "prestige.prediction/1"
    assert table.uns["prestige"]["normalisation"]["total"] == 100.0
    assert dict(table.uns["prestige"]["model"]) == {"encoder": "e"}


def test_truth_is_raw_counts_of_all_genes_with_the_totals_they_are_scaled_by(
    small_samples, observations: Observations, tmp_path: Path
) -> None:
    files = write_truth(tmp_path, observations, small_samples)
    table = ad.read_h5ad(files[0])
    sample = small_samples[0]
    np.testing.assert_array_equal(table.X.toarray(), sample.counts[[1, 2]].toarray())
    np.testing.assert_array_equal(table.obs["total_counts"], sample.obs["total_counts"].iloc[[1, 2]])
    assert list(table.var_names) == list(sample.genes)
    assert table.uns["um_per_px"] == sample.um_per_px


def test_truth_keeps_annotations_and_the_columns_given(
    small_samples, observations: Observations, tmp_path: Path
) -> None:
    columns = {"eosin": np.arange(len(observations)) / 10}
    files = write_truth(tmp_path, observations, small_samples, columns=columns)
    tables = [ad.read_h5ad(file) for file in files]
    np.testing.assert_array_equal(tables[0].obs["group"], small_samples[0].obs["group"].iloc[[1, 2]])
    for table, number in zip(tables, (0, 2), strict=True):
        of_sample = columns["eosin"][observations.slide_index == number]
        np.testing.assert_array_equal(table.obs["eosin"], of_sample)
    assert set(tables[0].obs.columns) == {"sample", "group", "total_counts", "eosin"}


def test_a_full_disk_leaves_nothing_half_written(
    small_samples, observations: Observations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Any, group: str, table: Any) -> None:
        file.create_dataset("X", data=np.ones(1000))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ad.io, "write_elem", full)
    with pytest.raises(StorageError, match=r"S0.h5ad: the disk is full; free some disk space"):
        write_truth(tmp_path / "truth", observations, small_samples)
    assert list((tmp_path / "truth").iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_expression_that_is_not_finite_is_not_written(
    value: float, small_samples, observations: Observations, tmp_path: Path
) -> None:
    prediction = np.ones((4, 2), np.float32)
    prediction[3, 1] = value
    with pytest.raises(ModelError, match=r"S0\.h5ad: 1 of 4 predicted numbers are NaN or infinite"):
        write_predictions(tmp_path, prediction, observations, small_samples, PANEL, {})
    assert list(tmp_path.iterdir()) == []

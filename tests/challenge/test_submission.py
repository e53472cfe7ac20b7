"""Models -> the long table: every validation and test cell, several models averaged, genes that lack."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.challenge.stores import prepare
from prestige.challenge.submission import submit
from prestige.errors import DataError, ModelError, StorageError

from .small_stores import write_model, write_stores


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRESTIGE_CACHE", str(tmp_path / "cache"))
    return prepare(write_stores(tmp_path / "stores"), um_per_px=0.5)[0]


def test_every_held_out_cell_of_every_sample(dataset: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", (0.254, 1.0, 2.0))
    found = submit([model], dataset, tmp_path / "s.parquet", device="cpu")
    table = pd.read_parquet(found.path)
    assert found.cells == {"DC1": 2, "UC1_I": 2, "UC1_NI": 2}
    assert found.n_rows == len(table) == 18
    assert list(table.columns) == ["cell_id", "gene", "prediction", "sample"]
    for sample in found.cells:
        wide = table[table["sample"] == sample].pivot(index="cell_id", columns="gene", values="prediction")
        assert list(wide.index) == [5, 11]  # test and validation, none that was trained on
        np.testing.assert_array_equal(wide[["EPCAM", "PTPRC", "ACTA2"]], [[0.25, 1.0, 2.0]] * 2)
    assert any("not among these: UC6_I, UC6_NI, UC7_I, UC9_I, DC5" in note for note in found.notes)


def test_a_section_without_any_table_is_predicted_whole(dataset: Path, tmp_path: Path) -> None:
    tables = dataset.parent / "DC1.zarr" / "tables"
    shutil.rmtree(tables)
    model = write_model(tmp_path / "model", (0.254, 1.0, 2.0))
    found = submit([model], dataset, tmp_path / "s.parquet", device="cpu")
    assert found.cells == {"DC1": 5, "UC1_I": 2, "UC1_NI": 2}  # one label more than the table listed
    table = pd.read_parquet(found.path)
    assert sorted(table.loc[table["sample"] == "DC1", "cell_id"].unique()) == [3, 5, 7, 11, 99]
    assert "sample 'DC1' names no groups of cells: all its cells are predicted" in found.notes


def test_several_models_are_averaged_gene_by_gene(dataset: Path, tmp_path: Path) -> None:
    one = write_model(tmp_path / "one", (0.5, 1.0, 2.0))
    other = write_model(tmp_path / "other", (2.0, 1.5, 9.0), ("ACTA2", "EPCAM", "OTHER"))
    found = submit([one, other], dataset, tmp_path / "s.csv", device="cpu")
    means = pd.read_csv(found.path).groupby("gene")["prediction"].unique()
    assert {gene: list(values) for gene, values in means.items()} == {
        "EPCAM": [1.0],  # (0.5 + 1.5) / 2
        "PTPRC": [1.0],  # of the first alone
        "ACTA2": [2.0],
    }
    assert any("1 (PTPRC) genes are predicted by some of the models only" in note for note in found.notes)
    assert any("1 (OTHER) genes of the models are none of the challenge" in note for note in found.notes)


def test_genes_that_no_model_predicts(dataset: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", (0.5, 1.0), ("EPCAM", "ACTA2"))
    with pytest.raises(ModelError, match=r"no model predicts 1 \(PTPRC\) of the 3 genes; .*--fill mean"):
        submit([model], dataset, tmp_path / "s.parquet", device="cpu")
    assert not (tmp_path / "s.parquet").exists()
    zero = submit([model], dataset, tmp_path / "zero.parquet", fill="zero", device="cpu")
    assert any("1 (PTPRC) genes that no model predicts: 0 stands for them" in note for note in zero.notes)
    mean = submit([model], dataset, tmp_path / "mean.parquet", fill="mean", device="cpu")
    # Counts of PTPRC in the two training cells of each measured store: 0 of 5 (cell 3), 5 of 7 (cell 7).
    expected = round(float(np.log1p(100 * 5 / 7) / 2), 2)
    for found, value in ((zero, 0.0), (mean, expected)):
        table = pd.read_parquet(found.path)
        assert set(table.loc[table["gene"] == "PTPRC", "prediction"]) == {value}
        assert set(table.loc[table["gene"] == "ACTA2", "prediction"]) == {1.0}


def test_models_of_another_scale_or_other_genes_are_refused(dataset: Path, tmp_path: Path) -> None:
    scaled = write_model(tmp_path / "scaled", (1.0, 1.0, 1.0), total=10_000.0)
    with pytest.raises(ModelError, match=r"scaled: predicts log1p of counts scaled to 10000; .*total: 100"):
        submit([scaled], dataset, tmp_path / "s.parquet", device="cpu")
    strange = write_model(tmp_path / "strange", (1.0,), ("ENSG1",))
    with pytest.raises(ModelError, match="no model predicts a gene of the challenge; expected genes such as"):
        submit([strange], dataset, tmp_path / "s.parquet", fill="zero", device="cpu")


def test_nothing_is_overwritten(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("mine")
    with pytest.raises(StorageError, match="is there already"):
        submit([tmp_path / "absent"], dataset, tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text() == "mine"


def test_models_and_data_set_are_looked_at_together(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as told:
        submit([tmp_path / "a", tmp_path / "b"], tmp_path / "d.yaml", tmp_path / "s.csv")
    assert [fault.where for fault in told.value.faults] == [
        str(tmp_path / name) for name in ("a", "b", "d.yaml")
    ]


def test_a_data_set_of_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ..small_sources import hest

    monkeypatch.setenv("PRESTIGE_CACHE", str(tmp_path / "cache"))
    hest(tmp_path)
    model = write_model(tmp_path / "model", (1.0, 1.0), ("EPCAM", "PTPRC"))
    text = "name: d\nsamples: [{id: S1, source: hest, path: hest, patient: P}]\n"
    (tmp_path / "d.yaml").write_text(text)
    with pytest.raises(DataError, match="sample 'S1': obs has no column 'group'; expected a store of the"):
        submit([model], tmp_path / "d.yaml", tmp_path / "s.csv", device="cpu")

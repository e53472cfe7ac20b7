"""A folder of stores -> dataset.yaml."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from prestige.challenge.stores import prepare
from prestige.data.dataset import open_dataset, read_dataset
from prestige.errors import ConfigError, DataError, StorageError

from .small_stores import write_stores


def test_the_stores_of_a_folder_become_a_data_set(tmp_path: Path) -> None:
    folder = write_stores(tmp_path / "stores")
    (folder / "notes").mkdir()
    (folder / "notes.txt").write_text("mine")
    path, text = prepare(folder, um_per_px=0.425)
    assert path == folder / "dataset.yaml"
    assert path.read_text() == text
    config = read_dataset(path)
    found = {sample.id: (sample.patient, dict(sample.covariates)) for sample in config.samples}
    assert found == {
        "DC1": ("DC1", {"disease": "diverticulitis"}),
        "UC1_I": ("UC1", {"condition": "inflamed", "disease": "ulcerative colitis"}),
        "UC1_NI": ("UC1", {"condition": "non-inflamed", "disease": "ulcerative colitis"}),
    }
    assert {sample.um_per_px for sample in config.samples} == {0.425}
    assert [sample.id for sample in config.samples if sample.prediction_only] == ["DC1"]
    assert "# 4 cells (2 train, 1 validation, 1 test); 2 measured in 3 genes\n  - id: UC1_I" in text
    assert "# 4 cells (2 train, 1 validation, 1 test); no expression\n  - id: DC1" in text
    trained = open_dataset(config, cache_dir=tmp_path / "cache")
    assert [sample.id for sample in trained.samples] == ["UC1_I", "UC1_NI"]
    predicted = open_dataset(config, cache_dir=tmp_path / "cache", counts="optional")
    assert [sample.n_obs for sample in predicted.samples] == [4, 4, 4]


def test_nothing_is_overwritten_and_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    folder = write_stores(tmp_path / "stores", ("UC1_I",))
    _, text = prepare(folder, dry_run=True)
    assert "1 section of" in text
    assert "um_per_px: " not in text.partition("samples:")[2]
    assert [path.name for path in folder.iterdir()] == ["UC1_I.zarr"]
    (folder / "dataset.yaml").write_text("mine")
    with pytest.raises(StorageError, match=r"dataset.yaml: is there already; name another"):
        prepare(folder)
    assert (folder / "dataset.yaml").read_text() == "mine"
    other, _ = prepare(folder, tmp_path / "else" / "where.yaml")
    (sample,) = read_dataset(other).samples
    assert sample.path == (folder / "UC1_I.zarr").resolve()


@pytest.mark.parametrize("name", ["no", "${HOME}", "\u00b2 x"])
def test_stores_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    folder = write_stores(tmp_path / name, ("UC1_I",))
    path, text = prepare(folder, tmp_path / "dataset.yaml")
    assert read_dataset(path).samples[0].path == (folder / "UC1_I.zarr").resolve()
    assert f"{name}/UC1_I.zarr" in yaml.safe_load(text)["samples"][0]["path"]


def test_the_large_variant_is_said(tmp_path: Path) -> None:
    folder = write_stores(tmp_path, ("UC7_I",))
    (folder / "UC7_I.zarr" / "points" / "transcripts").mkdir(parents=True)
    assert "; the large variant\n" in prepare(folder, dry_run=True)[1]


def test_a_section_without_any_table_is_for_prediction(tmp_path: Path) -> None:
    folder = write_stores(tmp_path, ("DC1",))
    shutil.rmtree(folder / "DC1.zarr" / "tables")
    text = prepare(folder, dry_run=True)[1]
    assert "# H&E alone: a cell for each label; no expression\n  - id: DC1" in text
    assert "prediction_only: true" in text


def test_every_fault_of_every_store_is_told(tmp_path: Path) -> None:
    folder = write_stores(tmp_path / "stores", ("UC1_I", "UC6_I"))
    shutil.rmtree(folder / "UC1_I.zarr" / "tables" / "cell_id-group")
    shutil.rmtree(folder / "UC6_I.zarr" / "images" / "HE_nuc_original")
    with pytest.raises(DataError) as told:
        prepare(folder)
    assert len(told.value.faults) == 2
    assert "UC1_I.zarr: missing: tables/cell_id-group" in str(told.value)
    assert "UC6_I.zarr: missing: images/HE_nuc_original" in str(told.value)
    assert not (folder / "dataset.yaml").exists()


def test_a_folder_without_stores(tmp_path: Path) -> None:
    folder = write_stores(tmp_path / "stores", ("UC1_I",))
    with pytest.raises(DataError, match=r"UC1_I.zarr: is one store; .* name the folder above: .*stores"):
        prepare(folder / "UC1_I.zarr")
    with pytest.raises(DataError, match="no such folder"):
        prepare(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "UC1_I.zarr.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"holds no store of the challenge; .* unpack UC1_I.zarr.zip first"):
        prepare(tmp_path / "empty")


def test_a_section_is_there_once(tmp_path: Path) -> None:
    folder = write_stores(tmp_path / "stores", ("UC1_I",))
    shutil.copytree(folder / "UC1_I.zarr", folder / "UC1_I")
    with pytest.raises(DataError, match=r"UC1_I.zarr: is named like 'UC1_I'; expected every section once"):
        prepare(folder)


def test_a_name_that_no_sample_may_have_is_told(tmp_path: Path) -> None:
    folder = write_stores(tmp_path / "stores", ("UC 1: I",))
    with pytest.raises(ConfigError, match="samples"):
        prepare(folder)


@pytest.mark.skipif(find_spec("spatialdata") is None, reason="needs spatialdata")
def test_real_tissue_in_the_challenges_layout(shared_data: Path, tmp_path: Path) -> None:
    """A crop of the pancreas, written by the tool that writes the whole as a store of the challenge."""
    tool = shared_data.parent / "tools" / "build_challenge_zarr.py"
    if not tool.is_file() or not (shared_data / "pancreas_xenium").is_dir():
        pytest.skip("no pancreas to write as a store")
    command = [sys.executable, "-W", "ignore", str(tool), str(tmp_path / "PANC.zarr")]
    crop = ["--crop", "4000", "3900", "4300", "5200"]
    subprocess.run([*command, *crop], check=True, capture_output=True, timeout=280)
    path, text = prepare(tmp_path, um_per_px=0.425)
    assert "# 616 cells (64 train, 323 validation, 13 test, 216 No_transcript-train); 64 measured" in text
    (sample,) = open_dataset(read_dataset(path), cache_dir=tmp_path / "cache").samples
    assert sample.n_obs == 616
    assert int(sample.measured.sum()) == 64
    assert len(sample.genes) == 377

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest
import yaml
import zarr

from prestige.data.dataset import open_dataset, read_dataset
from prestige.data.phantom import PhantomConfig, make_section, read_truth, write, write_phantom
from prestige.errors import ConfigError, StorageError

SMALL = PhantomConfig(size_px=220, patients=2, sections=2, replicates=2)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom(SMALL, tmp_path_factory.mktemp("phantom") / "deep" / "p")


def image(store: Path, name: str) -> np.ndarray:
    return np.asarray(zarr.open_array(store / "images" / name / "s0", mode="r")[:])


def table(store: Path, name: str) -> ad.AnnData:
    return ad.read_zarr(store / "tables" / name)


def test_dataset_lists_every_section_of_every_patient(written: Path):
    dataset = yaml.safe_load(written.read_text())
    assert [sample["id"] for sample in dataset["samples"]] == ["P1_S1", "P1_S2", "P2_S1", "P2_S2"]
    assert [sample["patient"] for sample in dataset["samples"]] == ["P1", "P1", "P2", "P2"]
    for sample in dataset["samples"]:
        assert sample["source"] == "challenge"
        assert sample["um_per_px"] == 0.5
        assert (written.parent / sample["path"]).is_dir()


def test_the_store_has_the_layout_of_the_challenge(written: Path):
    store = written.parent / "P1_S1.zarr"
    section = make_section(SMALL, 0, 0)
    assert np.array_equal(image(store, "HE_original"), section.pixels.transpose(2, 0, 1))
    nuclei = image(store, "HE_nuc_original")
    assert nuclei.shape == (1, 220, 220)
    assert np.array_equal(nuclei[0], section.label)
    cells, groups = table(store, "anucleus"), table(store, "cell_id-group")
    assert set(groups.obs["cell_id"]) == set(np.unique(section.label)) - {0}
    unmeasured = groups.obs["cell_id"][groups.obs["group"] == 4]
    assert set(cells.obs["cell_id"]) == set(groups.obs["cell_id"]) - set(unmeasured)
    assert list(cells.var["gene_symbols"]) == list(cells.var_names)
    rows = np.flatnonzero(section.measured)
    counts = cells.layers["counts"].toarray()
    assert np.array_equal(counts, section.counts[rows])
    np.testing.assert_allclose(
        cells.X.toarray(), np.log1p(counts / counts.sum(1, keepdims=True) * 100), rtol=1e-5
    )
    # Positions are in another frame, as in the challenge: a reader that trusts them goes wrong.
    assert np.corrcoef(cells.obsm["spatial"][:, 0], section.xy_px[rows, 0])[0, 1] < -0.99
    assert cells.obsm["spatial"].min() > 220


def test_the_truth_lies_beside(written: Path):
    truth = read_truth(written.parent)
    assert truth is not None
    assert truth["radius_um"] == 15.0
    assert list(truth["oracle"]) == ["8", "16", "32", "64"]
    assert truth["right_patch_um"] in (8.0, 16.0, 32.0, 64.0)
    assert sum(len(genes) for genes in truth["genes"].values()) == SMALL.n_genes
    assert truth["oracle"]["16"] == pytest.approx(
        np.mean(list(truth["oracle_by_gene"]["16"].values())), abs=1e-4
    )
    cells = ad.read_h5ad(written.parent / "truth" / "P2_S1.h5ad")
    section = make_section(SMALL, 1, 0)
    np.testing.assert_allclose(np.asarray(cells.X), section.mean, rtol=1e-6)
    np.testing.assert_allclose(cells.obs["environment"], section.environment)
    np.testing.assert_allclose(cells.obsm["spatial"], section.xy_px)
    for name in ("own", "neighbourhood", "unseen"):
        assert list(cells.var_names[cells.var["group"] == name]) == truth["genes"][name]


def test_no_truth_is_no_truth(tmp_path: Path):
    assert read_truth(tmp_path) is None
    (tmp_path / "truth.json").write_text('{"schema": "something else"}')
    assert read_truth(tmp_path) is None


def test_the_same_seed_gives_the_same_phantom_and_another_another(written: Path, tmp_path: Path):
    again = write_phantom(SMALL, tmp_path / "again")
    for name in ("truth.json", "dataset.yaml"):
        assert (again.parent / name).read_bytes() == (written.parent / name).read_bytes()
    first, second = (folder / "P2_S2.zarr" for folder in (written.parent, again.parent))
    assert np.array_equal(image(first, "HE_original"), image(second, "HE_original"))
    one, two = (table(store, "anucleus").layers["counts"] for store in (first, second))
    assert (one != two).nnz == 0
    other = make_section(SMALL.model_copy(update={"seed": 1}), 0, 0)
    assert not np.array_equal(other.pixels, make_section(SMALL, 0, 0).pixels)
    assert not np.array_equal(make_section(SMALL, 0, 1).pixels, make_section(SMALL, 0, 0).pixels)


def test_a_phantom_that_stands_is_not_made_again(written: Path, monkeypatch: pytest.MonkeyPatch):
    def never(*_: Any) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(write, "make_section", never)
    assert write_phantom(SMALL, written.parent) == written


def test_other_settings_or_other_files_are_not_overwritten(written: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="phantom of other settings"):
        write_phantom(SMALL.model_copy(update={"radius_um": 10.0}), written.parent)
    (tmp_path / "thesis.tex").write_text("do not touch")
    with pytest.raises(ConfigError, match="other files"):
        write_phantom(SMALL, tmp_path)
    with pytest.raises(ConfigError, match="is a file"):
        write_phantom(SMALL, tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_half_written_is_left(fault: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(*_: Any) -> None:
        raise fault

    monkeypatch.setattr(write, "_write_truth", fails)
    with pytest.raises((StorageError, KeyboardInterrupt)) as caught:
        write_phantom(SMALL, tmp_path / "p")
    assert list(tmp_path.iterdir()) == []
    if isinstance(fault, OSError):
        assert "the disk is full" in str(caught.value)


def test_an_empty_folder_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(write, "_write_all", lambda config, folder: (folder / "dataset.yaml").write_text("x"))
    assert write_phantom(SMALL, tmp_path).read_text() == "x"


def test_the_reader_reads_it_back(written: Path):
    dataset = open_dataset(read_dataset(written))
    sample, section = dataset.sample("P1_S1"), make_section(SMALL, 0, 0)
    np.testing.assert_allclose(sample.xy_px, section.xy_px, atol=1e-6)
    assert np.array_equal(sample.obs["measured"].to_numpy(), section.measured)
    assert np.array_equal(sample.slide.pixels, section.pixels)
    rows = np.flatnonzero(section.measured)
    assert np.array_equal(sample.counts[rows].toarray(), section.counts[rows])
    assert json.loads((written.parent / "truth.json").read_text())["config"]["seed"] == 0

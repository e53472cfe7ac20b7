"""A model and a dataset -> files with a prediction for every observation, measured or not."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

from prestige.baselines.fitted import TrainingSide, fit_baseline
from prestige.baselines.settings import BaselineConfig
from prestige.data.dataset import DatasetConfig, SampleSpec
from prestige.data.observations import all_observations
from prestige.data.panel import Panel
from prestige.data.patches.reader import Patch, PatchReader
from prestige.errors import ModelError, StorageError
from prestige.models.predictor import build_predictor
from prestige.models.settings import ModelConfig
from prestige.prediction import predict as predict_module
from prestige.prediction.bundle import read_bundle, write_bundle
from prestige.prediction.files import write_predictions
from prestige.prediction.infer import predict_observations
from prestige.prediction.predict import pixel_notes, predict_dataset, reading_order


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a run folder whose untrained model gives every gene's training mean."""
    config = ModelConfig(encoder="compact_xs")
    mean, std = np.array([0.25, 1.5]), np.array([0.5, 0.5])
    predictor = build_predictor(config, input_px=16, train_mean=mean, train_std=std, seed=0)
    panel = Panel(("G1", "G0"), 100.0, mean, std)
    folder = tmp_path / "run"
    write_bundle(folder / "model", predictor, model=config, panel=panel, patch=Patch(8.0, 16), extra={})
    return folder


def write_model(folder: Path, n_genes: int) -> tuple[Path, Panel]:
    """Write a model whose random head tells observations apart."""
    config = ModelConfig(encoder="compact_xs")
    mean, std = np.linspace(1.0, 2.0, n_genes), np.full(n_genes, 0.5)
    predictor = build_predictor(config, input_px=16, train_mean=mean, train_std=std, seed=0)
    torch.manual_seed(1)
    torch.nn.init.normal_(predictor.head.linear.weight)
    panel = Panel(tuple(f"G{k}" for k in range(n_genes)), 100.0, mean, std)
    write_bundle(folder, predictor, model=config, panel=panel, patch=Patch(8.0, 16), extra={})
    return folder, panel


@pytest.fixture(autouse=True)
def _samples(monkeypatch: pytest.MonkeyPatch, small_samples: Any, tmp_path: Path) -> None:
    listed(monkeypatch, small_samples, tmp_path / "input")


def listed(monkeypatch: pytest.MonkeyPatch, samples: Any, folder: Path) -> None:
    """Let the data set be these samples, read from the files ``<id>.h5ad`` of a folder."""
    specs = tuple(
        SampleSpec(id=one.id, source="hest", path=folder / f"{one.id}.h5ad", patient=one.id)
        for one in samples
    )
    monkeypatch.setattr(predict_module, "read_dataset", lambda path: DatasetConfig(name="d", samples=specs))
    monkeypatch.setattr(predict_module, "open_dataset", lambda config, **_: SimpleNamespace(samples=samples))


@pytest.mark.parametrize("inside", ["", "model"])
def test_every_observation_of_every_sample(
    model: Path, inside: str, tmp_path: Path, small_samples: Any
) -> None:
    written = predict_dataset(model / inside, tmp_path / "d.yaml", tmp_path / "out", device="cpu")
    assert [path.name for path in written] == [f"{sample.id}.h5ad" for sample in small_samples]
    for path, sample in zip(written, small_samples, strict=True):
        table = ad.read_h5ad(path)
        assert list(table.obs_names) == list(sample.obs.index)
        assert not sample.obs["measured"].all()
        assert list(table.var_names) == ["G1", "G0"]
        np.testing.assert_allclose(np.asarray(table.X), np.tile([0.25, 1.5], (sample.n_obs, 1)), atol=1e-6)
        np.testing.assert_array_equal(table.obsm["spatial"], sample.xy_px)
        assert table.uns["prestige"]["normalisation"]["total"] == 100.0
        assert table.uns["prestige"]["model"]["encoder"] == "compact_xs"


def test_what_is_predicted_is_what_the_network_says_of_each_observation(
    tmp_path: Path, small_samples: Any
) -> None:
    """Rows are predicted band by band, and stand in the sample's own order."""
    folder, panel = write_model(tmp_path / "model", n_genes=5)
    predict_dataset(folder, tmp_path / "d.yaml", tmp_path / "out", device="cpu")
    predictor = read_bundle(folder).predictor
    for sample in small_samples:
        reader = PatchReader([sample.slide], Patch(8.0, 16))
        expected = predict_observations(predictor, reader, all_observations([sample]))
        table = ad.read_h5ad(tmp_path / "out" / f"{sample.id}.h5ad")
        np.testing.assert_allclose(np.asarray(table.X), expected, rtol=1e-4, atol=1e-5)
        assert np.std(expected, axis=0).min() > 1e-4
        whole, model = tmp_path / "whole", {"encoder": "compact_xs", "patch_um": 8.0, "input_px": 16}
        write_predictions(whole, np.asarray(table.X), all_observations([sample]), [sample], panel, model)
        name = f"{sample.id}.h5ad"
        assert (whole / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_no_array_of_observations_by_genes_is_made(
    tmp_path: Path, small_samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, g = 3000, 4000
    sample = small_samples[0]
    xy = np.random.default_rng(0).uniform(0, 191, (n, 2))
    obs = pd.DataFrame({"measured": False, "total_counts": 0.0}, index=[f"c{i}" for i in range(n)])
    many = replace(sample, obs=obs, xy_px=xy, counts=csr_matrix((n, 4), dtype=np.float32))
    listed(monkeypatch, (many,), tmp_path / "input")
    folder, _ = write_model(tmp_path / "model", n_genes=g)
    predict_dataset(folder, tmp_path / "d.yaml", tmp_path / "first", device="cpu")  # imports, buffers
    tracemalloc.start()
    try:
        (path,) = predict_dataset(folder, tmp_path / "d.yaml", tmp_path / "out", device="cpu")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    whole = 4 * n * g  # 48 MB
    assert path.stat().st_size > whole
    assert peak < whole / 3


def test_nothing_but_predictions_is_written_over(
    model: Path, tmp_path: Path, small_samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    predict_dataset(model, tmp_path / "d.yaml", out, device="cpu")
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    predict_dataset(model, tmp_path / "d.yaml", out, device="cpu")  # over its own
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first

    ad.AnnData(np.ones((2, 2), np.float32)).write_h5ad(out / "S1.h5ad")
    (out / "S2.h5ad").write_text("notes")
    (out / "S3.h5ad").unlink()
    (out / "S3.h5ad").mkdir()
    before = [(out / f"S{k}.h5ad").read_bytes() for k in (1, 2)]
    with pytest.raises(StorageError, match=r"S1\.h5ad: is no prediction.*name another folder") as told:
        predict_dataset(model, tmp_path / "d.yaml", out, device="cpu")
    assert len(told.value.faults) == 3
    assert [(out / f"S{k}.h5ad").read_bytes() for k in (1, 2)] == before
    assert (out / "S0.h5ad").read_bytes() == first["S0.h5ad"]

    listed(monkeypatch, small_samples[:1], out)  # S0.h5ad is a prediction, and what is read
    with pytest.raises(StorageError, match=r"S0\.h5ad: is read here"):
        predict_dataset(model, tmp_path / "d.yaml", out, device="cpu")


def test_a_disk_without_room_is_met_before_anything_is_predicted(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    monkeypatch.setattr(PatchReader, "__call__", lambda *_: pytest.fail("a patch was read"))
    with pytest.raises(StorageError, match=r"S0\.h5ad: the disk is full; free some disk space"):
        predict_dataset(model, tmp_path / "d.yaml", tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


def test_a_fault_on_the_way_leaves_whole_files_only(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, calls = PatchReader.__call__, []

    def fails(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise RuntimeError("the machine ends here")
        return read(*given)

    monkeypatch.setattr(PatchReader, "__call__", fails)
    with pytest.raises(RuntimeError, match="ends here"):
        predict_dataset(model, tmp_path / "d.yaml", tmp_path / "out", device="cpu")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["S0.h5ad"]


def test_a_model_that_is_not_there_is_told_with_a_near_name(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(
        ModelError, match=r"modl: no such folder; expected a model bundle .*; did you mean 'model'\?"
    ):
        predict_dataset(tmp_path / "modl", tmp_path / "d.yaml", tmp_path / "out")


def test_a_folder_without_a_model_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"no model in the folder.*of baselines coordinates and depth keep none"
    ):
        predict_dataset(tmp_path, tmp_path / "d.yaml", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("trained_at", "words"),
    [
        (None, []),
        (0.5, []),
        ([0.25, 0.5], []),
        ([0.25, 0.3], ["as blurred as these"]),
        (0.3, ["as blurred as these"]),
    ],
)
def test_slides_coarser_than_those_of_the_training_are_named(
    small_samples: Any, trained_at: Any, words: list[str]
) -> None:
    sample = small_samples[0]
    assert sample.um_per_px == 0.5
    notes = pixel_notes([sample], trained_at)
    assert [word in note for word, note in zip(words, notes, strict=True)] == [True] * len(words)


def test_an_assumed_pixel_size_is_said(small_samples: Any) -> None:
    sample = small_samples[0]
    assumed = replace(sample, slide=replace(sample.slide, um_per_px_assumed=True))
    (note,) = pixel_notes([assumed], None)
    assert sample.id in note
    assert "0.5 um was assumed" in note


def test_bands_are_gone_through_one_after_the_other(small_samples: Any) -> None:
    observations = all_observations(small_samples)
    order = reading_order(observations, band_px=50)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(observations)))
    read = observations.take(order)
    place = read.slide_index * 1000 + read.xy_px[:, 1] // 50
    assert (np.diff(place) >= 0).all()
    same = np.diff(place) == 0
    assert (np.diff(read.xy_px[:, 0])[same] >= 0).all()


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("mean", [0.25, 1.5]),
        ("ridge", None),
        ({"frozen": "compact_xs"}, None),
        ({"hest": "compact_xs"}, None),
    ],
    ids=str,
)
def test_a_kept_baseline_predicts_new_slides_as_a_network_does(
    raw: object, wanted: list[float] | None, tmp_path: Path, small_samples: Any
) -> None:
    config = BaselineConfig.model_validate(raw)
    reader = PatchReader([sample.slide for sample in small_samples], Patch(8.0, 16))
    rng = np.random.default_rng(0)
    places = all_observations(small_samples)
    places = places.take(np.sort(rng.choice(len(places), 120, replace=False)))
    y = (
        rng.uniform(0, 2, (120, 2)).astype(np.float32)
        if wanted is None
        else np.tile(np.float32(wanted), (120, 1))
    )
    fitted = fit_baseline(config, TrainingSide(reader, places, y, rng.integers(0, 8, 120)))
    panel = Panel(("G1", "G0"), 100.0, np.array([0.25, 1.5]), np.array([0.5, 0.5]))
    write_bundle(
        tmp_path / "run" / "model", fitted, model=config, panel=panel, patch=Patch(8.0, 16), extra={}
    )
    written = predict_dataset(tmp_path / "run", tmp_path / "d.yaml", tmp_path / "out", device="cpu")
    everywhere = all_observations(small_samples)
    for number, (path, sample) in enumerate(zip(written, small_samples, strict=True)):
        table = ad.read_h5ad(path)
        assert list(table.obs_names) == list(sample.obs.index)
        assert table.uns["prestige"]["model"]["encoder"] == f"baseline:{config.label}"
        here = everywhere.take(np.flatnonzero(everywhere.slide_index == number))
        np.testing.assert_allclose(np.asarray(table.X), fitted.predict(reader, here), atol=1e-5)
        if wanted is not None:
            np.testing.assert_array_equal(np.asarray(table.X), np.tile(np.float32(wanted), (sample.n_obs, 1)))


def test_predictions_go_into_a_folder_of_their_own(
    model: Path, tmp_path: Path, small_samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "st").mkdir()
    ad.AnnData(np.ones((2, 2), np.float32)).write_h5ad(tmp_path / "st" / "measured.h5ad")
    with pytest.raises(StorageError, match="st: the folder is not empty and holds no predictions"):
        predict_dataset(model, tmp_path / "d.yaml", tmp_path / "st", device="cpu")
    for out in (model / "model", model / "model" / "new"):
        with pytest.raises(StorageError, match="is read here"):
            predict_dataset(model, tmp_path / "d.yaml", out, device="cpu")
    listed(monkeypatch, small_samples[:1], tmp_path / "input")
    predict_dataset(model, tmp_path / "d.yaml", tmp_path / "out", device="cpu")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    listed(monkeypatch, small_samples[1:2], tmp_path / "input")
    predict_dataset(model, tmp_path / "d.yaml", tmp_path / "out", device="cpu")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["S0.h5ad", "S1.h5ad", "notes.txt"]

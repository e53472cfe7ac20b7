"""A model and a dataset -> files with a prediction for every observation, measured or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata as ad
import numpy as np
import pytest

from prestige.baselines.fitted import TrainingSide, fit_baseline
from prestige.baselines.settings import BaselineConfig
from prestige.data.observations import all_observations
from prestige.data.panel import Panel
from prestige.data.patches.reader import Patch, PatchReader
from prestige.errors import ModelError
from prestige.models.predictor import build_predictor
from prestige.models.settings import ModelConfig
from prestige.prediction import predict as predict_module
from prestige.prediction.bundle import write_bundle
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


@pytest.fixture(autouse=True)
def _samples(monkeypatch: pytest.MonkeyPatch, small_samples: Any) -> None:
    monkeypatch.setattr(predict_module, "read_dataset", lambda path: path)
    monkeypatch.setattr(predict_module, "open_dataset", lambda path: SimpleNamespace(samples=small_samples))


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

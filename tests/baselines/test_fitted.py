"""Everything registered as a baseline: fitted, kept, read back, and right where the answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from prestige.baselines.fitted import fit_baseline, read_baseline
from prestige.baselines.settings import BaselineConfig
from prestige.errors import ConfigError, DataError, ModelError, StorageError
from prestige.metrics import pearson

FITTED = [
    "mean",
    "ridge",
    "coordinates",
    "depth",
    {"frozen": "compact_xs"},
    {"frozen": {"encoder": "timm:resnet10t", "readout": "whole"}},
    {"hest": {"encoder": "compact_xs"}},
]


def config(raw: object) -> BaselineConfig:
    return BaselineConfig.model_validate(raw)


@pytest.mark.parametrize("raw", FITTED, ids=str)
def test_every_baseline_predicts_saves_and_says_why(raw: object, tissue, tmp_path: Path) -> None:
    reader, places, y, blocks = tissue()
    totals = np.random.default_rng(0).uniform(10, 200, len(y))
    settings = {"block_of_train": blocks, "gap_um": 4.0, "totals": totals, "seed": 4}
    one = fit_baseline(config(raw), reader, places, y, **settings)
    new_reader, new_places, _, _ = tissue(seed=1, n=50)
    predicted = one.predict(new_reader, new_places, totals=totals[:50])
    assert predicted.shape == (50, 3)
    assert predicted.dtype == np.float32
    assert (predicted >= 0).all()
    assert one.n_parameters > 0
    described = json.loads(json.dumps(one.describe(), allow_nan=False))
    assert described["baseline"] == config(raw).label
    assert described["why"] == config(raw).entry.why
    one.save(tmp_path / "baseline.safetensors")
    again = read_baseline(tmp_path / "baseline.safetensors")
    np.testing.assert_array_equal(again.predict(new_reader, new_places, totals=totals[:50]), predicted)
    assert again.describe() == one.describe()
    assert [path.name for path in tmp_path.iterdir()] == ["baseline.safetensors"]
    repeated = fit_baseline(config(raw), reader, places, y, **settings)
    np.testing.assert_array_equal(repeated.predict(new_reader, new_places, totals=totals[:50]), predicted)


def test_the_mean_is_that_of_the_training_side(tissue) -> None:
    reader, places, y, blocks = tissue()
    one = fit_baseline(config("mean"), reader, places, y, block_of_train=blocks)
    predicted = one.predict(reader, places.take(np.arange(7)))
    np.testing.assert_array_equal(
        predicted, np.tile(y.mean(axis=0, dtype=np.float64).astype(np.float32), (7, 1))
    )
    assert one.n_parameters == 3


def test_ridge_finds_colour_and_texture_on_a_new_slide_and_no_more(tissue) -> None:
    reader, places, y, blocks = tissue()
    one = fit_baseline(config("ridge"), reader, places, y, block_of_train=blocks)
    new_reader, new_places, new_y, _ = tissue(seed=1)
    r = pearson(one.predict(new_reader, new_places), new_y)
    assert r[0] > 0.95
    assert r[1] > 0.8
    assert abs(r[2]) < 0.15
    assert one.n_parameters == 3 * (one.describe()["n_features"] + 1)


def test_random_weights_follow_from_the_seed_and_see_colour(tissue) -> None:
    reader, places, y, blocks = tissue()
    new_reader, new_places, new_y, _ = tissue(seed=1)
    first, second = (
        fit_baseline(config({"frozen": "compact_xs"}), reader, places, y, block_of_train=blocks, seed=seed)
        for seed in (0, 1)
    )
    one, two = (fitted.predict(new_reader, new_places) for fitted in (first, second))
    assert not np.allclose(one, two)
    assert pearson(one, new_y)[0] > 0.5
    assert abs(pearson(one, new_y)[2]) < 0.15
    described = first.describe()
    assert described["parameters"] == 3 * (described["n_features"] + 1)
    assert described["encoder_parameters"] > described["parameters"]
    assert (first.flops() or 0) > 0


def test_at_most_so_many_patches_are_read(tissue, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, places, y, blocks = tissue()
    one = fit_baseline(config("ridge"), reader, places, y, block_of_train=blocks, max_train=300)
    assert one.n_train == 300
    np.testing.assert_allclose(one.mean, y.mean(axis=0), rtol=1e-5)
    width = one.describe()["n_features"]
    monkeypatch.setattr("prestige.baselines.fitted._FEATURE_BYTES", 4 * width * 200 + 3)
    one = fit_baseline(config("ridge"), reader, places, y, block_of_train=blocks, max_train=300)
    assert one.n_train == 200


@pytest.mark.parametrize("raw", ["ridge", {"frozen": "compact_xs"}], ids=str)
def test_pieces_of_reading_do_not_matter(raw: object, tissue, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, places, y, blocks = tissue()
    whole = fit_baseline(config(raw), reader, places, y, block_of_train=blocks).predict(reader, places)
    monkeypatch.setattr("prestige.baselines.fitted._BYTES", 3 * 16 * 16 * 17)
    pieces = fit_baseline(config(raw), reader, places, y, block_of_train=blocks).predict(reader, places)
    np.testing.assert_allclose(pieces, whole, atol=1e-3)


def test_what_is_read_back_needs_no_other_file(tissue, weights: Path, tmp_path: Path) -> None:
    reader, places, y, blocks = tissue(n=120)
    mine = tmp_path / "copy.safetensors"
    mine.write_bytes(weights.read_bytes())
    raw = {"frozen": {"encoder": "compact_xs", "checkpoint": mine}}
    one = fit_baseline(config(raw), reader, places, y, block_of_train=blocks)
    predicted = one.predict(reader, places)
    one.save(tmp_path / "baseline.safetensors")
    mine.unlink()
    assert str(tmp_path).encode() not in (tmp_path / "baseline.safetensors").read_bytes()
    again = read_baseline(tmp_path / "baseline.safetensors")
    assert again.config.label == "frozen compact_xs, from copy.safetensors"
    np.testing.assert_array_equal(again.predict(reader, places), predicted)


def test_bad_input_is_refused(tissue, tmp_path: Path) -> None:
    reader, places, y, blocks = tissue(n=20)
    mean = config("mean")
    with pytest.raises(DataError, match="19 targets"):
        fit_baseline(mean, reader, places, y[:19], block_of_train=blocks[:19])
    with pytest.raises(DataError, match="at least one"):
        fit_baseline(mean, reader, places.take(np.arange(0)), y[:0], block_of_train=blocks[:0])
    with pytest.raises(ConfigError, match="trained as a model"):
        fit_baseline(config({"shuffled": "compact_xs"}), reader, places, y, block_of_train=blocks)
    with pytest.raises(DataError, match="no total counts"):
        fit_baseline(config("depth"), reader, places, y, block_of_train=blocks)
    depth = fit_baseline(config("depth"), reader, places, y, block_of_train=blocks, totals=np.arange(20.0))
    with pytest.raises(DataError, match="no total counts"):
        depth.predict(reader, places)
    missing = {"frozen": {"encoder": "compact_xs", "checkpoint": tmp_path / "none.safetensors"}}
    with pytest.raises(ModelError, match="no such checkpoint"):
        fit_baseline(config(missing), reader, places, y, block_of_train=blocks)


def test_files_that_are_no_baseline_are_refused(tissue, tmp_path: Path) -> None:
    reader, places, y, blocks = tissue(n=20)
    with pytest.raises(StorageError, match="no such file"):
        read_baseline(tmp_path / "none.safetensors")
    one = fit_baseline(config("mean"), reader, places, y, block_of_train=blocks)
    path = tmp_path / "cut.safetensors"
    one.save(path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(StorageError, match="cannot be read"):
        read_baseline(path)
    with pytest.raises(StorageError, match="cannot be written"):
        one.save(tmp_path / "no" / "baseline.safetensors")


def test_a_file_with_other_weights_than_it_says_is_refused(tissue, tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import save_file

    reader, places, y, blocks = tissue(n=40)
    path = tmp_path / "frozen.safetensors"
    fit_baseline(config({"frozen": "compact_xs"}), reader, places, y, block_of_train=blocks).save(path)
    with safe_open(path, framework="numpy") as stored:
        details, arrays = stored.metadata(), {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
    del arrays[next(key for key in arrays if key.startswith("encoder."))]
    save_file(arrays, path, metadata=details)
    with pytest.raises(StorageError, match="weights do not fit"):
        read_baseline(path)

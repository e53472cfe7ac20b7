"""Everything registered as a baseline: fitted, kept, read back, and right where the answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from prestige.baselines import baselines, fit_baseline, read_baseline
from prestige.data.observations import Observations
from prestige.data.patches import Patch, PatchReader
from prestige.data.slide import Slide
from prestige.errors import ConfigError, DataError, StorageError
from prestige.metrics import pearson

SIZE = 320


def make(seed: int = 0, n: int = 900) -> tuple[PatchReader, Observations, np.ndarray, np.ndarray]:
    """Return a slide of dark and bright squares, cells on it, and expression: dark, rough, neither."""
    rng = np.random.default_rng(seed)
    bright = np.kron(rng.uniform(60, 220, (20, 20)), np.ones((16, 16)))
    rough = np.kron(rng.uniform(0, 25, (20, 20)), np.ones((16, 16)))
    pixels = bright[..., None] + rough[..., None] * rng.normal(size=(SIZE, SIZE, 1)) + np.zeros(3)
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    pixels.flags.writeable = False
    cell = rng.integers(0, 20, (n, 2))
    xy = cell * 16 + 7.5
    y = np.stack(
        [
            3 - bright[8::16, 8::16][cell[:, 1], cell[:, 0]] / 100,
            rough[8::16, 8::16][cell[:, 1], cell[:, 0]] / 10,
        ]
        + [rng.uniform(0, 1, n)],
        axis=1,
    )
    places = Observations(np.zeros(n, dtype=int), np.arange(n), xy)
    reader = PatchReader([Slide(pixels, 0.5, False, f"slide{seed}")], Patch(8.0, 16))
    return reader, places, y.astype(np.float32), cell[:, 0] // 4 * 5 + cell[:, 1] // 4


@pytest.mark.parametrize("name", baselines.names())
def test_every_baseline_predicts_saves_and_says_why(name: str, tmp_path: Path) -> None:
    reader, places, y, blocks = make()
    one = fit_baseline(name, reader, places, y, block_of_train=blocks, seed=4)
    assert "\n" not in baselines.get(name).why
    assert len(baselines.get(name).why) < 110
    new_reader, new_places, _, _ = make(seed=1, n=50)
    predicted = one.predict(new_reader, new_places)
    assert predicted.shape == (50, 3)
    assert predicted.dtype == np.float32
    assert (predicted >= 0).all()
    assert one.n_parameters > 0
    assert json.loads(json.dumps(one.describe(), allow_nan=False))["baseline"] == name
    one.save(tmp_path / "baseline.safetensors")
    again = read_baseline(tmp_path / "baseline.safetensors")
    np.testing.assert_array_equal(again.predict(new_reader, new_places), predicted)
    assert again.describe() == one.describe()
    assert [path.name for path in tmp_path.iterdir()] == ["baseline.safetensors"]
    repeated = fit_baseline(name, reader, places, y, block_of_train=blocks, seed=4)
    np.testing.assert_array_equal(repeated.predict(new_reader, new_places), predicted)


def test_the_mean_is_that_of_the_training_side() -> None:
    reader, places, y, blocks = make()
    one = fit_baseline("mean", reader, places, y, block_of_train=blocks)
    predicted = one.predict(reader, places.take(np.arange(7)))
    np.testing.assert_array_equal(
        predicted, np.tile(y.mean(axis=0, dtype=np.float64).astype(np.float32), (7, 1))
    )
    assert one.n_parameters == 3


def test_ridge_finds_colour_and_texture_on_a_new_slide_and_no_more() -> None:
    reader, places, y, blocks = make()
    one = fit_baseline("ridge", reader, places, y, block_of_train=blocks)
    new_reader, new_places, new_y, _ = make(seed=1)
    r = pearson(one.predict(new_reader, new_places), new_y)
    assert r[0] > 0.95
    assert r[1] > 0.8
    assert abs(r[2]) < 0.15
    assert one.ridge is not None
    assert one.n_parameters == 3 * (len(one.ridge.mean) + 1)


def test_at_most_so_many_patches_are_read() -> None:
    reader, places, y, blocks = make()
    one = fit_baseline("ridge", reader, places, y, block_of_train=blocks, max_train=300)
    assert one.n_train == 300
    np.testing.assert_allclose(one.mean, y.mean(axis=0), rtol=1e-5)


def test_pieces_of_reading_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, places, y, blocks = make()
    whole = fit_baseline("ridge", reader, places, y, block_of_train=blocks).predict(reader, places)
    monkeypatch.setattr("prestige.baselines._BYTES", 3 * 16 * 16 * 17)
    pieces = fit_baseline("ridge", reader, places, y, block_of_train=blocks).predict(reader, places)
    np.testing.assert_allclose(pieces, whole, atol=1e-3)


def test_bad_input_is_refused(tmp_path: Path) -> None:
    reader, places, y, blocks = make(n=20)
    with pytest.raises(ConfigError, match="did you mean 'ridge'"):
        fit_baseline("rigde", reader, places, y, block_of_train=blocks)
    with pytest.raises(DataError, match="19 targets"):
        fit_baseline("mean", reader, places, y[:19], block_of_train=blocks[:19])
    with pytest.raises(DataError, match="at least one"):
        fit_baseline("mean", reader, places.take(np.arange(0)), y[:0], block_of_train=blocks[:0])
    with pytest.raises(StorageError, match="no such file"):
        read_baseline(tmp_path / "none.safetensors")
    one = fit_baseline("mean", reader, places, y, block_of_train=blocks)
    path = tmp_path / "cut.safetensors"
    one.save(path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(StorageError, match="cannot be read"):
        read_baseline(path)
    with pytest.raises(StorageError, match="cannot be written"):
        one.save(tmp_path / "no" / "baseline.safetensors")

"""Features of a frozen encoder: those of its file, in evaluation mode, and a ridge on them by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.linear_model import Ridge as SkRidge

from prestige.baselines.fitted import TrainingSide, fit_baseline
from prestige.baselines.frozen import FrozenEncoder, freeze
from prestige.baselines.settings import BaselineConfig
from prestige.errors import ModelError
from prestige.models.encoders import build_encoder
from prestige.models.settings import ModelConfig

BATCH = "prestige.baselines.frozen._BATCH_BYTES"


def by_hand(weights: Path, patches: torch.Tensor) -> np.ndarray:
    """Return centre and whole features of the encoder in the file, without anything of the package but it."""
    encoder = build_encoder("compact_xs", input_px=16)
    encoder.load_state_dict(load_file(weights))
    encoder.eval()
    mean, std = (
        np.array(values, dtype=np.float32).reshape(1, 3, 1, 1) for values in (encoder.mean, encoder.std)
    )
    x = torch.from_numpy((patches.numpy().astype(np.float32) / 255 - mean) / std)
    with torch.no_grad():
        return torch.cat(encoder(x), dim=1).numpy()


def frozen(weights: Path, readout: str = "centre_whole") -> FrozenEncoder:
    model = ModelConfig(encoder="compact_xs", checkpoint=weights)
    return freeze(model, input_px=16, readout=readout, seed=0)


def test_features_are_those_of_the_file_in_evaluation_mode(weights: Path, monkeypatch) -> None:
    patches = torch.randint(0, 256, (21, 3, 16, 16), dtype=torch.uint8)
    one = frozen(weights)
    wanted = by_hand(weights, patches)
    found = one(patches)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    np.testing.assert_allclose(
        frozen(weights, "whole")(patches), wanted[:, -one.encoder.whole_dim :], atol=1e-4
    )
    monkeypatch.setattr(BATCH, 3 * 16 * 16 * 5)
    assert one.batch_size == 5
    np.testing.assert_allclose(one(patches), wanted, atol=1e-4)
    assert not any(parameter.requires_grad for parameter in one.encoder.parameters())
    assert one(patches[:0]).shape == (0, one.n_features)
    # Nothing was learnt, not even the running means of batch normalisation.
    state = load_file(weights)
    assert all(torch.equal(tensor, state[name]) for name, tensor in one.encoder.state_dict().items())


def test_the_baseline_is_a_ridge_on_these_features(weights: Path, tissue) -> None:
    reader, places, y, blocks = tissue(n=500)
    config = BaselineConfig.model_validate({"frozen": {"encoder": "compact_xs", "checkpoint": weights}})
    one = fit_baseline(config, TrainingSide(reader, places, y, blocks))
    x = by_hand(weights, reader(places.slide_index, places.xy_px)).astype(np.float64)
    scale = np.where(x.std(axis=0) > 1e-6 * np.abs(x).max(axis=0), x.std(axis=0), 1)
    z = np.clip((x - x.mean(axis=0)) / scale, -5, 5)
    spread = y.std(axis=0)
    theirs = SkRidge(alpha=one.describe()["alpha"] * len(z)).fit(z, y / spread)
    wanted = np.maximum(theirs.predict(z) * spread, 0)
    np.testing.assert_allclose(one.predict(reader, places), wanted, atol=2e-3)


def test_random_weights_follow_from_the_seed_and_leave_torchs_state_alone() -> None:
    patches = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    model = ModelConfig(encoder="compact_xs")
    before = torch.random.get_rng_state()
    one, again, other = (
        freeze(model, input_px=16, readout="whole", seed=seed)(patches) for seed in (5, 5, 6)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)


@pytest.mark.parametrize(
    "model",
    [
        {"encoder": "timm:vit_tiny_patch16_224"},
        {"encoder": "resnet18", "norm": "group"},
        {"encoder": "compact_xs"},
    ],
    ids=str,
)
def test_what_is_packed_is_built_again(model: dict) -> None:
    patches = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    one = freeze(ModelConfig(**model), input_px=32, readout="centre_whole", seed=1)
    arrays, details = one.pack()
    again = FrozenEncoder.unpack(arrays, details)
    np.testing.assert_array_equal(again(patches), one(patches))
    assert (again.model, again.n_weights, again.flops()) == (one.model, one.n_weights, one.flops())
    name = next(iter(arrays))
    with pytest.raises(ModelError, match="do not fit"):
        FrozenEncoder.unpack({key: array for key, array in arrays.items() if key != name}, details)


def test_weights_that_cannot_be_had_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be had"):
        freeze(ModelConfig(encoder="resnet18", pretrained=True), input_px=32, readout="whole", seed=0)
    with pytest.raises(ModelError, match="no such file"):
        frozen(tmp_path / "none.safetensors")


def test_the_fingerprint_follows_from_what_the_features_hang_on(weights: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "copy.safetensors"
    elsewhere.write_bytes(weights.read_bytes())
    one = frozen(weights)
    assert one.fingerprint == frozen(elsewhere).fingerprint == FrozenEncoder.unpack(*one.pack()).fingerprint
    assert one.fingerprint != frozen(weights, "whole").fingerprint
    first, second = (
        freeze(ModelConfig(encoder="compact_xs"), input_px=16, readout="whole", seed=seed) for seed in (0, 1)
    )
    assert len({one.fingerprint, first.fingerprint, second.fingerprint}) == 3

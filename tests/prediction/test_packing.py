"""Models taken apart: what is said of each kind, and what is refused when it is put together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from prestige.baselines.fitted import FittedBaseline
from prestige.baselines.mean import TrainingMean
from prestige.baselines.settings import BaselineConfig
from prestige.data.panel import Panel
from prestige.data.patches.reader import Patch
from prestige.errors import ModelError
from prestige.models.predictor import build_predictor
from prestige.models.settings import ModelConfig
from prestige.prediction.packing import pack, unpack

PANEL = Panel(("A", "B"), 100.0, np.array([0.1, 2.0]), np.array([1.0, 0.7]))


def test_a_baseline_is_its_arrays_and_the_words_of_its_yaml() -> None:
    config = BaselineConfig(name="mean")
    fitted = FittedBaseline(config, TrainingMean(np.array([0.25, 1.5]), 7), 0.5)
    tensors, described = pack(fitted, config)
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {"mean": [0.25, 1.5]}
    assert described == {
        "schema": "prestige.model/2",
        "baseline": "mean",
        "fitted": {"n_train": 7, "seconds": 0.5},
        "parameters": 2,
    }
    again, settings = unpack(described, tensors, PANEL, Patch(16.0, 32))
    assert settings == config
    assert isinstance(again, FittedBaseline)
    assert again.describe() == fitted.describe()


def test_a_network_is_its_state_and_the_settings_without_a_path() -> None:
    config = ModelConfig(encoder="compact_xs", checkpoint=Path("/somewhere/mine.safetensors"))
    bare = config.model_copy(update={"checkpoint": None})
    network = build_predictor(
        bare, input_px=32, train_mean=PANEL.train_mean, train_std=PANEL.train_std, seed=3
    )
    tensors, described = pack(network, config)
    assert described["schema"] == "prestige.model/1"
    assert described["model"]["checkpoint"] == "mine.safetensors"
    again, settings = unpack(described, tensors, PANEL, Patch(16.0, 32))
    assert isinstance(settings, ModelConfig)
    assert settings.checkpoint == Path("mine.safetensors")
    assert isinstance(again, torch.nn.Module)
    assert not again.training
    state = network.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in again.state_dict().items())
    tensors.pop(next(iter(tensors)))
    with pytest.raises(ModelError, match="1 tensors differ"):
        unpack(described, tensors, PANEL, Patch(16.0, 32))

"""A network or a fitted baseline, taken apart into tensors and plain values and put together again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prestige.baselines.fitted import FittedBaseline, unpack_baseline
from prestige.baselines.settings import BaselineConfig
from prestige.data.panel import Panel
from prestige.data.patches.reader import Patch
from prestige.errors import ModelError
from prestige.models.predictor import Predictor, build_predictor, count_parameters
from prestige.models.settings import ModelConfig
from prestige.models.timm_weights import pack_architecture, unpack_architecture
from prestige.settings import build

SCHEMA = "prestige.model/1"
"""Of networks: older versions read them."""
BASELINE_SCHEMA = "prestige.model/2"
"""Of baselines, and the newest that is read."""


def pack(
    predictor: Predictor | FittedBaseline, model: ModelConfig | BaselineConfig
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a model, and what ``model.json`` says of its kind alone."""
    if isinstance(predictor, FittedBaseline):
        arrays, details = predictor.pack()
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return tensors, {
            "schema": BASELINE_SCHEMA,
            "baseline": _without_path(model),
            "fitted": details,
            "parameters": predictor.fitted.n_parameters,
        }
    # A copy without strides of its own: safetensors stores plain rows, and a GPU's tensors come home.
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in predictor.state_dict().items()}
    return tensors, {
        "schema": SCHEMA,
        "model": _without_path(model),
        "architecture": pack_architecture(predictor.encoder),
        "parameters": count_parameters(predictor),
    }


def unpack(
    manifest: Mapping[str, Any], tensors: Mapping[str, Tensor], panel: Panel, patch: Patch
) -> tuple[Predictor | FittedBaseline, ModelConfig | BaselineConfig]:
    """Return what :func:`pack` took apart, ready to predict on the CPU, and its settings.

    Parameters
    ----------
    manifest
        What ``model.json`` holds.

    Raises
    ------
    KeyError, TypeError, ValueError, PrestigeError
        When the parts do not belong together.
    """
    if "baseline" in manifest:
        written = manifest["baseline"]
        written = {"name": written} if isinstance(written, str) else written
        config = build(BaselineConfig, written, where="baseline")
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        return unpack_baseline(config, arrays, manifest["fitted"]), config
    model = build(ModelConfig, manifest["model"], where="model")
    # The weights follow from the file alone, so nothing is downloaded to start them.
    predictor = build_predictor(
        model.model_copy(update={"pretrained": False, "checkpoint": None}),
        input_px=patch.input_px,
        train_mean=panel.train_mean,
        train_std=panel.train_std,
        seed=0,
        architecture=unpack_architecture(manifest["architecture"]),
    )
    _fill(predictor, tensors)
    predictor.eval()
    return predictor, model


def _fill(predictor: Predictor, tensors: Mapping[str, Tensor]) -> None:
    wanted = {name: tensor.shape for name, tensor in predictor.state_dict().items()}
    given = {name: tensor.shape for name, tensor in tensors.items()}
    if wanted != given:
        other = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
        raise ModelError(
            f"the weights do not fit the description: {len(other)} tensors differ, the first is '{other[0]}'",
            expected="the files of one bundle, and the versions of torch and timm that wrote them or newer",
        )
    predictor.load_state_dict(dict(tensors))


def _without_path(model: ModelConfig | BaselineConfig) -> Any:
    """Return the settings with the checkpoint's name in place of its path on this machine."""
    network = model.model if isinstance(model, BaselineConfig) else model
    if network is not None and network.checkpoint is not None:
        network = network.model_copy(update={"checkpoint": Path(network.checkpoint.name)})
        model = model.model_copy(update={"model": network}) if isinstance(model, BaselineConfig) else network
    return model.model_dump(mode="json")

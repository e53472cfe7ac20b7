"""A network or a fitted baseline, taken apart into tensors and plain values and put together again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from prestige.baselines.fitted import FittedBaseline, unpack_baseline
from prestige.baselines.settings import BaselineConfig
from prestige.compute.tensors import refuse_absurd
from prestige.data.panel import Panel
from prestige.data.patches.reader import Patch
from prestige.errors import ConfigError, ModelError, reading
from prestige.models.predictor import Predictor, build_predictor, count_parameters
from prestige.models.settings import ModelConfig
from prestige.models.timm_weights import pack_architecture, unpack_architecture
from prestige.models.weights import filled
from prestige.settings import Settings, build

S = TypeVar("S", bound=Settings)
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
    PrestigeError
        When the parts do not belong together, or a number is not finite.
    """
    if "baseline" in manifest:
        return _baseline(manifest, tensors, panel, patch)
    model = _settings(ModelConfig, manifest.get("model"), "model")
    architecture = unpack_architecture(manifest.get("architecture"))
    own = model.encoder.removeprefix("timm:")
    if architecture and own not in (model.encoder, architecture.name) and not own.startswith("hf-hub:"):
        raise ModelError(f"the encoder is '{model.encoder}' and the architecture '{architecture.name}'")
    build_it = partial(
        build_predictor,
        # The weights follow from the file alone, so nothing is downloaded to start them.
        model.model_copy(update={"pretrained": False, "checkpoint": None}),
        input_px=patch.input_px,
        train_mean=panel.train_mean,
        train_std=panel.train_std,
        seed=0,
        architecture=architecture,
    )
    predictor = filled(build_it, tensors)
    for name in ("train_mean", "train_std"):
        if not np.array_equal(tensors[name].numpy(), getattr(panel, name).astype(np.float32)):
            raise ModelError(f"the panel's {name} is not that of the weights")
    predictor.eval()
    return predictor, model


def _baseline(
    manifest: Mapping[str, Any], tensors: Mapping[str, Tensor], panel: Panel, patch: Patch
) -> tuple[FittedBaseline, BaselineConfig]:
    written = manifest["baseline"]
    written = {"name": written} if isinstance(written, str) else written
    config = _settings(BaselineConfig, written, "baseline")
    with reading(
        "fitted", expected=f"the parts of the baseline '{config.name}'", remedy=None, kind=ModelError
    ):
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        baseline = unpack_baseline(config, arrays, manifest["fitted"])
    baseline.fitted.check(n_genes=len(panel.genes), input_px=patch.input_px)
    refuse_absurd(tensors, where="model.safetensors", kind=ModelError)
    return baseline, config


def _settings(cls: type[S], raw: Any, where: str) -> S:
    if not isinstance(raw, Mapping):
        raise ConfigError(f"'{where}' is no object")
    return build(cls, raw, where=where)


def _without_path(model: ModelConfig | BaselineConfig) -> Any:
    """Return the settings with the checkpoint's name in place of its path on this machine."""
    network = model.model if isinstance(model, BaselineConfig) else model
    if network is not None and network.checkpoint is not None:
        network = network.model_copy(update={"checkpoint": Path(network.checkpoint.name)})
        model = model.model_copy(update={"model": network}) if isinstance(model, BaselineConfig) else network
    return model.model_dump(mode="json")

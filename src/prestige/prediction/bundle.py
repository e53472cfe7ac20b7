"""What a model carries: its weights, its genes with their normalisation, its patch, where it comes from.

A model is a trained network or a fitted baseline.  A bundle is a folder of three files:
``model.safetensors``, ``model.json`` and ``README.md``, the card that the model hubs show.  Nothing in it is
pickled, and it is read without any connection.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from prestige.baselines.fitted import FittedBaseline, unpack_baseline
from prestige.baselines.settings import BaselineConfig
from prestige.compute.devices import make_fabric
from prestige.data.panel import Panel
from prestige.data.patches.on_device import on_device
from prestige.data.patches.reader import Patch, PatchReader
from prestige.errors import PrestigeError, StorageError
from prestige.models.predictor import Predictor, build_predictor, count_parameters
from prestige.models.settings import ModelConfig
from prestige.models.timm_weights import Architecture
from prestige.prediction.card import model_card
from prestige.prediction.infer import predict_observations
from prestige.settings import build

SCHEMA = "prestige.model/1"
"""Of networks: older versions read them."""
BASELINE_SCHEMA = "prestige.model/2"
"""Of baselines, and the newest that is read."""
WEIGHTS, MANIFEST, CARD = "model.safetensors", "model.json", "README.md"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model as it was read back.

    Attributes
    ----------
    predictor
        Ready to predict: a network in evaluation mode, or a fitted baseline; on the CPU.
    model, panel, patch
        How it was built, its genes and normalisation, what it looks at.
    extra
        All else that was written: data fingerprints, pixel sizes, scores.
    """

    predictor: Predictor | FittedBaseline
    model: ModelConfig | BaselineConfig
    panel: Panel
    patch: Patch
    extra: dict[str, Any]

    @property
    def name(self) -> str:
        """The name that tables show: of the encoder, or of the baseline with its prefix."""
        return self.model.encoder if isinstance(self.model, ModelConfig) else self.model.name_in_tables

    def predicting(
        self, reader: PatchReader, *, device: str = "auto"
    ) -> Callable[..., Float32[np.ndarray, "n g"]]:
        """Return what predicts observations of the reader's slides, computed on one device.

        Called with observations it returns their expression on the log1p scale; ``label`` shows a progress
        bar of that name.

        Raises
        ------
        ConfigError
            When this machine has no such device.
        """
        fabric = make_fabric("32-true", device)
        if isinstance(self.predictor, FittedBaseline):
            self.predictor.fitted.to(fabric.device)
            return partial(self.predictor.predict, reader)
        forward = fabric.setup_module(self.predictor)
        return partial(
            predict_observations, self.predictor, on_device(reader, fabric.device), forward=forward
        )


def write_bundle(
    folder: Path,
    predictor: Predictor | FittedBaseline,
    *,
    model: ModelConfig | BaselineConfig,
    panel: Panel,
    patch: Patch,
    extra: Mapping[str, Any],
) -> None:
    """Write a model into ``folder``, wholly or not at all; a bundle that was there is replaced.

    Parameters
    ----------
    folder
        Where to; its parent is made.
    predictor
        Its weights are stored as they are, to the last bit.
    model, panel, patch
        How it was built, its genes and normalisation, what it looks at.
    extra
        What else to keep, as JSON holds it (numbers that are not finite become null).  The card shows
        ``um_per_px`` (one or several), ``data_fingerprints`` (sample -> fingerprint), ``validation_score``
        and ``scores`` (name -> number) where they are given.

    Raises
    ------
    StorageError
        When something else than a bundle is in the way, or the disk is full or cannot be written.
    """
    folder = Path(folder)
    if (
        folder.exists()
        and not (folder / MANIFEST).is_file()
        and (not folder.is_dir() or any(folder.iterdir()))
    ):
        raise StorageError(
            "is not a model and would be overwritten", where=folder, remedy="name another folder"
        )
    tensors, described = _taken_apart(predictor, model)
    manifest = {
        **described,
        "patch": asdict(patch),
        "panel": {**panel.to_dict(), "normalisation": {"total": panel.total, "log1p": True}},
        "extra": _finite(extra),
    }
    temporary: Path | None = None
    try:
        text = json.dumps(manifest, indent=1, allow_nan=False)
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        temporary.chmod(0o755)
        save_file(tensors, temporary / WEIGHTS, metadata={"schema": manifest["schema"]})
        (temporary / CARD).write_text(model_card(manifest), encoding="utf-8")
        (temporary / MANIFEST).write_text(text, encoding="utf-8")
        _move(temporary, folder)
    except (OSError, SafetensorError) as error:
        raise StorageError(f"the model cannot be written ({error})", where=folder) from error
    except (TypeError, ValueError) as error:
        raise StorageError(
            f"what goes with the model is no JSON ({error})", where=folder, expected="plain values"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def read_bundle(folder: Path | str) -> Bundle:
    """Read what :func:`write_bundle` wrote.

    Raises
    ------
    StorageError
        When it is missing, cut off, altered, or written by a newer version.

    Examples
    --------
    >>> import prestige
    >>> bundle = prestige.read_bundle("run/model")
    >>> bundle.panel.genes
    ('G0', 'G1', 'G2', 'G3')
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    where = folder / MANIFEST
    tensors = _tensors(folder / WEIGHTS)
    try:
        patch = Patch(**manifest["patch"])
        panel = Panel.from_dict(manifest["panel"])
        extra = dict(manifest["extra"])
        if "baseline" in manifest:
            written = manifest["baseline"]
            written = {"name": written} if isinstance(written, str) else written
            config = build(BaselineConfig, written, where=where)
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            fitted = unpack_baseline(config, arrays, manifest["fitted"])
            return Bundle(fitted, config, panel, patch, extra)
        model = build(ModelConfig, manifest["model"], where=where)
        predictor = _network(model, manifest["architecture"], panel, patch)
    except (KeyError, TypeError, ValueError, PrestigeError) as error:
        raise _broken(where, f"{type(error).__name__}: {error}") from error
    _fill(predictor, tensors, folder / WEIGHTS)
    predictor.eval()
    return Bundle(predictor, model, panel, patch, extra)


def _taken_apart(
    predictor: Predictor | FittedBaseline, model: ModelConfig | BaselineConfig
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a model, and what tells of it alone."""
    if isinstance(predictor, FittedBaseline):
        arrays, details = predictor.pack()
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return tensors, {
            "schema": BASELINE_SCHEMA,
            "baseline": _without_path(model),
            "fitted": details,
            "parameters": predictor.fitted.n_parameters,
        }
    architecture = getattr(predictor.encoder, "architecture", None)
    # A copy without strides of its own: safetensors stores plain rows, and a GPU's tensors come home.
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in predictor.state_dict().items()}
    return tensors, {
        "schema": SCHEMA,
        "model": _without_path(model),
        "architecture": None if architecture is None else asdict(architecture),
        "parameters": count_parameters(predictor),
    }


def _network(model: ModelConfig, stored: Any, panel: Panel, patch: Patch) -> Predictor:
    """Build a network; its weights follow from the file alone, so nothing is downloaded to start them."""
    return build_predictor(
        model.model_copy(update={"pretrained": False, "checkpoint": None}),
        input_px=patch.input_px,
        train_mean=panel.train_mean,
        train_std=panel.train_std,
        seed=0,
        architecture=None if stored is None else Architecture(**_tuples(stored)),
    )


def _manifest(folder: Path) -> dict[str, Any]:
    where = folder / MANIFEST
    try:
        manifest = json.loads(where.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise StorageError(
            "there is no model", where=folder, expected=f"a folder with {MANIFEST} and {WEIGHTS}"
        ) from None
    except OSError as error:
        raise StorageError(f"cannot be read ({error})", where=where) from error
    except ValueError as error:
        raise _broken(where, str(error)) from error
    name, _, version = str(manifest.get("schema") if isinstance(manifest, dict) else None).partition("/")
    ours, _, known = BASELINE_SCHEMA.partition("/")
    if name != ours or not version.isdigit():
        raise StorageError(
            "is not the description of a model", where=where, expected=f"the schema {SCHEMA} or newer"
        )
    if int(version) > int(known):
        raise StorageError(
            f"was written by a newer version of prestige (schema {version})",
            where=where,
            expected=f"schema {known} or older",
            remedy="install a newer prestige-st",
        )
    return manifest


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise StorageError(
            "the model's weights are missing", where=path, remedy="copy the whole model folder"
        ) from None
    except (OSError, SafetensorError) as error:
        raise _broken(path, str(error)) from error


def _fill(predictor: Predictor, tensors: Mapping[str, Tensor], where: Path) -> None:
    wanted = {name: tensor.shape for name, tensor in predictor.state_dict().items()}
    given = {name: tensor.shape for name, tensor in tensors.items()}
    if wanted != given:
        other = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
        raise StorageError(
            f"the weights do not fit the description: {len(other)} tensors differ, the first is '{other[0]}'",
            where=where,
            expected="the files of one bundle, and the versions of torch and timm that wrote them or newer",
        )
    predictor.load_state_dict(dict(tensors))


def _broken(where: Path, reason: str) -> StorageError:
    return StorageError(
        f"is broken or cut off ({' '.join(reason.split())[:200]})",
        where=where,
        remedy="copy or train it again",
    )


def _move(source: Path, target: Path) -> None:
    """Put a complete folder in place, setting an older one aside first."""
    for file in source.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
    if target.exists():
        aside = source.with_name(source.name + "-old")
        os.replace(target, aside)
        os.replace(source, target)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        os.replace(source, target)


def _without_path(model: ModelConfig | BaselineConfig) -> Any:
    """Return the settings with the checkpoint's name in place of its path on this machine."""
    network = model.model if isinstance(model, BaselineConfig) else model
    if network is not None and network.checkpoint is not None:
        network = network.model_copy(update={"checkpoint": Path(network.checkpoint.name)})
        model = model.model_copy(update={"model": network}) if isinstance(model, BaselineConfig) else network
    return model.model_dump(mode="json")


def _tuples(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {**stored, "mean": tuple(stored["mean"]), "std": tuple(stored["std"])}


def _finite(value: Any) -> Any:
    """Return the value with null for numbers that are not finite, which JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

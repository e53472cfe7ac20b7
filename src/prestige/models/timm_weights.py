"""From timm's name of a model to a network: what is built, and how its weights are had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import timm
from timm.models import load_model_config_from_hf

from prestige.errors import ConfigError, ModelError, nearest
from prestige.models.encoder import IMAGENET_MEAN, IMAGENET_STD

_HUB = "hf-hub:"
# What a download raises when it fails: huggingface_hub's errors are OSErrors, timm's are RuntimeErrors.
_DOWNLOAD_ERRORS = (OSError, RuntimeError, ValueError)
# These follow from the width of the patches and from our head, not from the design.
_OURS = ("img_size", "patch_size", "num_classes")


@dataclass(frozen=True)
class Architecture:
    """What builds a network again without its weights and without any connection.

    Attributes
    ----------
    name
        timm's name of the architecture.
    arguments
        What goes with it into ``timm.create_model``; plain values that JSON can hold.
    mean, std
        Normalisation of the colours (R, G, B; of pixels in 0..1) that its weights expect.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


def pack_architecture(encoder: Any) -> dict[str, Any] | None:
    """Return what JSON keeps of how an encoder of timm is built; None of others."""
    architecture = getattr(encoder, "architecture", None)
    return None if architecture is None else asdict(architecture)


def unpack_architecture(stored: Mapping[str, Any] | None) -> Architecture | None:
    """Return what :func:`pack_architecture` took apart."""
    if stored is None:
        return None
    return Architecture(**{**stored, "mean": tuple(stored["mean"]), "std": tuple(stored["std"])})


def find_architecture(name: str, *, pretrained: bool, arguments: Mapping[str, Any]) -> Architecture:
    """Look a model up, in timm or (``hf-hub:OWNER/NAME``, with ``pretrained`` alone) on the hub.

    Raises
    ------
    ConfigError
        When timm knows no such model.
    ModelError
        When the hub cannot be reached, or must not be.
    """
    if name.startswith(_HUB):
        return _on_hub(name, pretrained, arguments)
    if ":" in name:
        raise ModelError(
            f"timm's source '{name.partition(':')[0]}:' is not read",
            where=f"timm:{name}",
            expected="timm:NAME or timm:hf-hub:OWNER/NAME",
            remedy="for weights on this machine write timm:NAME and 'checkpoint: FILE.safetensors'",
        )
    if not timm.is_model(name):
        near = nearest(name, timm.list_models())
        raise ConfigError(
            f"unknown timm model '{name}'",
            expected="a name from timm.list_models()",
            remedy=f"did you mean 'timm:{near}'?" if near else None,
        )
    tag = name.partition(".")[2]
    try:
        config = timm.get_pretrained_cfg(name, allow_unregistered=not tag)
    except RuntimeError as error:
        raise ConfigError(
            f"timm has no weights tagged '{tag}'", where=f"timm:{name}", expected="a name without the tag"
        ) from error
    if config is None:
        return Architecture(name, dict(arguments))
    return Architecture(name, dict(arguments), _colours(config.mean), _colours(config.std))


def create_network(name: str, architecture: Architecture, *, pretrained: bool, **width: Any) -> Any:
    """Build the network without its classifier, with torch's default random weights or downloaded ones.

    Raises
    ------
    ModelError
        When the weights cannot be had; it names them and the ways to them.
    """
    arguments = {"num_classes": 0, **architecture.arguments, **width}
    if not pretrained:
        return timm.create_model(architecture.name, pretrained=False, **arguments)
    try:
        source = name if name.startswith(_HUB) else architecture.name
        return timm.create_model(source, pretrained=True, **arguments)
    except _DOWNLOAD_ERRORS as error:
        raise _no_weights(name, error) from error


def _on_hub(name: str, pretrained: bool, arguments: Mapping[str, Any]) -> Architecture:
    if not pretrained:
        raise ModelError(
            "the hub alone knows how this model is built, and nothing is downloaded without 'pretrained'",
            where=f"timm:{name}",
            remedy="set 'pretrained: true', or write timm:ARCHITECTURE and 'checkpoint: FILE.safetensors'",
        )
    try:
        config, architecture, saved = load_model_config_from_hf(name.removeprefix(_HUB))
    except _DOWNLOAD_ERRORS as error:
        raise _no_weights(name, error) from error
    plain = {key: value for key, value in (saved or {}).items() if key not in _OURS}
    mean, std = config.get("mean", IMAGENET_MEAN), config.get("std", IMAGENET_STD)
    return Architecture(architecture, {**plain, **arguments}, _colours(mean), _colours(std))


def _colours(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _no_weights(name: str, error: BaseException) -> ModelError:
    first = next(iter(str(error).strip().splitlines()), "")
    page = f"huggingface.co/{name.removeprefix(_HUB)}" if name.startswith(_HUB) else "huggingface.co/timm"
    return ModelError(
        f"the pretrained weights cannot be had ({type(error).__name__}: {first[:160]})",
        where=f"timm:{name}",
        remedy="connect to the network; for gated weights accept the terms at "
        f"{page} and log in with 'hf auth login'; or fetch the safetensors file elsewhere and write "
        "'checkpoint: FILE.safetensors' in place of 'pretrained: true'",
    )

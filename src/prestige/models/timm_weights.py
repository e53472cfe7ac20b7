"""From timm's name of a model to a network: what is built, and how its weights are had."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import timm
import timm.layers
from huggingface_hub import constants
from huggingface_hub.utils import get_session
from timm.models import load_model_config_from_hf

from prestige.errors import ConfigError, ModelError, nearest, reading
from prestige.models.arguments import safe_arguments
from prestige.models.encoder import IMAGENET_MEAN, IMAGENET_STD

_HUB = "hf-hub:"
# What a download raises when it fails: huggingface_hub's errors are OSErrors, timm's are RuntimeErrors.
_DOWNLOAD_ERRORS = (OSError, RuntimeError, ValueError)
# These follow from the width of the patches and from our head, not from the design.
_OURS = ("img_size", "patch_size", "num_classes")
_PLAIN = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?")
_HUB_SECONDS = 5.0


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


def unpack_architecture(stored: Any) -> Architecture | None:
    """Return what :func:`pack_architecture` took apart.

    Raises
    ------
    ConfigError
        When it is something else, names no plain design of timm, or has arguments that are not passed on.
    """
    if stored is None:
        return None
    where = "architecture"
    if not isinstance(stored, Mapping) or set(stored) != {"name", "arguments", "mean", "std"}:
        raise ConfigError(
            "is no description of a network", where=where, expected="name, arguments, mean and std"
        )
    name, arguments = stored["name"], stored["arguments"]
    if not isinstance(name, str) or not isinstance(arguments, Mapping):
        raise ConfigError("its name is no text, or its arguments no mapping", where=where)
    check_plain(name)
    mean, std = _colours(stored["mean"]), _colours(stored["std"])
    if min(std) <= 0:
        raise ConfigError("a deviation of its colours is not above 0", where=where)
    return Architecture(name, safe_arguments(arguments, where=where), mean, std)


def check_plain(name: str) -> None:
    """Check that timm has a design of this name, by itself: no source, no path.

    Raises
    ------
    ConfigError
        With the nearest name that exists.
    """
    if not _PLAIN.fullmatch(name) or not timm.is_model(name):
        near = nearest(name[:100], timm.list_models())
        raise ConfigError(
            f"unknown timm model '{name}'",
            expected="a name from timm.list_models()",
            remedy=f"did you mean 'timm:{near}'?" if near else None,
        )


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
    check_plain(name)
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

    Every network of timm is built here.  timm is handed the name of one of its designs, arguments from a list
    (see :mod:`prestige.models.arguments`), and nothing that it would fetch, open or call.

    Raises
    ------
    ConfigError
        When the name or an argument is none that is passed on.
    ModelError
        When the weights cannot be had; it names them and the ways to them.
    """
    check_plain(architecture.name)
    safe = safe_arguments(architecture.arguments, where=f"timm:{name or architecture.name}")
    if "mlp_layer" in safe:  # the one class that timm does not look up by its name
        safe["mlp_layer"] = getattr(timm.layers, safe["mlp_layer"])
    arguments = {"num_classes": 0, **safe, **width}
    if not pretrained:
        return timm.create_model(architecture.name, pretrained=False, **arguments)
    source = name if name.startswith(_HUB) else architecture.name
    with _downloading(name):
        return timm.create_model(source, pretrained=True, **arguments)


def _on_hub(name: str, pretrained: bool, arguments: Mapping[str, Any]) -> Architecture:
    if not pretrained:
        raise ModelError(
            "the hub alone knows how this model is built, and nothing is downloaded without 'pretrained'",
            where=f"timm:{name}",
            remedy="set 'pretrained: true', or write timm:ARCHITECTURE and 'checkpoint: FILE.safetensors'",
        )
    with _downloading(name):
        config, architecture, saved = load_model_config_from_hf(name.removeprefix(_HUB))
    plain = {key: value for key, value in (saved or {}).items() if key not in _OURS}
    safe = safe_arguments({**plain, **arguments}, where=f"timm:{name}")
    mean, std = config.get("mean", IMAGENET_MEAN), config.get("std", IMAGENET_STD)
    return Architecture(architecture, safe, _colours(mean), _colours(std))


def _colours(values: Any) -> tuple[float, float, float]:
    whole = isinstance(values, list | tuple) and len(values) == 3
    if not whole or not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        raise ConfigError("its colours are not normalised by three numbers each", where="architecture")
    red, green, blue = (float(value) for value in values)
    return red, green, blue


@contextmanager
def _downloading(name: str) -> Iterator[None]:
    """Let the hub be asked for weights; without a connection look only among those downloaded before.

    The hub's own client asks again and again for a minute, and tells each time.  One short question before
    spares that.

    Raises
    ------
    ModelError
        When they cannot be had; it names the ways to them.
    """
    offline, reached = constants.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE or _hub_answers()
    constants.HF_HUB_OFFLINE = offline or not reached
    try:
        yield
    except _DOWNLOAD_ERRORS as error:
        raise _no_weights(name, error if reached else None) from error
    finally:
        constants.HF_HUB_OFFLINE = offline


def _hub_answers() -> bool:
    try:
        with reading(constants.ENDPOINT, kind=ModelError):  # whatever its client raises, it got no answer
            get_session().head(constants.ENDPOINT, timeout=_HUB_SECONDS)
    except ModelError:
        return False
    return True


def _no_weights(name: str, error: BaseException | None) -> ModelError:
    first = next(iter(str(error).strip().splitlines()), "")
    reason = f"{type(error).__name__}: {first[:160]}" if error else "the hub does not answer"
    page = f"huggingface.co/{name.removeprefix(_HUB)}" if name.startswith(_HUB) else "huggingface.co/timm"
    return ModelError(
        f"the pretrained weights cannot be had ({reason})",
        where=f"timm:{name}",
        remedy="connect to the network; for gated weights accept the terms at "
        f"{page} and log in with 'hf auth login'; or fetch the safetensors file elsewhere and write "
        "'checkpoint: FILE.safetensors' in place of 'pretrained: true'",
    )

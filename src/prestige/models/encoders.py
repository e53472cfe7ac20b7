"""All encoders by one string: the compact family, the published designs, any timm model."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from prestige.errors import ConfigError, ModelError
from prestige.models import compact, published
from prestige.models.arguments import safe_arguments
from prestige.models.encoder import Encoder, EncoderBuilder, encoders
from prestige.models.timm_encoders import timm_encoder
from prestige.models.timm_weights import Architecture

__all__ = ["MOST_INPUT_PX", "Encoder", "EncoderBuilder", "build_encoder", "check_encoder", "encoders"]

MOST_INPUT_PX = 4096
"""Width of the patches of a model that is read: beyond it one patch would take gigabytes in most networks."""

_FAMILIES = (compact, published)  # importing them files their encoders


def build_encoder(
    name: str,
    *,
    input_px: int,
    pretrained: bool = False,
    checkpoint: Path | None = None,
    arguments: Mapping[str, Any] | None = None,
    architecture: Architecture | None = None,
) -> Encoder:
    """Build the encoder of that name for patches of ``input_px`` pixels.

    Random weights come from torch's default random state, which
    :func:`~prestige.models.predictor.build_predictor` seeds.

    Parameters
    ----------
    name
        A registered name, "timm:NAME" or "timm:hf-hub:OWNER/NAME".
    input_px
        Width of the patches in pixels.
    pretrained
        Download weights.  Without it nothing touches the network.
    checkpoint
        A local safetensors file to start from in place of a download.
    arguments
        Of a "timm:" design, those of :mod:`prestige.models.arguments`.
    architecture
        What a "timm:" encoder was built from before, arguments among it; a stored model carries it, so that a
        hub's model can be built again without a connection.

    Raises
    ------
    ConfigError
        For an unknown name, of which the nearest is given, and for arguments that are not passed on.
    ModelError
        When the width does not fit the design, or the weights cannot be had.
    """
    if input_px < 1:
        raise ModelError(f"patches of {input_px} px", where="input_px", expected="at least 1 px")
    if pretrained and checkpoint is not None:
        raise ModelError(
            "both 'pretrained' and 'checkpoint' are given",
            where=f"encoder {name}",
            remedy="give one of the two",
        )
    if name.startswith("timm:"):
        return timm_encoder(
            name.removeprefix("timm:"),
            input_px=input_px,
            pretrained=pretrained,
            checkpoint=checkpoint,
            architecture=architecture,
            **safe_arguments(arguments or {}, where=f"encoder {name}"),
        )
    if arguments:
        raise ConfigError(
            "only designs of timm take arguments",
            where=f"encoder {name}",
            expected="an encoder such as timm:vit_large_patch16_224",
            remedy="leave `arguments` out",
        )
    return encoders.get(name)(input_px=input_px, pretrained=pretrained, checkpoint=checkpoint)


def check_encoder(name: str, *, input_px: int, arguments: Mapping[str, Any] | None = None) -> None:
    """Check that an encoder exists and takes patches of this width, without making its weights.

    A hub's model ("timm:hf-hub:...") is not looked up.

    Raises
    ------
    ConfigError, ModelError
        As :func:`build_encoder`.
    """
    safe = safe_arguments(arguments or {}, where=f"encoder {name}")
    if not name.startswith("timm:hf-hub:"):
        _check(name, input_px, tuple(sorted(safe.items())))


@functools.lru_cache(maxsize=1024)
def _check(name: str, input_px: int, arguments: tuple[tuple[str, Any], ...]) -> None:
    with torch.device("meta"):
        build_encoder(name, input_px=input_px, arguments=dict(arguments))

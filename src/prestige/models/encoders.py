"""All encoders by one string: the compact family, the published designs, any timm model."""

from __future__ import annotations

import functools
from pathlib import Path

import torch

from prestige.errors import ModelError
from prestige.models import compact, published
from prestige.models.encoder import Encoder, EncoderBuilder, encoders
from prestige.models.timm_encoders import timm_encoder
from prestige.models.timm_weights import Architecture

__all__ = ["Encoder", "EncoderBuilder", "build_encoder", "check_encoder", "encoders"]
_FAMILIES = (compact, published)  # importing them files their encoders


def build_encoder(
    name: str,
    *,
    input_px: int,
    pretrained: bool = False,
    checkpoint: Path | None = None,
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
    architecture
        What a "timm:" encoder was built from before; a stored model carries it, so that a hub's model can be
        built again without a connection.

    Raises
    ------
    ConfigError
        For an unknown name; the nearest is given.
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
        )
    return encoders.get(name)(input_px=input_px, pretrained=pretrained, checkpoint=checkpoint)


@functools.lru_cache(maxsize=1024)
def check_encoder(name: str, *, input_px: int) -> None:
    """Check that an encoder exists and takes patches of this width, without making its weights.

    A hub's model ("timm:hf-hub:...") is not looked up.

    Raises
    ------
    ConfigError, ModelError
        As :func:`build_encoder`.
    """
    if name.startswith("timm:hf-hub:"):
        return
    with torch.device("meta"):
        build_encoder(name, input_px=input_px)

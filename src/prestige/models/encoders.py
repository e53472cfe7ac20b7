"""All encoders by one string: the compact family, the published designs, any timm model."""

from __future__ import annotations

from prestige.models.encoder import Encoder, EncoderBuilder, encoders

__all__ = ["Encoder", "EncoderBuilder", "encoders"]

"""What every encoder has to be."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from prestige.models.encoder import IMAGENET_MEAN, IMAGENET_STD, Encoder, EncoderBuilder, encoders
from prestige.models.encoders import build_encoder


class Brightness(Encoder):
    centre_dim, whole_dim = 3, 3

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        half = x.shape[-1] // 2
        return x[:, :, half, half], x.mean(dim=(2, 3))


def test_an_encoder_without_forward_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Encoder()  # type: ignore[abstract]


def test_a_subclass_inherits_the_usual_normalisation() -> None:
    encoder = Brightness()
    assert (encoder.mean, encoder.std) == (IMAGENET_MEAN, IMAGENET_STD)
    centre, whole = encoder(torch.ones(2, 3, 5, 5))
    assert centre.shape == whole.shape == (2, 3)


def test_what_is_registered_is_called_like_a_builder() -> None:
    build_encoder("compact_xs", input_px=16)  # files all families
    assert len(tuple(encoders)) >= 12
    assert all(isinstance(encoders.get(name), EncoderBuilder) for name in encoders)

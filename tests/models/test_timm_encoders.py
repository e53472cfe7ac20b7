"""timm's networks as encoders: where centre and whole are read."""

from __future__ import annotations

import pytest
import torch

from prestige.errors import ModelError
from prestige.models.timm_encoders import timm_encoder, token_px


@pytest.fixture(scope="module")
def resnet() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm_encoder("resnet10t", input_px=64).eval()


def test_the_centre_comes_from_a_map_with_four_cells_across(resnet: torch.nn.Module) -> None:
    encoder = timm_encoder("resnet10t", input_px=64)
    fine, last = encoder.maps(torch.zeros(1, 3, 64, 64))
    assert last.shape[-1] == 2  # halved five times
    assert fine.shape[-1] >= 4
    assert (fine.shape[1], last.shape[1]) == (encoder.centre_dim, encoder.whole_dim)


def test_whole_is_the_mean_of_the_last_map(resnet: torch.nn.Module) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        _, last = resnet.maps(x)  # type: ignore[operator]
        _, whole = resnet(x)
    torch.testing.assert_close(whole, last.mean(dim=(2, 3)))


def test_a_vit_gets_tokens_that_divide_the_patch() -> None:
    for width in (32, 48, 64, 100, 224):
        token = token_px(width, 16)
        assert token is not None
        assert width % token == 0
        assert width // token >= 4
    assert token_px(224, 16) == 16
    encoder = timm_encoder("vit_tiny_patch16_224", input_px=48).eval()
    with torch.inference_mode():
        centre, whole = encoder(torch.randn(2, 3, 48, 48))
    assert centre.shape == whole.shape == (2, 192)


def test_a_width_that_no_token_divides_names_those_that_do() -> None:
    with pytest.raises(ModelError, match=r"patches of 37 px .*expected a width such as .*\b36\b"):
        timm_encoder("vit_tiny_patch16_224", input_px=37)

"""timm's networks as encoders: where centre and whole are read."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from prestige.errors import ModelError
from prestige.models.timm_encoders import timm_encoder, token_px

LATEST = pytest.mark.skipif(
    tuple(map(int, timm.__version__.split(".")[:3])) < (1, 0, 31),
    reason="an older timm has another of this name",
)


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


# Kinds of design that are unlike the usual ones: tokens of no stated width, of a width that is a number, from
# convolutions; features that are neither a map nor tokens; tokens that form no square.
@pytest.mark.parametrize(
    ("name", "px", "features"),
    [
        ("mvitv2_tiny", 64, 768),
        pytest.param("xcit_nano_12_p8_224", 64, 128, marks=LATEST),
        ("vitamin_small_224", 224, 384),
        pytest.param("efficientvim_m1", 64, None, marks=LATEST),
        ("volo_d1_224", 64, None),
    ],
)
def test_designs_unlike_the_others_are_built_or_refused_in_a_line(
    name: str, px: int, features: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prestige.models.timm_encoders._TRIED_PX", ())
    with torch.device("meta"):
        if features is not None:
            assert timm_encoder(name, input_px=px).whole_dim == features
            return
        with pytest.raises(ModelError, match=f"'{name}' does not take patches of {px} px") as caught:
            timm_encoder(name, input_px=px)
    assert "\n" not in str(caught.value)


def test_arguments_make_room_for_weights_that_need_them(tmp_path: Path) -> None:
    source = timm.create_model("test_vit", num_classes=0, init_values=1e-5, reg_tokens=2)
    path = tmp_path / "weights.safetensors"
    save_file(source.state_dict(), path)
    with pytest.raises(ModelError, match=r"arguments: \{init_values: 1\.0e-5, reg_tokens: 4\}"):
        timm_encoder("test_vit", input_px=32, checkpoint=path)
    encoder = timm_encoder("test_vit", input_px=32, checkpoint=path, init_values=1e-5, reg_tokens=2)
    assert torch.equal(encoder.net.reg_token, source.reg_token)
    assert encoder.architecture.arguments == {"init_values": 1e-5, "reg_tokens": 2}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"embed_dim": 65}, "timm cannot build 'test_vit'"),
        ({"growth_rate": 3}, "timm cannot build 'test_vit'"),
    ],
)
def test_arguments_that_do_not_suit_the_design(arguments: dict[str, int], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        timm_encoder("test_vit", input_px=32, **arguments)

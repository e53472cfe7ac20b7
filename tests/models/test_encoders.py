"""Every encoder that is registered keeps the same promises: to register is to be tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from prestige.errors import ConfigError, ModelError
from prestige.models.encoder import Encoder
from prestige.models.encoders import build_encoder, check_encoder, encoders
from prestige.models.timm_encoders import token_px

# Whose weights are so many that one width has to do, and whose gradients have to be without memory.
BIG = {"deepspace", "histogene_vit_per_patch", "resnet50", "efficientnet_b4", "vit_small", "stnet"}
HUGE = {"deepspace", "histogene_vit_per_patch"}
CASES = [
    *[(name, px) for name in encoders if name not in BIG for px in (16, 32, 64)],
    *[(name, 32) for name in sorted(BIG)],
]
MILLIONS = {  # without classifier, from the publications, at 224 px
    "stnet": 6.95,
    "deepspace": 134.3,
    "efficientnet_b0": 4.01,
    "efficientnet_b4": 17.55,
    "resnet18": 11.18,
    "resnet50": 23.51,
    "vit_tiny": 5.5,
    "vit_small": 21.6,
    "histogene_vit_per_patch": 68.0,
}


def build(name: str, input_px: int, seed: int = 0) -> Encoder:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build_encoder(name, input_px=input_px)


def patches(n: int, px: int) -> Tensor:
    return torch.randn(n, 3, px, px, generator=torch.Generator().manual_seed(1))


def test_the_designs_asked_for_are_registered() -> None:
    wanted = {f"compact_{size}" for size in ("xs", "s", "m", "l")} | MILLIONS.keys()
    assert wanted <= set(encoders)


@pytest.mark.parametrize(("name", "px"), CASES)
def test_every_encoder(name: str, px: int) -> None:
    encoder = build(name, px)
    assert len(encoder.mean) == len(encoder.std) == 3
    if name in MILLIONS:
        millions = sum(weight.numel() for weight in encoder.parameters()) / 1e6
        assert millions == pytest.approx(MILLIONS[name], rel=0.04)  # a ViT has fewer positions than published
    x = patches(2, px)

    encoder.eval()
    with torch.no_grad():
        before, whole = encoder(x)
        again, _ = encoder(x)
        # What lies at the centre is seen in the centre's features.
        moved = x.clone()
        middle = slice(px // 2 - 2, px // 2 + 2)
        moved[..., middle, middle] += 2.0
        after, _ = encoder(moved)
    assert before.shape == (2, encoder.centre_dim)
    assert whole.shape == (2, encoder.whole_dim)
    assert torch.isfinite(before).all()
    assert torch.isfinite(whole).all()
    assert torch.equal(before, again)
    assert (after - before).abs().max() > 1e-6

    # A gradient for every weight, in training.
    if name in HUGE:
        with torch.device("meta"):
            encoder, x = build_encoder(name, input_px=px), torch.zeros(2, 3, px, px)
    centre, whole = encoder.train()(x)
    (centre.square().sum() + whole.square().sum()).backward()
    assert not [key for key, weight in encoder.named_parameters() if weight.grad is None]


@pytest.mark.parametrize(("name", "px"), [case for case in CASES if case[0] not in HUGE])
def test_pixels_are_normalised_by_the_encoder_as_patches_are_before_it(name: str, px: int) -> None:
    encoder = build(name, px).eval()
    mean, std = (torch.tensor(colours).view(1, 3, 1, 1) for colours in (encoder.mean, encoder.std))
    x = torch.rand(2, 3, px, px, generator=torch.Generator().manual_seed(2))
    kept = x.clone()
    with torch.no_grad():
        for found, expected in zip(encoder.of_pixels(x, mean, std), encoder((x - mean) / std), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(x, kept)


@pytest.mark.parametrize("name", [name for name in encoders if name not in BIG])
def test_same_seed_same_weights(name: str) -> None:
    first, same = (build(name, 32, seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], same[key]) for key in first)


def test_another_seed_other_weights() -> None:
    first, other = (build("resnet18", 32, seed).state_dict() for seed in (3, 4))
    assert not torch.equal(first["net.conv1.weight"], other["net.conv1.weight"])


@pytest.mark.parametrize("px", [17, 31, 100])
@pytest.mark.parametrize("name", ["compact_xs", "resnet18", "efficientnet_b0"])
def test_odd_widths_pass_through_convolutions(name: str, px: int) -> None:
    centre, whole = build(name, px).eval()(patches(1, px))
    assert torch.isfinite(centre).all()
    assert torch.isfinite(whole).all()


@pytest.mark.parametrize(("name", "px"), [("stnet", 16), ("deepspace", 16), ("deepspace", 31)])
def test_poolings_leave_a_map_at_small_widths(name: str, px: int) -> None:
    with torch.device("meta" if name in HUGE else "cpu"):
        encoder = build_encoder(name, input_px=px)
        centre, whole = encoder.eval()(torch.zeros(1, 3, px, px))
    assert centre.shape == (1, encoder.centre_dim)
    assert whole.shape == (1, encoder.whole_dim)


def test_centre_is_not_the_whole_where_the_last_map_is_small() -> None:
    # At 64 px ResNet's last map has 2 x 2 cells, all of them central; the centre comes from 4 x 4 cells.
    encoder = build("resnet18", 64).eval()
    assert encoder.centre_dim == 256
    assert encoder.whole_dim == 512
    net = encoder.net
    assert isinstance(net, nn.Module)
    x = patches(1, 64)
    with torch.no_grad():
        stages = net.forward_intermediates(x)[1]  # pyright: ignore[reportCallIssue]
        centre, whole = encoder(x)
    assert torch.allclose(centre, stages[3][..., 1:3, 1:3].mean(dim=(2, 3)), atol=1e-6)
    assert torch.allclose(whole, stages[4].mean(dim=(2, 3)), atol=1e-6)


def test_large_maps_give_both_from_the_last_one() -> None:
    with torch.device("meta"):
        encoder = build_encoder("resnet18", input_px=224)
    assert encoder.centre_dim == encoder.whole_dim == 512


def test_vit_reads_the_tokens_of_the_image_not_the_class_token() -> None:
    encoder = build("vit_tiny", 32).eval()
    net = encoder.net
    assert isinstance(net, nn.Module)
    x = patches(1, 32)
    with torch.no_grad():
        tokens = net.forward_features(x)[0]  # pyright: ignore[reportCallIssue]
        centre, whole = encoder(x)
    assert tokens.shape == (17, 192)  # class token, then 4 x 4 tokens of 8 px
    middle = tokens[1:].view(4, 4, 192)[1:3, 1:3].reshape(4, 192).mean(dim=0)
    assert torch.allclose(centre[0], middle, atol=1e-6)
    assert torch.allclose(whole[0], tokens[1:].mean(dim=0), atol=1e-6)


@pytest.mark.parametrize(
    ("input_px", "native_px", "expected"),
    [
        (16, 16, 4),
        (32, 16, 8),
        (56, 16, 14),
        (64, 16, 16),
        (128, 16, 16),
        (224, 16, 16),
        (224, 14, 14),
        (26, 16, 2),
        (12, 16, 3),
        (31, 16, None),  # a prime
        (62, 16, None),  # 31 x 31 tokens of 2 px
        (4, 16, None),
    ],
)
def test_token_width(input_px: int, native_px: int, expected: int | None) -> None:
    assert token_px(input_px, native_px) == expected


def test_a_width_that_does_not_suit_is_refused_with_those_that_do() -> None:
    with pytest.raises(ModelError, match=r"31 px.*such as .*30, 32, .* px") as caught:
        build_encoder("vit_tiny", input_px=31)
    assert "\n" not in str(caught.value)
    build_encoder("vit_tiny", input_px=30)
    with pytest.raises(ModelError, match="at least 1 px"):
        build_encoder("resnet18", input_px=0)


def test_unknown_names_get_their_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'resnet18'"):
        build_encoder("resnet_18", input_px=32)
    with pytest.raises(ConfigError, match="did you mean 'timm:resnet34'") as caught:
        build_encoder("timm:resnett34", input_px=32)
    assert len(str(caught.value)) < 200
    with pytest.raises(ConfigError, match="no weights tagged 'nonsense'"):
        build_encoder("timm:resnet34.nonsense", input_px=32)


@pytest.mark.parametrize(
    ("name", "px", "dims"),
    [
        ("resnet10t", 32, (128, 512)),
        ("convnext_atto", 64, (160, 320)),  # has a norm after pooling, which we do not use
        ("swin_tiny_patch4_window7_224", 64, (384, 768)),  # channels last, of fixed input
        ("mobilenetv3_small_050", 64, (24, 288)),  # has a layer after pooling, which we do not use
        ("eva02_tiny_patch14_224", 56, (192, 192)),
        ("test_vit3", 64, (96, 96)),  # pools its tokens, so the last norm comes after
    ],
)
def test_any_timm_model(name: str, px: int, dims: tuple[int, int]) -> None:
    encoder = build("timm:" + name, px)
    assert (encoder.centre_dim, encoder.whole_dim) == dims
    assert encoder.mean == timm.get_pretrained_cfg(name).mean  # pyright: ignore[reportOptionalMemberAccess]
    centre, whole = encoder(patches(2, px))
    assert torch.isfinite(centre).all()
    assert torch.isfinite(whole).all()
    (centre.square().sum() + whole.square().sum()).backward()
    assert all(weight.grad is not None for weight in encoder.parameters() if weight.requires_grad)


def test_check_encoder() -> None:
    check_encoder("resnet18", input_px=16)
    check_encoder("deepspace", input_px=16)
    check_encoder("timm:hf-hub:somebody/something", input_px=224)
    with pytest.raises(ModelError, match="31 px"):
        check_encoder("vit_small", input_px=31)
    with pytest.raises(ConfigError, match="compact_s"):
        check_encoder("compact", input_px=32)


def test_weights_that_cannot_be_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"timm:resnet18.*cannot be had.*checkpoint: FILE") as caught:
        build_encoder("resnet18", input_px=32, pretrained=True)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"hf-hub:MahmoodLab/UNI.*huggingface.co/MahmoodLab/UNI"):
        build_encoder("timm:hf-hub:MahmoodLab/UNI", input_px=224, pretrained=True)
    with pytest.raises(ModelError, match="no pretrained weights"):
        build_encoder("histogene_vit_per_patch", input_px=32, pretrained=True)


def test_a_hub_model_without_download_says_what_to_do() -> None:
    with pytest.raises(ModelError, match="pretrained: true"):
        build_encoder("timm:hf-hub:MahmoodLab/UNI", input_px=224)
    with pytest.raises(ModelError, match="'local-dir:' is not read"):
        build_encoder("timm:local-dir:/somewhere", input_px=224)


def test_checkpoint_is_loaded_whole(tmp_path: Path) -> None:
    source = timm.create_model("test_resnet", num_classes=10)  # with a classifier, as published files have
    path = tmp_path / "weights.safetensors"
    save_file(source.state_dict(), path)
    loaded = build_encoder("timm:test_resnet", input_px=32, checkpoint=path).state_dict()
    wanted = {f"net.{key}": value for key, value in source.state_dict().items() if not key.startswith("fc.")}
    assert loaded.keys() == wanted.keys()
    assert all(torch.equal(loaded[key], wanted[key]) for key in wanted)


def test_checkpoint_of_a_vit_is_resampled_to_the_patch(tmp_path: Path) -> None:
    source = timm.create_model("test_vit", num_classes=10)
    assert source.pos_embed.shape[1] == 101  # 160 px in tokens of 16 px
    path = tmp_path / "weights.safetensors"
    save_file(source.state_dict(), path)
    loaded = build_encoder("timm:test_vit", input_px=32, checkpoint=path).state_dict()
    assert loaded["net.pos_embed"].shape[1] == 17
    assert loaded["net.patch_embed.proj.weight"].shape[2:] == (8, 8)
    assert torch.equal(loaded["net.blocks.3.mlp.fc1.weight"], source.state_dict()["blocks.3.mlp.fc1.weight"])


def test_wrong_checkpoints(tmp_path: Path) -> None:
    def load() -> None:
        build_encoder("timm:test_resnet", input_px=32, checkpoint=path)

    path = tmp_path / "weights.safetensors"
    with pytest.raises(ModelError, match="no such file"):
        load()
    save_file(timm.create_model("test_efficientnet").state_dict(), path)
    with pytest.raises(ModelError, match=r"missing \(conv1.*unknown \(blocks.0.0.bn1.bias"):
        load()
    state = timm.create_model("test_resnet").state_dict()
    name = "layer1.0.conv1.weight"
    shape = tuple(state[name].shape)
    save_file({key: value for key, value in state.items() if key != name}, path)
    with pytest.raises(ModelError, match=r"1 missing \(layer1.0.conv1.weight\)"):
        load()
    save_file({**state, name: torch.zeros(4, 1, 7, 7)}, path)
    with pytest.raises(ModelError, match=rf"'{name}' with \(4, 1, 7, 7\); expected {re.escape(str(shape))}"):
        load()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be read"):
        load()
    with pytest.raises(ModelError, match="one of the two"):
        build_encoder("resnet18", input_px=32, pretrained=True, checkpoint=path)


def test_building_an_encoder_needs_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    monkeypatch.setattr("timm.models._hub.hf_hub_download", refuse)
    for name in ("resnet18", "vit_tiny", "timm:test_resnet"):
        build_encoder(name, input_px=32)

"""The compact family: sizes, what each feature sees, cost at large patches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from prestige.errors import ModelError
from prestige.models.compact import GRID_PX, _view, grid_px, view_widths
from prestige.models.encoder import Encoder
from prestige.models.encoders import build_encoder

MILLIONS = {"compact_xs": 0.1, "compact_s": 0.4, "compact_m": 1.5, "compact_l": 5.0}
WIDTHS = (16, 17, 31, 32, 33, 48, 64, 100, 128, 224)


def build(name: str = "compact_xs", input_px: int = 64) -> Encoder:
    torch.manual_seed(0)
    return build_encoder(name, input_px=input_px).eval()


def flops(name: str, input_px: int) -> int:
    encoder = build(name, input_px)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder(torch.zeros(1, 3, input_px, input_px))
    return counter.get_total_flops()


@pytest.mark.parametrize("name", MILLIONS)
@pytest.mark.parametrize("input_px", [32, 224])
def test_number_of_parameters_is_the_stated_one(name: str, input_px: int) -> None:
    millions = sum(p.numel() for p in build(name, input_px).parameters() if p.requires_grad) / 1e6
    assert 0.75 * MILLIONS[name] < millions < 1.25 * MILLIONS[name]


@pytest.mark.parametrize("input_px", WIDTHS)
def test_any_width_gives_features_of_the_declared_sizes(input_px: int) -> None:
    encoder = build(input_px=input_px)
    centre, whole = encoder(torch.rand(2, 3, input_px, input_px))
    assert centre.shape == (2, encoder.centre_dim)
    assert whole.shape == (2, encoder.whole_dim)
    assert torch.isfinite(torch.cat([centre, whole], dim=1)).all()


def test_views_lie_about_the_middle_and_reach_the_edges() -> None:
    for input_px in range(16, 260):
        widths, grid = view_widths(input_px), grid_px(input_px)
        assert widths[-1] == input_px
        assert list(widths) == sorted(set(widths))
        assert {(input_px - width) % 2 for width in widths} == {0}
        assert len(widths) == (1 if input_px <= GRID_PX else 2)
        assert all(width >= GRID_PX - 1 for width in widths[1:])
        assert grid % 8 == 0
        assert 16 <= grid <= GRID_PX


@pytest.mark.parametrize("input_px", [64, 101, 224])
def test_centre_sees_the_middle_and_whole_sees_the_corner(input_px: int) -> None:
    encoder = build(input_px=input_px)
    plain = torch.rand(1, 3, input_px, input_px)
    middle, corner = plain.clone(), plain.clone()
    half = input_px // 2
    middle[..., half - 4 : half + 4, half - 4 : half + 4] += 1
    corner[..., :8, :8] += 1
    with torch.no_grad():
        centre, whole = encoder(plain)
        centre_of_middle, whole_of_middle = encoder(middle)
        centre_of_corner, whole_of_corner = encoder(corner)
    assert not torch.allclose(centre, centre_of_middle, atol=1e-3)
    assert not torch.allclose(whole, whole_of_middle, atol=1e-4)
    assert torch.equal(centre, centre_of_corner)
    assert not torch.allclose(whole, whole_of_corner, atol=1e-4)


@pytest.mark.parametrize("input_px", [31, 64, 100])
def test_every_pixel_of_the_patch_counts(input_px: int) -> None:
    x = torch.rand(2, 3, input_px, input_px, requires_grad=True)
    centre, whole = build(input_px=input_px).train()(x)
    (centre.square().sum() + whole.square().sum()).backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=(0, 1)) > 0).all()


@pytest.mark.parametrize("input_px", [17, 31, 32, 101])
def test_views_and_maps_are_centred(input_px: int) -> None:
    # An untrained trunk whose weights are symmetric treats a patch and its mirror image alike.
    encoder = build(input_px=input_px)
    for module in encoder.modules():
        if isinstance(module, torch.nn.Conv2d):
            weight = module.weight.data
            module.weight.data = weight + weight.flip(-1)
    x = torch.rand(2, 3, input_px, input_px)
    with torch.no_grad():
        for features, mirrored in zip(encoder(x), encoder(x.flip(-1)), strict=True):
            torch.testing.assert_close(features, mirrored, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("width", [64, 96, 224])
@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_the_whole_is_the_mean_of_squares_of_pixels(width: int, order: torch.memory_format) -> None:
    x = torch.rand(3, 3, width, width).contiguous(memory_format=order).requires_grad_()
    squares = x.detach().unfold(2, width // 32, width // 32).unfold(3, width // 32, width // 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):  # rounded no more than by the convolution that follows
        found = _view(x, width, 32)
    torch.testing.assert_close(found, squares.mean(dim=(4, 5)), atol=1e-6, rtol=1e-6)
    found.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.full_like(x, (32 / width) ** 2))


@pytest.mark.parametrize("name", MILLIONS)
def test_cost_hardly_grows_with_the_patch(name: str) -> None:
    assert flops(name, 224) < 4 * flops(name, 64)
    # Averaging a view is no convolution and no product: the trunk alone is counted, on two views of one size.
    assert flops(name, 224) == flops(name, 128) == flops(name, 64)


@pytest.mark.parametrize("input_px", [17, 64])
def test_features_do_not_depend_on_the_rest_of_the_batch(input_px: int) -> None:
    encoder = build(input_px=input_px)
    x = torch.rand(5, 3, input_px, input_px)
    with torch.no_grad():
        together = torch.cat(encoder(x), dim=1)
        alone = torch.cat([torch.cat(encoder(x[i : i + 1]), dim=1) for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", MILLIONS)
def test_gradient_reaches_every_parameter(name: str) -> None:
    encoder = build(name).train()
    torch.cat(encoder(torch.rand(4, 3, 64, 64)), dim=1).square().sum().backward()
    dead = [key for key, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert dead == []


def test_training_step_is_the_same_to_the_last_bit() -> None:
    def gradient() -> torch.Tensor:
        encoder = build().train()
        torch.manual_seed(1)
        torch.cat(encoder(torch.rand(8, 3, 64, 64)), dim=1).square().sum().backward()
        return torch.cat([p.grad.flatten() for p in encoder.parameters() if p.grad is not None])

    assert torch.equal(gradient(), gradient())


def test_too_small_a_patch_is_refused() -> None:
    with pytest.raises(ModelError, match="at least 16 px"):
        build_encoder("compact_s", input_px=15)


def test_pretrained_is_refused() -> None:
    with pytest.raises(ModelError, match="no published weights"):
        build_encoder("compact_s", input_px=32, pretrained=True)


def test_checkpoint_is_loaded(tmp_path: Path) -> None:
    saved = build(input_px=64)
    save_file(saved.state_dict(), tmp_path / "weights.safetensors")
    torch.manual_seed(7)
    loaded = build_encoder("compact_xs", input_px=64, checkpoint=tmp_path / "weights.safetensors").eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(torch.cat(saved(x), dim=1), torch.cat(loaded(x), dim=1))


def test_checkpoint_of_another_encoder_is_refused(tmp_path: Path) -> None:
    save_file(build("compact_s").state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match="weights"):
        build_encoder("compact_xs", input_px=64, checkpoint=tmp_path / "weights.safetensors")

"""The predictor: its scales, its seed, its cost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from prestige.errors import ModelError
from prestige.models.heads import LinearHead
from prestige.models.predictor import (
    Predictor,
    build_predictor,
    count_flops,
    count_parameters,
    seeded_encoder,
)
from prestige.models.settings import ModelConfig

MEAN, STD = np.array([0.5, 2.0, 0.1]), np.array([1.0, 0.5, 2.0])


def build(encoder: str = "compact_xs", *, seed: int = 0, px: int = 32, **settings: object) -> Predictor:
    config = ModelConfig.model_validate({"encoder": encoder, **settings})
    return build_predictor(config, input_px=px, train_mean=MEAN, train_std=STD, seed=seed)


def patches(n: int = 2, px: int = 32) -> torch.Tensor:
    return torch.rand(n, 3, px, px, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("norm", [{}, {"norm": "group"}], ids=str)
def test_the_encoder_of_a_predictor_is_the_seeded_one(norm: dict[str, str]) -> None:
    """What is frozen and what is trained start from the same weights."""
    config = ModelConfig.model_validate({"encoder": "compact_xs", **norm})
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    alone = seeded_encoder(config, input_px=32, seed=3).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    whole = build(seed=3, **norm).encoder.state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    other = seeded_encoder(config, input_px=32, seed=4).state_dict()
    assert list(alone) == list(whole)
    assert all(torch.equal(tensor, whole[name]) for name, tensor in alone.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in alone.items())
    assert any("running_mean" in name for name in alone) == (not norm)


@pytest.mark.parametrize("readout", ["centre_whole", "whole"])
def test_untrained_it_predicts_the_training_mean(readout: str) -> None:
    predictor = build(readout=readout)
    assert torch.equal(predictor(patches()), torch.zeros(2, 3))
    assert torch.equal(predictor.expression(patches()), torch.tensor(MEAN, dtype=torch.float32).expand(2, 3))


def test_expression_is_mean_plus_deviations_and_not_negative() -> None:
    predictor = build()
    with torch.no_grad():
        predictor.head.linear.bias.copy_(torch.tensor([1.0, -2.0, -1.0]))
    z = predictor.eval()(patches(1))
    assert z[0].tolist() == [1.0, -2.0, -1.0]
    assert predictor.expression(patches(1))[0].tolist() == pytest.approx(
        [1.5, 1.0, 0.0], abs=1e-6
    )  # 0.1 - 2 < 0
    y = torch.tensor([[1.5, 1.0, 0.1]])
    assert predictor.standardise(y)[0].tolist() == pytest.approx([1.0, -2.0, 0.0], abs=1e-6)
    assert torch.allclose(predictor.to_expression(predictor.standardise(y)), y, atol=1e-6)


def test_a_gene_without_variation_stays_finite() -> None:
    config = ModelConfig(encoder="compact_xs")
    predictor = build_predictor(config, input_px=32, train_mean=MEAN, train_std=np.zeros(3), seed=0)
    assert torch.isfinite(predictor.standardise(torch.ones(1, 3))).all()
    assert predictor.expression(patches(1))[0].tolist() == pytest.approx(MEAN.tolist())


@pytest.mark.parametrize("encoder", ["compact_xs", "resnet18"])
def test_colours_are_normalised_as_the_encoder_wants(encoder: str) -> None:
    predictor = build(encoder, px=64)
    seen = []
    first = next(module for module in predictor.encoder.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    predictor(torch.full((2, 3, 64, 64), 0.5))
    for colour, (mean, std) in enumerate(zip(predictor.encoder.mean, predictor.encoder.std, strict=True)):
        assert seen[0][0, colour, 0, 0].item() == pytest.approx((0.5 - mean) / std, abs=1e-6)


def test_weights_follow_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = build(seed=7).state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    second, other = build(seed=7).state_dict(), build(seed=8).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_every_weight_learns_once_the_head_has_moved() -> None:
    predictor = build(dropout=0.0)
    with torch.no_grad():
        nn.init.normal_(predictor.head.linear.weight)
    predictor(patches(4)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in predictor.parameters())


def test_head_reads_centre_and_whole_or_the_whole_alone() -> None:
    both, alone = (LinearHead(4, 6, 2, readout, 0.0) for readout in ("centre_whole", "whole"))
    assert (both.linear.in_features, alone.linear.in_features) == (10, 6)
    for head in (both, alone):
        nn.init.ones_(head.linear.weight)
    centre, whole = torch.randn(1, 4), torch.randn(1, 6)
    with torch.no_grad():
        both.linear.weight[:, 4:] = 0.0  # the centre comes first
        both.linear.weight[:, 1:4] = 0.0
    expected = (centre[0, 0] - centre.mean()) / torch.sqrt(centre.var(unbiased=False) + 1e-5)
    assert both(centre, whole)[0, 0].item() == pytest.approx(expected.item(), abs=1e-5)
    assert torch.equal(alone(centre, whole), alone(torch.randn(1, 4), whole))


def test_wrong_width_of_patches() -> None:
    with pytest.raises(ModelError, match="64 px; expected 32 px"):
        build()(patches(1, 64))


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        (MEAN[:0], STD[:0], "0 means"),
        (MEAN * np.nan, STD, "not finite"),
        (MEAN, -STD, "negative"),
    ],
)
def test_wrong_normalisation(mean: np.ndarray, std: np.ndarray, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        build_predictor(
            ModelConfig(encoder="compact_xs"), input_px=32, train_mean=mean, train_std=std, seed=0
        )


class _OneConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.frozen = nn.Linear(2, 2)
        self.frozen.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert not self.training
        return self.conv(x)


def test_cost_of_a_convolution_by_hand() -> None:
    module = _OneConvolution()
    # 8 x 8 places, 8 outputs, 3 x 3 x 3 inputs; a multiplication and an addition each.
    assert count_flops(module, 16) == 8 * 8 * 8 * 27 * 2
    assert module.training
    assert count_parameters(module) == 8 * 27 + 8


def test_cost_of_attention_is_counted() -> None:
    # n tokens of width c, a layer: 4 n c^2 (projections), 2 n^2 c (attention), 8 n c^2 (MLP) products.
    predictor = build("vit_tiny", px=32)
    n, c = 17, 192
    layers = 12 * (12 * n * c * c + 2 * n * n * c)
    embedding = 16 * 3 * 8 * 8 * c
    head = 2 * c * 3
    assert count_flops(predictor, 32) == 2 * (layers + embedding + head)


def test_cost_grows_with_the_patch() -> None:
    assert count_flops(build("timm:test_resnet", px=64), 64) > 3 * count_flops(build("timm:test_resnet"), 32)

"""Group normalisation in the place of batch normalisation: same weights, no look at other patches."""

import numpy as np
import pytest
import torch
from torch import nn

from prestige.errors import ConfigError, ModelError
from prestige.models.norms import replace_batch_norm
from prestige.models.predictor import Predictor, build_predictor, count_parameters
from prestige.models.settings import ModelConfig
from prestige.settings import build


def made(encoder: str, norm: str, px: int = 32) -> Predictor:
    config = ModelConfig(encoder=encoder, norm=norm)  # type: ignore[arg-type]
    return build_predictor(config, input_px=px, train_mean=np.zeros(3), train_std=np.ones(3), seed=0)


@pytest.mark.parametrize("encoder", ["compact_xs", "compact_s", "resnet18", "efficientnet_b0", "stnet"])
def test_a_patch_no_longer_depends_on_the_others_of_its_batch(encoder: str) -> None:
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    others = torch.cat([x[:1], 1 - x[1:]])
    differ = {}
    for norm in ("own", "group"):
        network = made(encoder, norm).encoder.train()
        for part in network.modules():
            if isinstance(part, nn.Dropout) or type(part).__name__ == "DropPath":
                part.eval()
        with torch.no_grad():
            one, two = network(x)[1][0], network(others)[1][0]
        differ[norm] = float((one - two).abs().max() / one.abs().max())
    assert differ["group"] < 1e-4 < differ["own"]


@pytest.mark.parametrize("encoder", ["compact_s", "resnet18", "efficientnet_b0"])
def test_the_number_of_weights_stays(encoder: str) -> None:
    own, group = made(encoder, "own"), made(encoder, "group")
    assert count_parameters(own) == count_parameters(group)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in group.modules())


def test_it_is_group_norm_by_hand_with_the_activation_kept() -> None:
    x = torch.randn(2, 48, 5, 5, generator=torch.Generator().manual_seed(1))
    network = nn.Sequential(nn.BatchNorm2d(48), nn.ReLU())
    replace_batch_norm(network, where="made")
    groups = x.reshape(2, 16, 3 * 25)  # 16 is the largest divisor of 32 and of 48
    expected = (groups - groups.mean(2, keepdim=True)) / (
        groups.var(2, unbiased=False, keepdim=True) + 1e-5
    ).sqrt()
    assert torch.allclose(network(x), expected.reshape(x.shape).relu(), atol=1e-5)


def test_a_network_without_batch_norm_is_refused() -> None:
    with pytest.raises(
        ModelError, match=r"vit_tiny: there is no batch normalisation.*leave `norm: group` out"
    ):
        made("vit_tiny", "group")


def test_stored_weights_keep_their_own_norm() -> None:
    with pytest.raises(ConfigError, match="leave 'norm: group' out"):
        build(ModelConfig, {"encoder": "resnet18", "pretrained": True, "norm": "group"}, where="run.yaml")

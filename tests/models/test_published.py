"""The published designs have the sizes that their authors give."""

from __future__ import annotations

import pytest
import torch

from prestige.errors import ModelError
from prestige.models.encoders import build_encoder

# Millions of parameters without the classifier: those of the whole network as published, less its last
# layer of 1,000 classes (ImageNet).
MILLIONS = {
    "stnet": 7.98 - 1.025,
    "deepspace": 138.36 - 4.097,
    "efficientnet_b0": 5.29 - 1.281,
    "efficientnet_b4": 19.34 - 1.793,
    "resnet18": 11.69 - 0.513,
    "resnet50": 25.56 - 2.049,
}


@pytest.mark.parametrize("name", MILLIONS)
def test_parameters(name: str) -> None:
    with torch.device("meta"):
        encoder = build_encoder(name, input_px=224)
    count = sum(parameter.numel() for parameter in encoder.parameters())
    assert count / 1e6 == pytest.approx(MILLIONS[name], rel=0.01)


def test_histogene_has_the_width_and_depth_of_the_paper() -> None:
    with torch.device("meta"):
        net = build_encoder("histogene_vit_per_patch", input_px=112).net
    assert (len(net.blocks), net.embed_dim, net.blocks[0].attn.num_heads) == (8, 1024, 16)
    with pytest.raises(ModelError, match="no pretrained weights for 'histogene_vit_per_patch'"):
        build_encoder("histogene_vit_per_patch", input_px=112, pretrained=True)


def test_deepspace_reads_its_fully_connected_layers() -> None:
    encoder = build_encoder("deepspace", input_px=32).eval()
    assert (encoder.centre_dim, encoder.whole_dim) == (512, 4096)

"""The published designs of this field, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from prestige.errors import ModelError
from prestige.models.encoder import Encoder, EncoderBuilder, encoders
from prestige.models.readout import central
from prestige.models.timm_encoders import Layout, TimmEncoder, timm_encoder
from prestige.models.timm_weights import Architecture


class DeepSpaceEncoder(TimmEncoder):
    """VGG16 with its two layers of 4,096, as DeepSpaCE has it (Monjo et al. 2022, Sci. Rep. 12:4133).

    whole = the 4,096 features that the published head reads, from a map averaged to 7 x 7 cells as
    torchvision does; so most of its 134 million parameters stand in one layer.  (A later variant leaves the
    second layer of 4,096 out and has 117 million.)
    """

    def __init__(self, net: nn.Module, layout: Layout, architecture: Architecture) -> None:
        super().__init__(net, layout, architecture)
        self.whole_dim = self.net.head_hidden_size

    def forward(self, x: Float[Tensor, "b 3 d d"]) -> tuple[Float[Tensor, "b c1"], Float[Tensor, "b c2"]]:
        """Return centre features of the convolutions and whole features of the fully connected layers."""
        fine, last = self.maps(x)
        return central(fine), self.net.pre_logits(F.adaptive_avg_pool2d(last, 7)).flatten(1)


def _from_timm(name: str, cls: type[TimmEncoder] = TimmEncoder, **arguments: Any) -> EncoderBuilder:
    def build(input_px: int, pretrained: bool, checkpoint: Path | None) -> Encoder:
        return timm_encoder(
            name, input_px=input_px, pretrained=pretrained, checkpoint=checkpoint, cls=cls, **arguments
        )

    return build


# ST-Net: He et al. 2020, Nature Biomedical Engineering 4:827.
encoders.register("stnet")(_from_timm("densenet121"))
encoders.register("deepspace")(_from_timm("vgg16", DeepSpaceEncoder, drop_rate=0.5))
encoders.register("efficientnet_b0")(_from_timm("efficientnet_b0"))
encoders.register("efficientnet_b4")(_from_timm("efficientnet_b4"))
encoders.register("resnet18")(_from_timm("resnet18"))
encoders.register("resnet50")(_from_timm("resnet50"))
encoders.register("vit_tiny")(_from_timm("vit_tiny_patch16_224"))
encoders.register("vit_small")(_from_timm("vit_small_patch16_224"))

# HisToGene (Pang, Su and Li 2021, bioRxiv 10.1101/2021.11.28.470212) attends over all spots of a section, one
# token a spot.  This is a ViT of its width, depth, heads, MLP ratio and dropout, attending within one patch.
_HISTOGENE: dict[str, Any] = {
    "embed_dim": 1024,
    "depth": 8,
    "num_heads": 16,
    "mlp_ratio": 2.0,
    "pos_drop_rate": 0.1,
    "proj_drop_rate": 0.1,
}


@encoders.register("histogene_vit_per_patch")
def _histogene_vit_per_patch(input_px: int, pretrained: bool, checkpoint: Path | None) -> Encoder:
    if pretrained:
        raise ModelError(
            "there are no pretrained weights for 'histogene_vit_per_patch'",
            where="encoder",
            remedy="leave 'pretrained' out, or choose vit_small or timm:vit_large_patch16_224",
        )
    return timm_encoder("vit_base_patch16_224", input_px=input_px, checkpoint=checkpoint, **_HISTOGENE)

"""The compact family: small convolutional encoders whose cost hardly grows with the patch.

A patch wider than ``GRID_PX`` is looked at as a pyramid: its middle ``GRID_PX`` pixels as they are, and wider
and wider views up to the whole patch, each averaged down to ``GRID_PX`` pixels.  One small trunk, the same for
all views, reads each of them.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from prestige.errors import ModelError
from prestige.models.encoder import Encoder, encoders
from prestige.models.readout import central, whole

GRID_PX = 32
SMALLEST_PX = 16


def view_widths(input_px: int) -> tuple[int, ...]:
    """Return the widths, in pixels, of the views of a patch: from its middle to all of it.

    The ratio between neighbours is constant and about 2.  All are even or all odd, as the patch is, so that
    every view lies exactly about the patch's middle.
    """
    if input_px <= GRID_PX:
        return (input_px,)
    steps = max(1, round(math.log2(input_px / GRID_PX)))
    ratio = (input_px / GRID_PX) ** (1 / steps)
    inner = (round(GRID_PX * ratio**step) for step in range(steps))
    return tuple(width - (width - input_px) % 2 for width in inner) + (input_px,)


class Residual(nn.Module):
    """``x + convolution(x)``, normalised over the batch and rectified."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + functional.relu(self.norm(self.conv(x)))


def _halve(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 2 x 2 convolution of stride 2: half the width and height, ``outputs`` channels."""
    conv = nn.Conv2d(inputs, outputs, 2, stride=2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Compact(Encoder):
    """A pyramid of views, each read by the same small trunk.

    Parameters
    ----------
    input_px
        Width of the patches, at least 16.
    channels
        Channels of the trunk's stages; each stage halves the map and then applies ``depth`` residual layers.
    depth
        Residual layers of each stage.
    """

    def __init__(self, input_px: int, channels: tuple[int, ...], depth: tuple[int, ...]) -> None:
        super().__init__()
        self.widths = view_widths(input_px)
        layers: list[nn.Module] = []
        for inputs, outputs, repeats in zip((3, *channels), channels, depth, strict=False):
            layers += [_halve(inputs, outputs), *(Residual(outputs) for _ in range(repeats))]
        self.trunk = nn.Sequential(*layers)
        self.centre_dim = channels[-1]
        self.whole_dim = channels[-1] * len(self.widths)

    def forward(self, x: Float[Tensor, "b 3 d d"]) -> tuple[Float[Tensor, "b c1"], Float[Tensor, "b c2"]]:
        views = torch.cat([_view(x, width, self.widths[0]) for width in self.widths])
        maps = self.trunk(views).chunk(len(self.widths))
        return central(maps[0]), torch.cat([whole(features) for features in maps], dim=1)


def _view(x: Float[Tensor, "b 3 d d"], width: int, grid: int) -> Float[Tensor, "b 3 h h"]:
    """Return the middle ``width`` pixels, averaged down to ``grid`` where they are more."""
    edge = (x.shape[-1] - width) // 2
    middle = x[..., edge : edge + width, edge : edge + width]
    return functional.adaptive_avg_pool2d(middle, grid) if width > grid else middle


_MEMBERS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "compact_xs": ((16, 32, 96), (1, 1, 1)),
    "compact_s": ((32, 64, 128), (1, 1, 2)),
    "compact_m": ((48, 96, 256), (1, 2, 2)),
    "compact_l": ((64, 128, 448), (2, 2, 2)),
}


def _register(name: str) -> None:
    channels, depth = _MEMBERS[name]

    @encoders.register(name)
    def build(input_px: int, pretrained: bool, checkpoint: Path | None) -> Encoder:
        if input_px < SMALLEST_PX:
            raise ModelError(
                f"a patch of {input_px} px is too small", where=name, expected=f"at least {SMALLEST_PX} px"
            )
        if pretrained and checkpoint is None:
            raise ModelError(
                "has no published weights",
                where=name,
                expected="pretrained: false",
                remedy="or name a safetensors file of your own as checkpoint",
            )
        encoder = Compact(input_px, channels, depth)
        if checkpoint is not None:
            _load(encoder, checkpoint, name)
        return encoder


def _load(encoder: Compact, checkpoint: Path, name: str) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        encoder.load_state_dict(load_file(checkpoint))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"weights cannot be loaded ({reason})", where=checkpoint, expected=name) from error


for _name in _MEMBERS:
    _register(_name)

"""The compact family: small convolutional encoders whose cost hardly grows with the patch.

A patch wider than ``GRID_PX`` is looked at twice, as an eye does: its middle ``GRID_PX`` pixels as they are,
and all of it averaged down to ``GRID_PX`` pixels.  One small trunk reads both views.  So a patch of 224
pixels costs little more than one of 64, and in equal minutes sees nearly as many observations.

What was measured on the way to this design stands in `benchmarks/compact_search.py` and `docs/log.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from prestige.errors import ModelError
from prestige.models.encoder import Encoder, encoders
from prestige.models.readout import central, whole
from prestige.models.weights import load_weights

GRID_PX = 32
"""Width of a view, in pixels as the trunk reads them."""

SMALLEST_PX = 16
"""The narrowest patch: below it the last map would have a single cell, so no centre apart from the whole."""


@dataclass(frozen=True)
class Design:
    """The trunk of one member of the family.

    Attributes
    ----------
    channels
        Channels of the stages; each halves the map.
    depth
        Residual layers of each stage.  On the first, widest map one costs as much as four on the next.
    """

    channels: tuple[int, ...]
    depth: tuple[int, ...]


DESIGNS = {
    "compact_xs": Design(channels=(32, 48, 80), depth=(0, 1, 1)),
    "compact_s": Design(channels=(32, 64, 128), depth=(0, 1, 2)),
    "compact_m": Design(channels=(64, 128, 256), depth=(0, 2, 2)),
    "compact_l": Design(channels=(96, 192, 448), depth=(0, 2, 2)),
}


def view_widths(input_px: int) -> tuple[int, ...]:
    """Return the widths, in pixels of the patch, of its views: one, or the middle and the whole.

    Both are even or both odd, so that both lie exactly about the middle of the patch.
    """
    if input_px <= GRID_PX:
        return (input_px,)
    return (GRID_PX - (input_px - GRID_PX) % 2, input_px)


def grid_px(input_px: int) -> int:
    """Return the width at which the trunk reads the views.

    A multiple of 8, the trunk's stride, so that no row of pixels is left out and the central cells of the
    maps lie about the middle of the patch.
    """
    return min(8 * round(input_px / 8), GRID_PX)


class Compact(Encoder):
    """Two views of the patch, read by one trunk of plain convolutions.

    Each stage of the trunk halves the map and goes on with residual 3 x 3 convolutions.  Its centre features
    are those of the middle view's central cells; its whole features are the means over each view.

    Parameters
    ----------
    input_px
        Width of the patches, at least 16.
    design
        Width and depth of the trunk.
    """

    def __init__(self, input_px: int, design: Design) -> None:
        super().__init__()
        self.widths = view_widths(input_px)
        self.grid = grid_px(input_px)
        layers: list[nn.Module] = []
        inputs = 3
        for channels, repeats in zip(design.channels, design.depth, strict=True):
            # The stem's windows overlap, so no edge is lost between two; the later halvings are cheap.
            shape = {"kernel": 2} if layers else {"kernel": 6, "padding": 2}
            layers.append(_convolution(inputs, channels, stride=2, **shape))
            layers += [_Residual(channels) for _ in range(repeats)]
            inputs = channels
        self.trunk = nn.Sequential(*layers)
        self.centre_dim = inputs
        self.whole_dim = inputs * len(self.widths)

    def forward(self, x: Float[Tensor, "b 3 d d"]) -> tuple[Float[Tensor, "b c1"], Float[Tensor, "b c2"]]:
        """Return features of the centre (b, c) and of the whole (b, c) or, over two views, (b, 2 c)."""
        return self._of_views(self._views(x))

    def of_pixels(
        self, x: Float[Tensor, "b 3 d d"], mean: Float[Tensor, "1 3 1 1"], std: Float[Tensor, "1 3 1 1"]
    ) -> tuple[Float[Tensor, "b c1"], Float[Tensor, "b c2"]]:
        """Return the features of patches in 0..1: the views, which are averages of pixels, are normalised."""
        return self._of_views((self._views(x) - mean).div_(std))

    def _views(self, x: Float[Tensor, "b 3 d d"]) -> Float[Tensor, "v 3 e e"]:
        return torch.cat([_view(x, width, self.grid) for width in self.widths])

    def _of_views(
        self, views: Float[Tensor, "v 3 e e"]
    ) -> tuple[Float[Tensor, "b c1"], Float[Tensor, "b c2"]]:
        maps = self.trunk(views).chunk(len(self.widths))
        return central(maps[0]), torch.cat([whole(features) for features in maps], dim=1)


def _view(x: Float[Tensor, "b 3 d d"], width: int, grid: int) -> Float[Tensor, "b 3 e e"]:
    """Return the middle ``width`` pixels, brought to ``grid``: averaged where they are more."""
    edge = (x.shape[-1] - width) // 2
    middle = x[..., edge : edge + width, edge : edge + width]
    if width % grid == 0 and width > grid:
        return _averaged(middle, grid)
    if width > grid:
        return functional.adaptive_avg_pool2d(middle, grid)
    return middle if width == grid else functional.interpolate(middle, grid, mode="bilinear")


def _averaged(x: Float[Tensor, "b 3 d d"], grid: int) -> Float[Tensor, "b 3 e e"]:
    """Return the means of squares of whole pixels.

    Rows of a square are added first, as they lie in memory: the library's pooling is slow with three channels
    last, and so has only the sums to read.
    """
    b, colours, width, _ = x.shape
    each = width // grid
    rows = x.permute(0, 2, 3, 1).reshape(b, grid, each, width * colours).sum(dim=2)
    rows = rows.view(b, grid, width, colours).permute(0, 3, 1, 2)
    return functional.avg_pool2d(rows, (1, each)) / each


def _convolution(
    inputs: int, outputs: int, *, kernel: int, stride: int = 1, padding: int = 0
) -> nn.Sequential:
    # Batch norm: without it, or with group norm, a network as small as this learned less in the same time.
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class _Residual(nn.Module):
    """The input plus one convolution of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = _convolution(channels, channels, kernel=3, padding=1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.branch(x)


def _register(name: str, design: Design) -> None:
    @encoders.register(name)
    def build(input_px: int, pretrained: bool, checkpoint: Path | None) -> Encoder:
        if input_px < SMALLEST_PX:
            raise ModelError(
                f"patches of {input_px} px are too narrow", where=name, expected=f"at least {SMALLEST_PX} px"
            )
        if pretrained:
            raise ModelError(
                "no published weights",
                where=name,
                expected="pretrained: false",
                remedy="or name a safetensors file of your own as `checkpoint`",
            )
        encoder = Compact(input_px, design)
        if checkpoint is not None:
            load_weights(encoder, checkpoint)
        return encoder


for _name, _design in DESIGNS.items():
    _register(_name, _design)

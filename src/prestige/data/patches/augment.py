"""Augmentation of whole batches: the eight symmetries of a square, and stain jitter.

Everything random comes from the generator that is passed in, so a step can be repeated from its seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, UInt8
from pydantic import Field

from prestige.data.patches.buffers import Buffers
from prestige.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

HAEMATOXYLIN = (0.650, 0.704, 0.286)
EOSIN = (0.072, 0.990, 0.105)
RESIDUAL = (0.268, 0.570, 0.776)
"""Optical density of the stains in red, green, blue (Ruifrok and Johnston 2001, AQCH 23:291)."""


class AugmentConfig(Settings):
    """What may vary between two batches that show the same patch.

    Attributes
    ----------
    flips, quarter_turns
        Mirror and turn: together the eight symmetries of the square, each as likely.
    stain_jitter
        Strength s of the stain jitter: each stain's amount is scaled by 1 +- s and shifted by
        +- s/2 (in optical density); 0 turns it off.
    """

    flips: bool = True
    quarter_turns: bool = True
    stain_jitter: float = Field(default=0.05, ge=0, le=1)


@dataclass(frozen=True, eq=False)
class AugmentParameters:
    """The augmentation drawn for each patch of a batch: how it is turned and mirrored, its stain jitter.

    Attributes
    ----------
    element
        (b,) the symmetry, as :func:`apply_symmetry` counts them.
    matrix, shift
        (b, 3, 3) and (b, 3), what optical densities go through (see :func:`draw_stains`).
    """

    element: Int[Tensor, " b"]
    matrix: Float[Tensor, "b 3 3"]
    shift: Float[Tensor, "b 3"]


def draw_parameters(b: int, config: AugmentConfig, *generators: torch.Generator) -> AugmentParameters:
    """Draw the augmentation of each of ``b`` patches of every generator, one generator's after another's.

    They are the only source of chance; on the CPU, so that every device gets the same draws.
    """
    element = draw_symmetries(b, config, *generators)
    return AugmentParameters(element, *draw_stains(b, config.stain_jitter, *generators))


def to_float(x: UInt8[Tensor, "b 3 d d"]) -> Float[Tensor, "b 3 d d"]:
    """Return bytes as 0..1 (float32), in the same memory order."""
    return x.float().mul_(1 / 255)


def augment(
    x: UInt8[Tensor, "b 3 d d"], parameters: AugmentParameters, buffers: Buffers | None = None
) -> Float[Tensor, "b 3 d d"]:
    """Return a batch, each patch turned, mirrored and its stains jittered its own way, as 0..1 (float32).

    Parameters
    ----------
    x
        (b, 3, d, d) bytes.
    parameters
        What becomes of each patch.
    buffers
        Where the result's memory comes from, where it is made on the CPU.
    """
    if x.device.type == "cpu":
        return _augment_compiled(x, parameters, buffers or Buffers())
    return restain(apply_symmetry(x, parameters.element), parameters.matrix, parameters.shift)


def draw_symmetries(b: int, config: AugmentConfig, *generators: torch.Generator) -> Int[Tensor, " n"]:
    """Draw one of the allowed symmetries for each patch, as :func:`apply_symmetry` counts them."""
    import torch

    drawn = [[torch.randint(0, n, (b,), generator=chance) for n in (4, 2)] for chance in generators]
    turns, mirror = (torch.cat(of_each) for of_each in zip(*drawn, strict=True))
    if not config.quarter_turns:
        turns = turns // 2 * 2 if config.flips else turns * 0
    return turns + 4 * mirror if config.flips else turns


def apply_symmetry(x: UInt8[Tensor, "b 3 d d"], element: Int[Tensor, " b"]) -> UInt8[Tensor, "b 3 d d"]:
    """Turn patch i by ``element[i] % 4`` quarter turns, after mirroring left-right from 4 on."""
    import torch

    out = torch.empty_like(x)
    for e in range(8):
        at = (element == e).nonzero()[:, 0].to(x.device)
        patches = x[at].flip(3) if e >= 4 else x[at]
        out[at] = torch.rot90(patches, e % 4, (2, 3))
    return out


def draw_stains(
    b: int, strength: float, *generators: torch.Generator
) -> tuple[Float[Tensor, "n 3 3"], Float[Tensor, "n 3"]]:
    """Draw for each patch the matrix and the shift that its optical densities go through.

    Colour deconvolution is linear in optical density OD = -ln((I + 1) / 256): with S the matrix of
    stain vectors, the amounts c = S^-1 OD of haematoxylin, eosin and residual become a c + b with
    a in 1 +- s and b in +- s/2, hence OD' = S diag(a) S^-1 OD + S b (after Tellez et al. 2018,
    IEEE TMI 37:2126).
    """
    import torch

    shape, kind = (2, b, 3), torch.float64
    drawn = [torch.rand(shape, generator=chance, dtype=kind) * 2 - 1 for chance in generators]
    scale, amount = torch.cat(drawn, dim=1)
    stains, inverse = _stain_vectors()
    matrix = stains @ torch.diag_embed(1 + strength * scale) @ inverse
    shift = (strength / 2 * amount) @ stains.T
    return matrix.float(), shift.float()


@cache
def _stain_vectors() -> tuple[Float[Tensor, "3 3"], Float[Tensor, "3 3"]]:
    """Return the stains' unit vectors as columns, and their inverse."""
    import torch

    stains = torch.tensor([HAEMATOXYLIN, EOSIN, RESIDUAL], dtype=torch.float64).T
    stains = stains / stains.norm(dim=0)
    return stains, torch.linalg.inv(stains)


def restain(
    x: UInt8[Tensor, "b 3 d d"], matrix: Float[Tensor, "b 3 3"], shift: Float[Tensor, "b 3"]
) -> Float[Tensor, "b 3 d d"]:
    """Jitter the stains: optical densities go through ``matrix`` and ``shift``; colours stay within 0..1."""
    import torch

    pixels = x.permute(0, 2, 3, 1).reshape(len(x), -1, 3)
    log_light = pixels.float().add_(1).mul_(1 / 256).log_()
    matrix, shift = matrix.to(x.device), shift.to(x.device)
    light = torch.baddbmm(-shift[:, None, :], log_light, matrix.mT).exp_()
    light = light.mul_(256 / 255).sub_(1 / 255).clamp_(0, 1)
    return light.reshape(len(x), *x.shape[2:], 3).permute(0, 3, 1, 2)


def _augment_compiled(x: Tensor, parameters: AugmentParameters, buffers: Buffers) -> Tensor:
    """Do the same on the CPU in one pass over the bytes (see `restain.py`)."""
    import torch

    from prestige.data.patches.restain import restain as compiled

    b, side = len(x), x.shape[-1]
    log_light = torch.log(torch.arange(1, 257, dtype=torch.float32) / 256)
    tables = torch.ones((b, 3, 256, 4))
    exponent = parameters.matrix.mT[:, :, None, :] * log_light[None, None, :, None]
    exponent[:, 0] -= parameters.shift[:, None, :]
    tables[..., :3] = exponent.exp()
    source = x.permute(0, 2, 3, 1).contiguous().reshape(b, -1).numpy()
    out = buffers.take((b, side, side, 3), np.float32)
    compiled(source, pixel_orders(side)[parameters.element].numpy(), tables.numpy(), side, out.reshape(b, -1))
    return torch.from_numpy(out).permute(0, 3, 1, 2)


@cache
def pixel_orders(side: int) -> Int[Tensor, "8 3"]:
    """Return for each symmetry where it begins in the image, its steps to the next row and column."""
    import torch

    pixel = torch.arange(side * side).reshape(side, side)
    orders = torch.zeros((8, 3), dtype=torch.int64)
    for e in range(8):
        seen = torch.rot90(pixel.flip(1) if e >= 4 else pixel, e % 4)
        orders[e, 0] = seen[0, 0]
        if side > 1:
            orders[e, 1], orders[e, 2] = seen[1, 0] - seen[0, 0], seen[0, 1] - seen[0, 0]
    return orders

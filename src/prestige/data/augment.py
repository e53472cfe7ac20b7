"""Augmentation of whole batches: the eight symmetries of a square, and stain jitter.

Everything random comes from the generator that is passed in, so a step can be repeated from its seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Float, Int, UInt8
from pydantic import Field

from prestige.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

HAEMATOXYLIN = (0.650, 0.704, 0.286)
EOSIN = (0.072, 0.990, 0.105)
RESIDUAL = (0.268, 0.570, 0.776)
"""Optical density of the stains in red, green, blue (Ruifrok and Johnston 2001, AQCH 23:291)."""


class AugmentConfig(Settings):
    """What may vary between two looks at the same patch.

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


def to_float(x: UInt8[Tensor, "b 3 d d"]) -> Float[Tensor, "b 3 d d"]:
    """Return bytes as 0..1 (float32), in the same memory order."""
    return x.float().mul_(1 / 255)


def augment(
    x: UInt8[Tensor, "b 3 d d"], config: AugmentConfig, generator: torch.Generator
) -> Float[Tensor, "b 3 d d"]:
    """Return a batch turned, mirrored and restained at random, each patch its own way, as 0..1.

    Parameters
    ----------
    x
        (b, 3, d, d) bytes.
    config
        What may vary.
    generator
        The only source of chance; on the CPU, so that every device gets the same draws.
    """
    x = _symmetries(x, config, generator)
    if config.stain_jitter == 0:
        return to_float(x)
    return _restain(x, config.stain_jitter, generator)


def _symmetries(x: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    import torch

    if not (config.flips or config.quarter_turns):
        return x
    turns = torch.randint(0, 4 if config.quarter_turns else 1, (len(x),), generator=generator)
    mirror = torch.randint(0, 2 if config.flips else 1, (len(x),), generator=generator)
    if config.flips and not config.quarter_turns:
        turns = 2 * torch.randint(0, 2, (len(x),), generator=generator)
    return apply_symmetry(x, turns + 4 * mirror)


def apply_symmetry(x: UInt8[Tensor, "b 3 d d"], element: Int[Tensor, " b"]) -> UInt8[Tensor, "b 3 d d"]:
    """Turn patch i by ``element[i] % 4`` quarter turns, after mirroring left-right from 4 on."""
    import torch

    out = torch.empty_like(x)
    for e in range(8):
        at = (element == e).nonzero()[:, 0].to(x.device)
        if len(at):
            part = x[at]
            part = part.flip(3) if e >= 4 else part
            out[at] = torch.rot90(part, e % 4, (2, 3))
    return out


def _restain(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Jitter the amounts of haematoxylin, eosin and a residual, each image its own way.

    Colour deconvolution is linear in optical density OD = -ln((I + 1) / 256): with S the matrix of
    stain vectors, amounts c = S^-1 OD become a c + b, hence OD' = S diag(a) S^-1 OD + S b: one
    3 x 3 matrix and one shift per image (Tellez et al. 2018, IEEE TMI 37:2126).
    """
    import torch

    b = len(x)
    stains = torch.tensor([HAEMATOXYLIN, EOSIN, RESIDUAL], dtype=torch.float64).T
    stains = stains / stains.norm(dim=0)
    draw = torch.rand((2, b, 3), generator=generator, dtype=torch.float64) * 2 - 1
    matrix = stains @ torch.diag_embed(1 + strength * draw[0]) @ torch.linalg.inv(stains)
    shift = (strength / 2 * draw[1]) @ stains.T
    matrix, shift = matrix.float().to(x.device), shift.float().to(x.device)
    density = x.permute(0, 2, 3, 1).reshape(b, -1, 3).float().add_(1).mul_(1 / 256).log_()
    restained = torch.baddbmm(-shift[:, None, :], density, matrix.mT).exp_()
    restained = restained.mul_(256 / 255).sub_(1 / 255).clamp_(0, 1)
    return restained.reshape(b, *x.shape[2:], 3).permute(0, 3, 1, 2)

"""Hand-made features of a patch: how much of each stain, how it is spread, and how rough it is.

Colours become optical densities and then haematoxylin, eosin and a residual by the matrix of
Ruifrok and Johnston (2001), as scikit-image has it.  Of these:

- means and deviations in nested windows (the whole patch, its half, quarter and eighth),
- quantiles of haematoxylin and eosin, whole and half, and their correlation,
- at 1, 2, 4 and 8 pixels: the deviation and the energy of the gradient, whole and half.

About 80 numbers, some tens of nanoseconds a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MIN_WINDOW = 8  # pixels
_SAMPLED = 32  # quantiles are taken over at most 32 x 32 of a window's pixels, evenly spaced
_PIXELS = 1 << 18  # pixels worked on at once: stays near the processor's cache


def patch_features(patches: UInt8[Tensor, "n 3 d d"]) -> Float[np.ndarray, "n f"]:
    """Return the features of each patch, float32; f depends on the width d alone."""
    d = patches.shape[-1]
    step = max(1, _PIXELS // (d * d))
    with torch.inference_mode():
        parts = [
            torch.cat(list(_features(patches[start : start + step])), dim=1)
            for start in range(0, len(patches), step)
        ]
    return torch.cat(parts).numpy() if parts else np.empty((0, n_features(d)), dtype=np.float32)


def n_features(d: int) -> int:
    """Return how many features a patch ``d`` pixels wide has."""
    return patch_features(torch.zeros((1, 3, d, d), dtype=torch.uint8)).shape[1]


def stains(patches: UInt8[Tensor, "n 3 d d"]) -> Float[Tensor, "n 3 d d"]:
    """Return haematoxylin, eosin and the residual of each pixel, as optical densities (decadic).

    References
    ----------
    Ruifrok and Johnston (2001), Quantification of histochemical staining by color deconvolution;
    the matrix is ``skimage.color.hed_from_rgb``.
    """
    from skimage.color import hed_from_rgb

    density = patches.to(torch.float32, memory_format=torch.contiguous_format).add_(1).div_(256).log_()
    matrix = (hed_from_rgb / -math.log(10)).tolist()  # [colour][stain], and from natural logarithms
    out = torch.empty_like(density)
    for stain in range(3):
        # Three fused steps: a matrix product with so small a matrix takes several times as long.
        torch.mul(density[:, 0], matrix[0][stain], out=out[:, stain])
        for colour in (1, 2):
            out[:, stain].add_(density[:, colour], alpha=matrix[colour][stain])
    return out


def _windows(d: int) -> list[int]:
    """Return the widths of the nested windows, the whole patch first."""
    return sorted({d, *(max(min(d, _MIN_WINDOW), d // share) for share in (2, 4, 8))}, reverse=True)


def _middle(x: Tensor, width: int) -> Tensor:
    start = (x.shape[-1] - width) // 2
    return x[..., start : start + width, start : start + width]


def _features(patches: Tensor) -> Iterator[Tensor]:
    hed = stains(patches)
    widths = _windows(hed.shape[-1])
    for width in widths:
        window = _middle(hed, width)
        yield from _mean_and_deviation(window)
    for width in widths[:2]:
        window = _middle(hed, width)[:, :2]
        yield _quantiles(window)
        yield _correlation(window)
    level, scale = hed[:, :2], 1
    while True:
        half = widths[1] // scale if len(widths) > 1 else 0
        yield from _texture(level)
        if 4 <= half < level.shape[-1]:
            yield from _texture(_middle(level, half))
        scale *= 2
        if scale > 8 or level.shape[-1] // 2 < 4:
            return
        level = avg_pool2d(level, 2)


def _mean_and_deviation(x: Tensor) -> Iterator[Tensor]:
    mean = x.mean(dim=(2, 3), keepdim=True)
    yield mean[:, :, 0, 0]
    yield (x - mean).square_().mean(dim=(2, 3)).sqrt_()


def _texture(x: Tensor) -> Iterator[Tensor]:
    """Yield the deviation and the root of the gradient's energy of each channel."""
    yield (x - x.mean(dim=(2, 3), keepdim=True)).square_().mean(dim=(2, 3)).sqrt_()
    if x.shape[-1] < 2:
        return  # a single pixel has no gradient
    down = (x[:, :, 1:] - x[:, :, :-1]).square_().mean(dim=(2, 3))
    right = (x[:, :, :, 1:] - x[:, :, :, :-1]).square_().mean(dim=(2, 3))
    yield (down + right).sqrt_()


def _correlation(x: Tensor) -> Tensor:
    """Return the correlation of the two channels over the pixels; 0 where one is constant."""
    centred = x - x.mean(dim=(2, 3), keepdim=True)
    product = (centred[:, 0] * centred[:, 1]).mean(dim=(1, 2))
    norm = centred.square_().mean(dim=(2, 3)).prod(dim=1).sqrt()
    return torch.where(norm > 1e-8, product / norm.clamp_min(1e-8), torch.zeros_like(norm))[:, None]


def _quantiles(x: Tensor) -> Tensor:
    step = -(-x.shape[-1] // _SAMPLED)
    sampled = x[:, :, ::step, ::step].flatten(2).numpy()
    values = np.sort(sampled, axis=2)  # numpy's sort is several times faster here than torch.quantile
    at = [round(q * (values.shape[2] - 1)) for q in QUANTILES]
    return torch.from_numpy(values[:, :, at]).flatten(1)

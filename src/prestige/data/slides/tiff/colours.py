"""Colours stored as YCbCr: turned into red, green and blue, or found to be red, green and blue already."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8

from prestige.data.slides.tiff import directories as tags
from prestige.data.slides.tiff.directories import Directory

_LUMA = (0.299, 0.587, 0.114)
_REFERENCE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)
_OUT_BY = 24  # levels; the losses of JPEG stay below
_OUT_SHARE = 0.02

Pixels = UInt8[np.ndarray, "h w 3"]


def rgb_of_ycbcr(tile: Pixels, page: Directory) -> Pixels:
    """Return the colours of a tile whose numbers are Y, Cb and Cr.

    Source of the formula: TIFF 6.0, section 21, with the page's own YCbCrCoefficients and ReferenceBlackWhite
    where it has such that can be true, else those of CCIR 601-1 over the full range.
    """
    red, green, blue = _three(page, tags.YCBCR_COEFFICIENTS, _LUMA)
    black_y, white_y, black_cb, white_cb, black_cr, white_cr = _six(page)
    numbers = tile.astype(np.float32)
    y = (numbers[..., 0] - black_y) * np.float32(255 / (white_y - black_y))
    cb = (numbers[..., 1] - black_cb) * np.float32(127 / (white_cb - black_cb))
    cr = (numbers[..., 2] - black_cr) * np.float32(127 / (white_cr - black_cr))
    out = np.empty_like(numbers)
    out[..., 0] = y + np.float32(2 - 2 * red) * cr
    out[..., 2] = y + np.float32(2 - 2 * blue) * cb
    out[..., 1] = (y - np.float32(red) * out[..., 0] - np.float32(blue) * out[..., 2]) / np.float32(green)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def _three(page: Directory, tag: int, default: tuple[float, float, float]) -> tuple[float, float, float]:
    values = tuple(float(value) for value in page.numbers.get(tag, ()))
    is_one = len(values) == 3 and all(0 < value < 1 for value in values)
    return (values[0], values[1], values[2]) if is_one else default


def _six(page: Directory) -> tuple[float, ...]:
    values = tuple(float(value) for value in page.numbers.get(tags.REFERENCE_BLACK_WHITE, ()))
    is_one = len(values) == 6 and all(
        0 <= black < white <= 255 for black, white in zip(values[::2], values[1::2], strict=True)
    )
    return values if is_one else _REFERENCE


def is_rgb(tiles: Iterable[Pixels]) -> bool:
    """Whether numbers that are said to be Y, Cb and Cr cannot be that, and so are red, green and blue.

    Pixels that were made from RGB lead back into 0..255 but for the losses of JPEG.  Where a good share
    leaves that range by far, nothing was converted when the file was written; a reader that trusts the tag
    shows white as (255, 120, 255) and clips most of the tissue's colours.
    """
    out, seen = 0, 0
    for tile in tiles:
        y, cb, cr = np.moveaxis(tile[::2, ::2].astype(np.float32), 2, 0)
        red, blue = y + 1.402 * (cr - 128), y + 1.772 * (cb - 128)
        beyond = np.maximum(np.maximum(red, blue) - 255, -np.minimum(red, blue))
        out, seen = out + int((beyond > _OUT_BY).sum()), seen + beyond.size
    return out > _OUT_SHARE * seen

"""Whether an image shows transmitted light: stained tissue on bright glass, and no fluorescence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from prestige.errors import AGAIN, DataError

_ASKED = 48  # squares along each side of the image, at most
_SQUARE_PX = 8
_BLACK, _DARK, _BRIGHT = 3, 60, 100  # mean of the colours
_LEAST_SHARE = 0.01
_ANOTHER = "name the H&E image; one of fluorescence (DAPI, IF) is none"
_COLOURS = ("red", "green", "blue")


def check_brightfield(pixels: UInt8[np.ndarray, "height width 3"], *, where: str | Path) -> None:
    """Refuse an image whose background is dark, as that of fluorescence is.

    Squares of 8 pixels on a grid are looked at, without those that are black throughout (a border, what a
    scanner did not store).  Transmitted light has a mean of at least 100 there; a section that was stained
    very darkly still has a median of 60 and bright places.  Glass shows every colour, so one that is 0 in all
    squares was lost.

    Raises
    ------
    DataError
        Naming the file.
    """
    y, x = (np.arange(0, max(1, side - _SQUARE_PX + 1), max(1, side // _ASKED)) for side in pixels.shape[:2])
    rows, columns = (
        np.minimum(start[:, None] + np.arange(_SQUARE_PX), side - 1)
        for start, side in zip((y, x), pixels.shape, strict=False)
    )
    squares = np.asarray(pixels[rows[:, None, :, None], columns[None, :, None, :]])  # (y, x, 8, 8, 3)
    bright = squares.reshape(len(y) * len(x), -1, 3).mean(axis=2)
    seen = bright[bright.max(axis=1) > _BLACK]
    if len(seen) <= _LEAST_SHARE * len(bright):
        raise _refused("is black", where)
    if without := [
        name for name, most in zip(_COLOURS, squares.max(axis=(0, 1, 2, 3)), strict=True) if not most
    ]:
        remedy = AGAIN if len(without) == 1 else _ANOTHER  # a dye is shown in one colour
        raise _refused(f"has no {' and no '.join(without)}", where, remedy)
    mean, median, light = float(seen.mean()), float(np.median(seen)), float(np.percentile(seen, 95))
    if mean < _BRIGHT and (median < _DARK or light < _BRIGHT):
        raise _refused(f"is dark: its pixels are {mean:.0f} of 255 in the mean", where)


def _refused(what: str, where: str | Path, remedy: str = _ANOTHER) -> DataError:
    return DataError(
        f"the image {what}",
        where=where,
        expected="an H&E image: stained tissue on a bright background",
        remedy=remedy,
    )

"""Whether observations lie on tissue: how many of their centres show nothing but bare glass.

Places that are swapped, in micrometres or of another level of the image often lie inside it all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

ASKED = 300
"""Centres that are looked at, and about as many places of the slide."""

_REACH_PX, _STEP_PX = 4, 2  # 5 x 5 pixels of the 9 x 9 around a place
_FLAT, _GREY, _CLEAR = 0.02, 0.06, 0.15  # optical densities
_SPREAD = 0.02  # above the slide's own glass
_NOTED, _MOST, _SURE = 0.25, 0.5, 0.1
_SWAPPED = "x and y may be swapped"


@dataclass(frozen=True)
class Glass:
    """The bare glass of a slide: flat, grey and clear, as its most common place is.

    Attributes
    ----------
    density
        Its optical density.
    share
        Of the slide that is bare glass.
    """

    density: float
    share: float


def glass_of(pixels: UInt8[np.ndarray, "height width 3"]) -> Glass | None:
    """Return the bare glass of a slide; None where it shows hardly any, or none that is clear and grey.

    Places on a grid over the slide are glass where the optical density (decadic, the mean of the colours)
    deviates by less than 0.02 within 9 pixels, differs by less than 0.06 between colours, and is that of the
    most common such place, at most 0.15.
    """
    side = int(np.sqrt(ASKED)) + 1
    height, width = pixels.shape[:2]
    y, x = (((np.arange(side) + 0.5) * size / side) for size in (height, width))
    grid = np.column_stack([np.tile(x, side), np.repeat(y, side)])
    density, even = _look(pixels, grid)
    values = np.sort(density[even])
    least = max(10, len(density) // 10)
    if len(values) < least:
        return None
    narrow = max(5, len(values) // 10)
    start = int(np.argmin(values[narrow - 1 :] - values[: len(values) - narrow + 1]))
    common = float(values[start + narrow // 2])
    glass = even & (density < common + _SPREAD)
    if common > _CLEAR or glass.sum() < least:
        return None
    return Glass(common, float(glass.mean()))


def share_on_glass(
    pixels: UInt8[np.ndarray, "height width 3"], xy_px: Float[np.ndarray, "n 2"], glass: Glass
) -> float:
    """Return the share of places, all inside the image, that show bare glass."""
    return float(on_glass(pixels, xy_px, glass).mean())


def on_glass(
    pixels: UInt8[np.ndarray, "height width 3"], xy_px: Float[np.ndarray, "n 2"], glass: Glass
) -> Bool[np.ndarray, " n"]:
    """Say which places, all inside the image, show bare glass."""
    density, even = _look(pixels, xy_px)
    return even & (density < glass.density + _SPREAD)


def flat_and_grey(
    pixels: UInt8[np.ndarray, "height width 3"], xy_px: Float[np.ndarray, "n 2"]
) -> Bool[np.ndarray, " n"]:
    """Say which places, all inside the image, show neither colour nor texture: glass, its shadow, a frame."""
    return _look(pixels, xy_px)[1]


def glass_note(
    pixels: UInt8[np.ndarray, "height width 3"], xy_px: Float[np.ndarray, "n 2"], um_per_px: float
) -> str | None:
    """Return a sentence where many centres lie on bare glass, with what would bring them onto tissue.

    It is told from half of the centres on; from a quarter on where that is no less than half the share of the
    whole slide, as places have that know nothing of the tissue; from a tenth on where swapping x and y would
    leave a third of it.

    Parameters
    ----------
    pixels, xy_px, um_per_px
        The slide, the centres inside it, and the width of a pixel.
    """
    glass = glass_of(pixels)
    if glass is None or not len(xy_px):
        return None
    asked = xy_px[np.random.default_rng(0).permutation(len(xy_px))[:ASKED]]
    share = share_on_glass(pixels, asked, glass)
    if share < _SURE:
        return None
    limit = np.array([pixels.shape[1], pixels.shape[0]]) - 0.5
    left = {
        words: share_on_glass(pixels, places, glass)
        for words, places in _other_ways(asked, um_per_px).items()
        if (places < limit).all() and not np.allclose(places, asked)
    }
    best = min(left, key=lambda words: left[words], default=None)
    swapped = left.get(_SWAPPED, 1.0) <= share / 3
    if not (swapped or share > _MOST or (share >= _NOTED and share >= glass.share / 2)):
        return None
    hint = f": {best} ({left[best]:.0%} then)" if best is not None and left[best] <= share / 2 else ""
    return f"{share:.0%} of the centres lie on bare glass ({glass.share:.0%} of the slide is){hint}"


def _other_ways(xy_px: Float[np.ndarray, "n 2"], um_per_px: float) -> dict[str, Float[np.ndarray, "n 2"]]:
    """Return what the places would be by mistakes that happen, by what is to be said of them."""
    ways = {_SWAPPED: xy_px[:, ::-1]}
    for factor in sorted({2.0, 4.0, 1 / um_per_px}):
        meant = [f"of a level {factor:g} times smaller"] * (factor in (2, 4))
        meant += ["in micrometres"] * (abs(factor * um_per_px - 1) < 1e-9)
        ways["they may be " + " or ".join(meant)] = xy_px * factor
    return ways


def _look(
    pixels: UInt8[np.ndarray, "height width 3"], xy_px: Float[np.ndarray, "n 2"]
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return the optical density around each place, and whether it is flat and grey there."""
    height, width = pixels.shape[:2]
    offsets = np.arange(-_REACH_PX, _REACH_PX + 1, _STEP_PX)
    x, y = np.rint(xy_px).astype(np.int64).T
    rows = np.clip(y[:, None, None] + offsets[None, :, None], 0, height - 1)
    columns = np.clip(x[:, None, None] + offsets[None, None, :], 0, width - 1)
    seen = np.asarray(pixels[rows, columns], dtype=np.float64)  # (n, 5, 5, 3)
    density = -np.log10((seen + 1) / 256)
    colours = density.mean(axis=(1, 2))
    flat = density.mean(axis=3).std(axis=(1, 2)) < _FLAT
    return colours.mean(axis=1), flat & (np.ptp(colours, axis=1) < _GREY)

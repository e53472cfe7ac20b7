"""Pixels with transparency, put on white."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8


def on_white(rgba: UInt8[np.ndarray, "h w 4"], *, premultiplied: bool = False) -> UInt8[np.ndarray, "h w 3"]:
    """Return what is seen of transparent pixels on white.

    Parameters
    ----------
    rgba
        Red, green, blue, and how opaque they are.
    premultiplied
        Whether the colours were multiplied by that already.
    """
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    if (alpha == 255).all():
        return np.ascontiguousarray(rgb)
    opaque = alpha.astype(np.uint32)
    seen = rgb.astype(np.uint32) * (255 if premultiplied else opaque) + 255 * (255 - opaque)
    return np.minimum((seen + 127) // 255, 255).astype(np.uint8)

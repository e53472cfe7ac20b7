"""Pixels of another width by area averaging: each new pixel is the mean of what lies under it.

Compiled, for the same reasons as :mod:`prestige.data.patches.crop`, and without the interpreter's lock.
"""

import inspect

import numpy as np
from jaxtyping import UInt8
from numba import njit, types

_PIXELS = types.Array(types.uint8, 3, "C", readonly=True)
_OUT = types.Array(types.uint8, 3, "C")


def _average(pixels, top, left, step, out):
    height, width = pixels.shape[0], pixels.shape[1]
    rows, columns = out.shape[0], out.shape[1]
    line = np.empty(3 * width, dtype=np.float32)
    for r in range(rows):
        first = top + r * step
        last = first + step
        line[:] = 0
        weights = np.float32(0)
        for y in range(max(int(np.floor(first)), 0), min(int(np.ceil(last)), height)):
            weight = np.float32(min(last, y + 1.0) - max(first, y * 1.0))
            if weight <= 1e-6:
                continue
            weights += weight
            source = pixels[y].reshape(3 * width)
            for k in range(3 * width):
                line[k] += weight * source[k]
        for c in range(columns):
            start = left + c * step
            end = start + step
            red, green, blue, total = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for x in range(max(int(np.floor(start)), 0), min(int(np.ceil(end)), width)):
                weight = np.float32(min(end, x + 1.0) - max(start, x * 1.0))
                if weight <= 1e-6:
                    continue
                total += weight
                red += weight * line[3 * x]
                green += weight * line[3 * x + 1]
                blue += weight * line[3 * x + 2]
            total *= weights
            if total > 0:
                out[r, c, 0] = np.uint8(red / total + np.float32(0.5))
                out[r, c, 1] = np.uint8(green / total + np.float32(0.5))
                out[r, c, 2] = np.uint8(blue / total + np.float32(0.5))
            else:
                out[r, c, 0] = out[r, c, 1] = out[r, c, 2] = 255


_compiled = njit(
    types.void(_PIXELS, types.float64, types.float64, types.float64, _OUT), nogil=True, cache=True
)(inspect.unwrap(_average))


def area_mean(
    pixels: UInt8[np.ndarray, "h w 3"], top: float, left: float, step: float, size: tuple[int, int]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return pixels of ``step`` times the width of those given; white where none lie under them.

    Parameters
    ----------
    top, left
        Where the first new pixel begins, in pixels of those given.
    step
        The width of a new pixel, likewise.
    size
        Rows and columns of new pixels.
    """
    out = np.empty((*size, 3), dtype=np.uint8)
    _compiled(np.ascontiguousarray(pixels), float(top), float(left), float(step), out)
    return out

"""The compiled augmentation of bytes on the CPU: symmetry and stain jitter in one pass.

A stain jitter is linear in optical density, so a channel of the new colour is a product of three
factors, each a function of one old byte: ``T[r, c] * T[g, c] * T[b, c]``.  Three tables of 256
entries per image replace a logarithm, a matrix product and an exponential for each pixel, and
are exact; the three channels of the new colour are computed at once, which is twice as fast as one by
one.  Kept in a file of its own because importing it loads numba and, once per machine, compiles for
about a second (the result is cached on disk).
"""

import inspect

import numpy as np
from numba import njit, types

from prestige.data.patches.intrinsics import product

_WIDTH = 4  # numbers of a table's entry: three colours, and one that nobody reads
_BATCH = types.Array(types.uint8, 2, "C", readonly=True)
_TABLES = types.Array(types.float32, 4, "C", readonly=True)
_ORDERS = types.Array(types.int64, 2, "C", readonly=True)
_OUT = types.Array(types.float32, 2, "C")


def _restain(batch, orders, tables, side, out):
    line = np.float32(256 / 255), np.float32(1 / 255)
    flat, width = tables.reshape(tables.size), np.uint64(_WIDTH)
    colours = width * np.uint64(256)
    last = np.empty(_WIDTH, np.float32)
    for i in range(batch.shape[0]):
        image, to = batch[i], out[i]
        red = np.uint64(i) * np.uint64(3) * colours
        green, blue = red + colours, red + np.uint64(2) * colours
        first, down, right = orders[i, 0], orders[i, 1], orders[i, 2]
        p, q = first, np.uint64(0)
        for r in range(side):
            p = first + r * down
            # A pixel's fourth number is overwritten by the next one's first; the last pixel has no next.
            for _ in range(side - 1 if r == side - 1 else side):
                s = np.uint64(3 * p)
                a = red + width * np.uint64(image[s])
                b = green + width * np.uint64(image[s + np.uint64(1)])
                c = blue + width * np.uint64(image[s + np.uint64(2)])
                product(flat, (a, b, c), line, to, q)  # pyright: ignore[reportCallIssue]
                p += right
                q += np.uint64(3)
        s = np.uint64(3 * p)
        a = red + width * np.uint64(image[s])
        b = green + width * np.uint64(image[s + np.uint64(1)])
        c = blue + width * np.uint64(image[s + np.uint64(2)])
        product(flat, (a, b, c), line, last, np.uint64(0))  # pyright: ignore[reportCallIssue]
        for k in range(np.uint64(3)):
            to[q + np.uint64(k)] = last[k]


restain = njit(types.void(_BATCH, _ORDERS, _TABLES, types.int64, _OUT), nogil=True, cache=True)(
    inspect.unwrap(_restain)  # the shape checks of the tests wrap every function they import
)
"""Turn and mirror a batch, and jitter its stains.

Parameters, in order: the images' bytes (b, d*d*3), pixel by pixel; for each image the order
of its pixels (b, 3): first pixel, step to the next row, step to the next column; the tables
(b, 3, 256, 4) float32 of transmittance by old channel, old byte and new channel (the fourth pads
to a power of two); d; the result (b, d*d*3) float32 in 0..1.
"""

"""The compiled augmentation of bytes on the CPU: turn, mirror and restain in one pass.

A stain jitter is linear in optical density, so a channel of the new colour is a product of three
factors, each a function of one old byte: ``T[r, c] * T[g, c] * T[b, c]``.  Three tables of 256
entries per image replace a logarithm, a matrix product and an exponential for each pixel, and
are exact.  Kept in a file of its own because importing it loads numba and, once per machine,
compiles for about a second (the result is cached on disk).
"""

import inspect

import numpy as np
from numba import njit, types

_BATCH = types.Array(types.uint8, 2, "C", readonly=True)
_TABLES = types.Array(types.float32, 4, "C", readonly=True)
_WALKS = types.Array(types.int64, 2, "C", readonly=True)
_OUT = types.Array(types.float32, 2, "C")


def _restain(batch, walks, tables, side, out):
    scale, offset = np.float32(256 / 255), np.float32(1 / 255)
    low, high = np.float32(0), np.float32(1)
    for i in range(batch.shape[0]):
        image, table, to = batch[i], tables[i], out[i]
        red, green, blue = table[0], table[1], table[2]
        first, down, right = walks[i, 0], walks[i, 1], walks[i, 2]
        q = np.uint64(0)
        for r in range(side):
            p = first + r * down
            for _ in range(side):
                s = np.uint64(3 * p)
                a = np.uint64(image[s])
                b = np.uint64(image[s + np.uint64(1)])
                c = np.uint64(image[s + np.uint64(2)])
                for k in range(np.uint64(3)):
                    value = red[a, k] * green[b, k] * blue[c, k] * scale - offset
                    to[q + np.uint64(k)] = min(max(value, low), high)
                q += np.uint64(3)
                p += right


restain = njit(types.void(_BATCH, _WALKS, _TABLES, types.int64, _OUT), nogil=True, cache=True)(
    inspect.unwrap(_restain)  # the shape checks of the tests wrap every function they import
)
"""Turn, mirror and restain a batch.

Parameters, in order: the images' bytes (b, d*d*3), pixel by pixel; for each image the walk over
its pixels (b, 3): first pixel, step to the next row, step to the next column; the tables
(b, 3, 256, 4) float32 of transmittance by old channel, old byte and new channel (the fourth pads
to a power of two); d; the result (b, d*d*3) float32 in 0..1.
"""

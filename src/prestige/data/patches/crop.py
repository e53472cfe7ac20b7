"""The compiled crop: rows of pixels copied from a memory-mapped slide into a batch.

Kept in a file of its own because importing it loads numba and, once per machine, compiles for
about a second (the result is cached on disk).  Written over flat byte arrays with unsigned
indices: the compiler then turns the inner loop into wide moves, five times as fast as the same
loop over three-dimensional arrays with signed indices.  The global interpreter lock is released, so
several threads can crop parts of one batch.
"""

import inspect

import numpy as np
from numba import njit, types

_SLIDE = types.Array(types.uint8, 3, "C", readonly=True)
_WINDOWS = types.Array(types.int64, 2, "C", readonly=True)
_BATCH = types.Array(types.uint8, 4, "C")


def _over_the_edge(slide, window, size, batch):
    image, left, top, dx, dy = window
    for r in range(size):
        y = min(max(top + r, 0), slide.shape[0] - 1)
        for c in range(size):
            x = min(max(left + c, 0), slide.shape[1] - 1)
            for k in range(3):
                batch[image, dy + r, dx + c, k] = slide[y, x, k]


over_the_edge = njit(nogil=True)(inspect.unwrap(_over_the_edge))


def _crop(slide, windows, size, batch):
    height, width = slide.shape[0], slide.shape[1]
    side = batch.shape[1]
    source, out = slide.reshape(height * width * 3), batch.reshape(batch.size)
    row, line = np.uint64(3 * width), np.uint64(3 * side)
    for j in range(windows.shape[0]):
        image, left, top, dx, dy = windows[j]
        if left < 0 or top < 0 or left + size > width or top + size > height:
            over_the_edge(slide, windows[j], size, batch)
            continue
        p, q = np.uint64(3 * (top * width + left)), np.uint64(((image * side + dy) * side + dx) * 3)
        for _ in range(size):
            for c in range(np.uint64(3 * size)):
                out[q + np.uint64(c)] = source[p + np.uint64(c)]
            p += row
            q += line


crop = njit(types.void(_SLIDE, _WINDOWS, types.int64, _BATCH), nogil=True, cache=True)(
    inspect.unwrap(_crop)  # the shape checks of the tests wrap every function they import
)
"""Copy square windows of one slide into a batch of images.

Parameters, in order: the slide's pixels (h, w, 3) uint8; the windows (n, 5) int64, each the image
of the batch it goes to, its left and top edge in the slide, its left and top edge in that image;
the windows' width; the batch (b, side, side, 3) uint8.  Outside the slide the nearest edge pixel
is repeated.  Nothing is checked: a window must fit into its image.
"""

"""Compiled rank correlation of rows: a radix sort, which needs as many passes as a key has bytes.

Kept in a file of its own because importing it loads numba and, once per machine, compiles for some
seconds (the result is cached on disk).  The global interpreter lock is released, so several threads can
take rows of one array each.
"""

import inspect

import numpy as np
from numba import njit, types

_BITS = 8
_DIGITS = 1 << _BITS


def _ranks(keys, doubled, order, other, count):
    """Write into ``doubled`` twice the average rank (from 0) of each of n keys."""
    n = keys.shape[0]
    for i in range(n):
        order[i] = i
    for byte in range(keys.itemsize):
        shift = _BITS * byte
        count[:] = 0
        for i in range(n):
            count[(keys[i] >> shift) & (_DIGITS - 1)] += 1
        if count[(keys[0] >> shift) & (_DIGITS - 1)] == n:
            continue  # all keys have this digit: their order stays
        total = 0
        for digit in range(_DIGITS):
            here = count[digit]
            count[digit] = total
            total += here
        for i in range(n):
            row = order[i]
            digit = (keys[row] >> shift) & (_DIGITS - 1)
            other[count[digit]] = row
            count[digit] += 1
        order, other = other, order
    start = 0
    while start < n:
        end, key = start + 1, keys[order[start]]
        while end < n and keys[order[end]] == key:
            end += 1
        for i in range(start, end):
            doubled[order[i]] = start + end - 1
        start = end


_ranks_compiled = njit(nogil=True, cache=True)(inspect.unwrap(_ranks))


def _keys(bits, keys):
    """Write unsigned integers in the order of the floats that ``bits`` are of; equal where they are."""
    one, top = bits.dtype.type(1), bits.dtype.type(8 * bits.itemsize - 1)
    sign = one << top
    for i in range(bits.shape[0]):
        value = bits[i]
        if value == sign:
            value = bits.dtype.type(0)  # -0 is 0
        # All bits flip for negatives, the sign bit for the rest.
        keys[i] = ~value if value & sign else value | sign


_keys_compiled = njit(nogil=True, cache=True)(inspect.unwrap(_keys))


def _rank_correlation(p, t, out):
    rows, n = p.shape
    keys = np.empty(n, p.dtype)
    order, other = np.empty(n, np.int32), np.empty(n, np.int32)
    rank_p, rank_t = np.empty(n, np.int64), np.empty(n, np.int64)
    count = np.empty(_DIGITS, np.int64)
    for row in range(rows):
        _keys_compiled(p[row], keys)
        _ranks_compiled(keys, rank_p, order, other, count)
        _keys_compiled(t[row], keys)
        _ranks_compiled(keys, rank_t, order, other, count)
        pp = tt = pt = 0.0
        for i in range(n):
            # Twice the rank less twice the mean rank: whole numbers, so that a constant row is exactly 0.
            a, b = float(rank_p[i] - (n - 1)), float(rank_t[i] - (n - 1))
            pp += a * a
            tt += b * b
            pt += a * b
        norms = np.sqrt(pp) * np.sqrt(tt)
        out[row] = min(max(pt / norms, -1.0), 1.0) if norms > 0 else np.nan


def _signatures():
    for unsigned in (types.uint32, types.uint64):
        bits = types.Array(unsigned, 2, "C", readonly=True)
        yield types.void(bits, bits, types.Array(types.float64, 1, "C"))


rank_correlation = njit(list(_signatures()), nogil=True, cache=True)(inspect.unwrap(_rank_correlation))
"""Write Spearman's correlation of the rows of two arrays into a third; NaN where one is constant.

Parameters, in order: the two arrays (r, n), float32 or float64, as the unsigned integers of their bits; the
correlations (r,) float64.  No value may be NaN.
"""

"""Duplicates and near-duplicates: tissue that stands in a data set twice, under two names.

On two sides of a split they are data leakage.  Exact copies are found by their content; copies that
were compressed again, scaled, turned or mirrored by a perceptual hash; tables by the counts of single
observations, so that a part of a section under another name is found too.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, UInt8, UInt64
from scipy.fft import dctn

if TYPE_CHECKING:
    from prestige.data.sample import Sample

LIKENESS = 0.75
"""Share of equal hash bits from which two images count as one.  Bits of unrelated images agree in half of
the cases, with a standard deviation of 0.03 for the 255 bits of a hash."""

MIN_TOTAL, MIN_GENES = 30, 12
"""Counts and genes an observation needs before the same counts elsewhere are more than chance."""

_THUMB_PX, _BITS_A_SIDE, _READ_PX = 64, 16, 256


def perceptual_hashes(pixels: UInt8[np.ndarray, "height width 3"]) -> Bool[np.ndarray, "8 255"]:
    """Return the hash of an image as it is and in its seven other turns and mirrorings.

    The image is brought to 64 x 64 grey values; the bits are the signs of the 255 lowest
    coefficients of their cosine transform but the mean (after Zauner 2010, "Implementation and
    benchmarking of perceptual image hash functions", chapter 3).
    """
    thumb = _thumbnail(pixels)
    hashes = []
    for mirrored in (thumb, thumb[:, ::-1]):
        for turns in range(4):
            waves = dctn(np.rot90(mirrored, turns), norm="ortho")[:_BITS_A_SIDE, :_BITS_A_SIDE]
            hashes.append(waves.reshape(-1)[1:] > 0)
    return np.stack(hashes)


def likeness(a: Bool[np.ndarray, "8 h"], b: Bool[np.ndarray, "8 h"]) -> float:
    """Return the share of equal bits of two images' hashes, at the best of the eight ways to turn one."""
    return float((a == b[0]).mean(axis=1).max())


def _thumbnail(pixels: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "s s"]:
    """Return grey values of an image shrunk to a square, read thinly: a slide may be large."""
    rows, columns = (_places(size) for size in pixels.shape[:2])
    grey = pixels[rows][:, columns].astype(np.float64).mean(axis=2)
    step = _READ_PX // _THUMB_PX
    grey = grey.reshape(_THUMB_PX, step, _THUMB_PX, step).mean(axis=(1, 3))
    return grey - grey.mean()


def _places(size: int) -> np.ndarray:
    return ((np.arange(_READ_PX) + 0.5) * size / _READ_PX).astype(np.int64)


def row_hashes(sample: Sample) -> tuple[np.ndarray, UInt64[np.ndarray, " k"]]:
    """Return the rows of a sample with enough counts to be known by them, and a hash of each one's counts.

    The hash is a sum over genes of count times a number drawn from the gene's name, so neither the
    order of genes nor that of observations matters.
    """
    of_gene = np.array(
        [int.from_bytes(hashlib.sha256(gene.encode()).digest()[:8], "little") for gene in sample.genes],
        dtype=np.uint64,
    )
    counts = sample.counts
    totals = np.asarray(counts.sum(axis=1)).reshape(-1)
    enough = (totals >= MIN_TOTAL) & (np.diff(counts.indptr) >= MIN_GENES) & sample.measured
    rows = np.flatnonzero(enough)
    chosen = counts[rows]
    with np.errstate(over="ignore"):
        terms = chosen.data.astype(np.uint64) * of_gene[chosen.indices]
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
        return rows, sums[chosen.indptr[1:]] - sums[chosen.indptr[:-1]]

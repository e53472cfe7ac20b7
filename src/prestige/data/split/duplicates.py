"""Duplicates and near-duplicates: tissue that stands in a data set twice, under two names.

On two sides of a split they are data leakage.  Exact copies are found by their content; copies that
were compressed again, scaled, turned or mirrored by a perceptual hash; tables by the counts of single
observations, so that a part of a section under another name is found too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, UInt8, UInt64
from scipy.fft import dctn
from scipy.ndimage import binary_dilation, gaussian_filter

if TYPE_CHECKING:
    from prestige.data.sample import Sample

LIKENESS = 0.75
"""Share of equal hash bits from which two images count as one.  Bits of unrelated images agree in half of
the cases, with a standard deviation of 0.03 for the 255 bits of a hash."""

MIN_TOTAL, MIN_GENES = 30, 12
"""Counts and genes an observation needs before the same counts elsewhere are more than chance."""

_THUMB_PX, _BITS_A_SIDE, _READ_PX = 64, 16, 256
_OUTLINE_LIKENESS = 0.6  # from here on it is asked what the outline has part in
_GLASS_SHARE, _GLASS_WIDTH, _GLASS_SPREAD = 0.1, 6.0, 8.0  # of the thumbnail; grey levels
_FEWEST, _REACH = 100, 6.0  # cells of tissue in common; cells that what is beside them is filled from


@dataclass(frozen=True, eq=False)
class ImageHash:
    """What an image is known by.

    Attributes
    ----------
    bits
        Its hash as it is and in its seven other turns and mirrorings.
    grey
        The thumbnail it was made of.
    beside
        Which of it is bare glass, with the cells next to it.
    """

    bits: Bool[np.ndarray, "8 255"]
    grey: Float[np.ndarray, "s s"]
    beside: Bool[np.ndarray, "s s"]


def perceptual_hashes(pixels: UInt8[np.ndarray, "height width 3"]) -> ImageHash:
    """Return the hash of an image as it is and in its seven other turns and mirrorings.

    The image is brought to 64 x 64 grey values; the bits are the signs of the 255 lowest
    coefficients of their cosine transform but the mean (after Zauner 2010, "Implementation and
    benchmarking of perceptual image hash functions", chapter 3).
    """
    grey = _thumbnail(pixels)
    bits = np.stack([_bits(turned) for turned in _turns(grey - grey.mean())])
    return ImageHash(bits, grey, _beside(grey))


def likeness(a: ImageHash, b: ImageHash) -> float:
    """Return the share of equal bits of two images' hashes, at the best of the eight ways to turn one.

    Two round cores are alike by their outline.  So where more than chance agrees, the bits are taken anew of
    the tissue that both show, what lies beside it filled smoothly from its rim, in both images alike.
    """
    shares = (a.bits == b.bits[0]).mean(axis=1)
    if shares.max() < _OUTLINE_LIKENESS:
        return float(shares.max())
    without = []
    for share, grey, beside in zip(shares, _turns(a.grey), _turns(a.beside), strict=True):
        tissue = ~(beside | b.beside)
        if tissue.all() or tissue.sum() < _FEWEST:
            without.append(share)
        elif share >= _OUTLINE_LIKENESS:
            inside = (_bits(_filled(grey, tissue)) == _bits(_filled(b.grey, tissue))).mean()
            without.append(min(share, inside))
    return float(max(without, default=_OUTLINE_LIKENESS))


def _bits(grey: Float[np.ndarray, "s s"]) -> Bool[np.ndarray, "h"]:
    waves = dctn(grey, norm="ortho")[:_BITS_A_SIDE, :_BITS_A_SIDE]
    return waves.reshape(-1)[1:] > 0


def _turns(image: np.ndarray) -> list[np.ndarray]:
    return [np.rot90(mirrored, turns) for mirrored in (image, image[:, ::-1]) for turns in range(4)]


def _beside(grey: Float[np.ndarray, "s s"]) -> Bool[np.ndarray, "s s"]:
    """Say what of a thumbnail is bare glass: one narrow, bright range of grey that a tenth of it has."""
    values = np.sort(grey.reshape(-1))
    tenth = int(_GLASS_SHARE * len(values))
    widths = values[tenth - 1 :] - values[: len(values) - tenth + 1]
    start = int(np.argmin(widths))
    common = values[start + tenth // 2]
    glass = np.abs(grey - common) < _GLASS_SPREAD
    if widths[start] > _GLASS_WIDTH or glass.all() or common <= grey[~glass].mean():
        return np.zeros_like(glass)
    return np.asarray(binary_dilation(glass))


def _filled(grey: Float[np.ndarray, "s s"], tissue: Bool[np.ndarray, "s s"]) -> Float[np.ndarray, "s s"]:
    """Return grey values of tissue about their mean; what lies beside it goes over into the mean."""
    centred = np.where(tissue, grey - grey[tissue].mean(), 0.0)
    weight = gaussian_filter(tissue.astype(np.float64), _REACH, mode="nearest")
    smooth = gaussian_filter(centred, _REACH, mode="nearest") / np.maximum(weight, 1e-3)
    return np.where(tissue, centred, smooth * np.minimum(1.0, weight / 0.1))


def _thumbnail(pixels: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "s s"]:
    """Return grey values of an image shrunk to a square, read thinly: a slide may be large."""
    rows, columns = (_places(size) for size in pixels.shape[:2])
    grey = pixels[rows][:, columns].astype(np.float64).mean(axis=2)
    step = _READ_PX // _THUMB_PX
    return grey.reshape(_THUMB_PX, step, _THUMB_PX, step).mean(axis=(1, 3))


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

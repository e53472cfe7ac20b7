"""Moments: what is kept of a prediction so that intervals can be made without it.

Number, sums, squares and products per gene and spatial block are enough to compute each gene's
Pearson correlation exactly, over all observations or over any resample of the blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped

from prestige.compute.files import whole_file
from prestige.errors import DataError, StorageError, reading
from prestige.inputs import plain_file

SCHEMA = "prestige.moments/1"
# A variance below this share of the mean square is the rounding of a constant.
_ROUNDING = 1e-12
_OFFSET = 1 << 20


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the observations of c clusters (a spatial block of a sample) for g genes.

    Attributes
    ----------
    sample, block
        Name of the sample and number of the block, (c,).
    n
        Observations in each cluster, (c,).
    sum_p, sum_t, sum_pp, sum_tt, sum_pt
        Sums of the prediction p, the truth t, their squares and product, (c, g), float64.
    genes
        Names of the g genes.
    """

    sample: Shaped[np.ndarray, " c"]
    block: Int[np.ndarray, " c"]
    n: Int[np.ndarray, " c"]
    sum_p: Float[np.ndarray, "c g"]
    sum_t: Float[np.ndarray, "c g"]
    sum_pp: Float[np.ndarray, "c g"]
    sum_tt: Float[np.ndarray, "c g"]
    sum_pt: Float[np.ndarray, "c g"]
    genes: tuple[str, ...]

    def save(self, path: Path) -> None:
        """Write an ``.npz`` without pickle, whole or not at all.

        Raises
        ------
        StorageError
            When it cannot be written.
        """
        arrays = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "genes"}
        arrays["sample"] = self.sample.astype(np.str_)
        arrays["genes"] = np.array(self.genes, dtype=np.str_)
        arrays["schema"] = np.array(SCHEMA)
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> Moments:
        """Read what :meth:`save` wrote.

        Raises
        ------
        StorageError
            When the file is missing, cut off or something else.
        """
        remedy = "run the same `prestige bench` or `train` again, which scores it anew"
        plain_file(path, expected="moments of a finished run", kind=StorageError, remedy=remedy)
        # Opened here: numpy leaves a file open that it finds broken.
        with (
            reading(path, expected=f"an npz of {SCHEMA}", remedy=remedy, kind=StorageError),
            Path(path).open("rb") as file,
            np.load(file, allow_pickle=False) as stored,
        ):
            arrays = {item.name: np.asarray(stored[item.name]) for item in fields(cls)}
            schema = str(stored["schema"])
            genes = tuple(str(gene) for gene in arrays.pop("genes").ravel())
            c, g = len(arrays["block"]), len(genes)
            shapes = {name: (c, g) if name in _SUMS else (c,) for name in arrays}
            odd = [name for name, array in arrays.items() if array.shape != shapes[name]]
            kinds = {"sample": "U", "block": "i", "n": "i"}
            odd += [name for name, array in arrays.items() if array.dtype.kind not in kinds.get(name, "f")]
        if schema != SCHEMA or odd:
            what = f"the array '{odd[0]}' is of another form" if odd else f"is of the schema {schema}"
            raise StorageError(what, where=path, expected=f"an npz of {SCHEMA}", remedy=remedy)
        return cls(genes=genes, **arrays)

    def take_genes(self, genes: Sequence[str]) -> Moments:
        """Return the moments of these genes alone, in this order.

        Raises
        ------
        DataError
            When one is not among them.
        """
        position = {gene: i for i, gene in enumerate(self.genes)}
        missing = [gene for gene in genes if gene not in position]
        if missing:
            raise DataError(f"the gene '{missing[0]}' has no moments", expected="genes of the panel")
        if tuple(genes) == self.genes:
            return self
        columns = [position[gene] for gene in genes]
        sums = {name: getattr(self, name)[:, columns] for name in _SUMS}
        return Moments(sample=self.sample, block=self.block, n=self.n, genes=tuple(genes), **sums)


_SUMS = ("sum_p", "sum_t", "sum_pp", "sum_tt", "sum_pt")


def spatial_blocks(xy_um: Float[np.ndarray, "n 2"], block_um: float) -> Int[np.ndarray, " n"]:
    """Return the number of the square of width ``block_um`` (um) in which each position lies.

    The squares are those of one fixed grid from the origin of the sample, so that the same tissue
    has the same number in every fold and run.

    Raises
    ------
    DataError
        When ``block_um`` is not positive or a position is not finite or lies absurdly far out.
    """
    if not block_um > 0:
        raise DataError(f"the width of a block is {block_um} um", expected="a positive number")
    square = np.floor(xy_um / block_um)
    if not (np.isfinite(square) & (np.abs(square) < _OFFSET)).all():
        raise DataError(
            "a position is NaN, infinite or too far out for blocks", expected=f"within 1e6 x {block_um} um"
        )
    square = square.astype(np.int64) + _OFFSET
    return square[:, 0] * (2 * _OFFSET) + square[:, 1]


def places_of_blocks(block: Int[np.ndarray, " c"]) -> tuple[Int[np.ndarray, " c"], Int[np.ndarray, " c"]]:
    """Return column and row of blocks in the grid of :func:`spatial_blocks`, both may be negative."""
    return block // (2 * _OFFSET) - _OFFSET, block % (2 * _OFFSET) - _OFFSET


def neighbours(
    block: Int[np.ndarray, " c"], dx: int, dy: int
) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
    """Return the pairs (a, b) of blocks of one sample in which b lies ``dx`` and ``dy`` squares from a."""
    order = np.argsort(block)
    wanted = block + (dx * (2 * _OFFSET) + dy)
    at = np.minimum(np.searchsorted(block, wanted, sorter=order), len(block) - 1)
    found = block[order[at]] == wanted
    return np.flatnonzero(found), order[at][found]


def clusters_of(
    sample_of: Shaped[np.ndarray, " n"], block_of: Int[np.ndarray, " n"]
) -> tuple[Shaped[np.ndarray, " c"], Int[np.ndarray, " c"], Int[np.ndarray, " n"]]:
    """Return sample and block of each cluster, sorted by both, and the cluster of each observation."""
    samples, code = np.unique(sample_of, return_inverse=True)
    blocks, of_block = np.unique(block_of, return_inverse=True)
    clusters, cluster = np.unique(code * len(blocks) + of_block, return_inverse=True)
    return samples[clusters // len(blocks)], blocks[clusters % len(blocks)].astype(np.int64), cluster


def merge_blocks(moments: Moments, times: int) -> Moments:
    """Return the moments over blocks ``times`` as wide: squares of times x times of the present ones.

    For blocks that turn out to be shorter than the tissue's correlation length asks for.

    Raises
    ------
    DataError
        When ``times`` is below 1.
    """
    if times < 1:
        raise DataError(f"blocks cannot be merged {times} times", expected="1 or more")
    if times == 1:
        return moments
    x, y = places_of_blocks(moments.block)
    sample, block, into = clusters_of(
        moments.sample, (x // times + _OFFSET) * (2 * _OFFSET) + y // times + _OFFSET
    )
    sums = {name: np.zeros((len(block), len(moments.genes))) for name in _SUMS}
    for name, out in sums.items():
        np.add.at(out, into, getattr(moments, name))
    n = np.zeros(len(block), dtype=np.int64)
    np.add.at(n, into, moments.n)
    return Moments(sample=sample, block=block, n=n, genes=moments.genes, **sums)


def moments_of(
    pred: Float[np.ndarray, "n g"],
    truth: Float[np.ndarray, "n g"],
    sample_of: Shaped[np.ndarray, " n"],
    block_of: Int[np.ndarray, " n"],
    genes: Sequence[str],
) -> Moments:
    """Sum prediction and truth over the observations of each (sample, block), sorted by both.

    Raises
    ------
    DataError
        When the arrays do not fit each other.
    """
    if pred.shape != truth.shape or pred.shape != (len(sample_of), len(genes)):
        raise DataError(
            f"prediction {pred.shape} and truth {truth.shape} do not fit "
            f"{len(sample_of)} observations of {len(genes)} genes"
        )
    sample, block, cluster = clusters_of(sample_of.astype(np.str_), block_of)
    order = np.argsort(cluster, kind="stable")
    n = np.bincount(cluster, minlength=len(block))
    sums = {name: np.empty((len(block), len(genes))) for name in _SUMS}
    for c, (start, size) in enumerate(zip(np.cumsum(n) - n, n, strict=True)):
        rows = order[start : start + size]
        p, t = pred[rows].astype(np.float64), truth[rows].astype(np.float64)
        sums["sum_p"][c], sums["sum_t"][c] = p.sum(axis=0), t.sum(axis=0)
        sums["sum_pp"][c] = np.einsum("ij,ij->j", p, p)
        sums["sum_tt"][c] = np.einsum("ij,ij->j", t, t)
        sums["sum_pt"][c] = np.einsum("ij,ij->j", p, t)
    return Moments(sample=sample, block=block, n=n, genes=tuple(genes), **sums)


def gene_pearson(moments: Moments) -> dict[str, Float[np.ndarray, " g"]]:
    """Return for each sample the Pearson correlation of each gene; NaN where either side is constant."""
    found = {}
    for sample in np.unique(moments.sample):
        rows = moments.sample == sample
        n = np.array([float(moments.n[rows].sum())])
        p, t, pp, tt, pt = (getattr(moments, name)[rows].sum(axis=0, keepdims=True) for name in _SUMS)
        spread_p, spread_t = centred(n, p, pp), centred(n, t, tt)
        r = correlation(n, p, t, pt, spread_p, spread_t)
        found[str(sample)] = np.where((spread_p > 0) & (spread_t > 0), r, np.nan)[0]
    return found


def mean_gene_pearson(moments: Moments) -> float:
    """Return the mean over genes within a sample, then over samples, of the per-gene Pearson correlation.

    Genes whose truth is constant in a sample are left out there; a constant prediction counts 0.
    NaN when no gene of any sample varies.
    """
    means = []
    for sample in np.unique(moments.sample):
        rows = moments.sample == sample
        scores = resampled_means(np.ones((1, int(rows.sum()))), moments, rows)
        means.append(scores[0])
    defined = [score for score in means if np.isfinite(score)]
    return float(np.mean(defined)) if defined else float("nan")


def resampled_means(
    weights: Float[np.ndarray, "d r"], moments: Moments, rows: Shaped[np.ndarray, "*any"]
) -> Float[np.ndarray, " d"]:
    """Return the mean per-gene Pearson of the clusters ``rows`` for each set of cluster weights.

    Genes whose truth is constant under the weights are left out, for every configuration alike; a
    constant prediction counts 0; NaN where no gene is left.
    """
    n = weights @ moments.n[rows].astype(np.float64)
    t, tt = weights @ moments.sum_t[rows], weights @ moments.sum_tt[rows]
    p, pp = weights @ moments.sum_p[rows], weights @ moments.sum_pp[rows]
    pt = weights @ moments.sum_pt[rows]
    spread_t = centred(n, t, tt)
    r = correlation(n, p, t, pt, centred(n, p, pp), spread_t)
    scored = (spread_t > 0).sum(axis=1)
    return np.divide(r.sum(axis=1), scored, out=np.full(len(n), np.nan), where=scored > 0)


def centred(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Return the sums of squared deviations, (..., d, g), exactly zero where they are but rounding."""
    out = squares - total**2 / np.maximum(n, 1.0)[:, None]
    out[out <= _ROUNDING * squares] = 0.0
    return out


def correlation(
    n: np.ndarray, p: np.ndarray, t: np.ndarray, pt: np.ndarray, spread_p: np.ndarray, spread_t: np.ndarray
) -> np.ndarray:
    """Return Pearson's correlation from sums, (d, g), zero where it is not defined."""
    product = pt - p * t / np.maximum(n, 1.0)[:, None]
    norm = np.sqrt(spread_p) * np.sqrt(spread_t)
    r = np.divide(product, norm, out=np.zeros_like(product), where=norm > 0)
    return np.clip(r, -1.0, 1.0, out=r)

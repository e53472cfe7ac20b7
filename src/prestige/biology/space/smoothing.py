"""How much smoother in space is a prediction than the tissue?  Covariance over distance, on both sides.

Different observations share no counting noise, so their covariance is free of it on both sides: nothing has
to be drawn, and the depth does not matter.  An observation is never paired with itself; what is particular
to single cells (and to the assay: depth, segmentation) asks nothing of a prediction here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Shaped
from scipy.sparse import csr_array
from scipy.spatial import KDTree

from prestige.errors import DataError
from prestige.stats.bootstrap import MIN_CLUSTERS
from prestige.stats.space import neighbour_distances, rows_of_samples, spacing_um

MAX_ANCHORS = 4000
"""Observations that are paired with others, over all samples."""

_NEIGHBOUR = 8  # whose distance tells the spacing
_PAIRS = 16  # of an anchor in each class of distance
_CLASSES = 12
_NEAR = 2  # classes that count as "near neighbours"
_REACH = 20.0  # spacings up to the farthest class, ...
_EXTENT = 0.35  # ... but at most this part of the narrowest sample that is used
_NARROW = 0.5  # of the reach that most observations have: samples with less are left out
_SIDE = 8  # blocks along a sample's side
_SHOWN = 0.05  # near covariance over variance from which a gene's prediction has structure at all, ...
_Z = 4.0  # ... and standard errors, for this and for the measured curve
_CHUNK = 64  # genes at a time
_BASIS = 14
_LENGTHS = 60
_LEVEL = 0.9
_MIN_OBSERVATIONS = 100


@dataclass(frozen=True, eq=False)
class Smoothing:
    """What the covariances over distance say.

    Attributes
    ----------
    length_um
        Standard deviation of the Gaussian kernel that makes the measured tissue as smooth as the prediction;
        0 where the prediction is as fine as the tissue or finer, NaN where there is nothing to compare.
    low_um, high_um
        Its interval of 90 % from resampled spatial blocks; NaN where there are fewer than 10 of them.
    lost, lost_low, lost_high
        Share of the measured covariance between near neighbours that such a kernel takes away, and its
        interval: in tissue of wide structures a kernel of some spacings takes little.
    spacing_um
        Distance between neighbouring observations: of a square grid as dense as they are.
    n_genes
        Genes that were compared: those whose prediction has structure in space.
    measured_structure
        Whether the measured covariance at near neighbours is beyond chance.
    n_blocks
        Blocks of the interval.
    distance_um, measured, predicted
        The curves of the compared genes: covariance over variance; the predicted one is brought to the
        measured height at near neighbours gene by gene, so only its shape says anything.
    left_out
        Samples that are too small or too narrow to have a part in it.
    why_not
        Why nothing was compared, where the tissue does not allow it.
    """

    length_um: float
    low_um: float
    high_um: float
    lost: float
    lost_low: float
    lost_high: float
    spacing_um: float
    n_genes: int
    measured_structure: bool
    n_blocks: int
    distance_um: Float[np.ndarray, " c"]
    measured: Float[np.ndarray, " c"]
    predicted: Float[np.ndarray, " c"]
    left_out: tuple[str, ...] = ()
    why_not: str = ""

    @classmethod
    def unknown(cls, why_not: str) -> Smoothing:
        """Return what stands where the tissue allows no smoothing length."""
        nan, none = math.nan, np.zeros(0)
        return cls(nan, nan, nan, nan, nan, nan, nan, 0, False, 0, none, none, none, why_not=why_not)

    @property
    def averaged(self) -> float:
        """The number of observations that such a kernel averages: 4 pi length^2 / spacing^2, at least 1."""
        if not math.isfinite(self.length_um):
            return math.nan
        return max(1.0, 4 * math.pi * (self.length_um / self.spacing_um) ** 2)


def smoothing_length(
    measured: Float[np.ndarray, "n g"],
    predicted: Float[np.ndarray, "n g"],
    xy_um: Float[np.ndarray, "n 2"],
    sample_of: Shaped[np.ndarray, " n"],
    *,
    draws: int = 200,
    seed: int = 0,
) -> Smoothing:
    """Return the width of the kernel that makes the measured tissue as smooth as the prediction.

    The measured covariance over distance, c(d), averaged over genes, is described by Gaussians of many
    lengths s with weights a >= 0 (any scale mixture: exponential, Matern; Rasmussen and Williams 2006,
    Gaussian Processes for Machine Learning, section 4.2) and a constant, which is the mean that centring
    took off: ``c(d) = sum_s a_s exp(-d^2 / 4 s^2) + c0``.  In the plane, convolution with a Gaussian kernel
    of standard deviation w makes of it

        c_w(d) = sum_s a_s s^2 / (s^2 + w^2) exp(-d^2 / (4 (s^2 + w^2))) + c0,

    since variances of kernels add up.  The length is the w for which a multiple of c_w (and a constant) fits
    the predicted covariance best.  The multiple is free, so a prediction that is right but weak (shrunken)
    has length 0, as has one with noise of single observations.  A mean over a disc of radius R has about R /
    2.

    Every gene counts in the predicted curve as much as it does in the measured one, so a prediction that
    knows only the coarser genes is not called smooth for it.

    Samples with fewer than 100 observations, and those so narrow that they would halve the reach that most
    observations have, are left out; the narrowest of the others sets the reach.

    Parameters
    ----------
    measured, predicted
        Values on the log1p scale; the prediction without noise.
    draws
        Resamples of blocks, 8 x 8 a sample.

    Raises
    ------
    DataError
        When no sample has 100 observations, or all lie at one place.
    """
    rng = np.random.default_rng(seed)
    used = _wide_enough(xy_um, sample_of)
    groups = list(used.values())
    rows = np.concatenate(groups)
    spacing = float(np.median([_spacing(xy_um[group]) for group in groups]))
    edges = _edges([xy_um[group] for group in groups], spacing)
    pairs = [_pairs(xy_um[group], edges, spacing, len(rows), rng) for group in groups]
    sums = _Sums.of(groups, pairs, measured, predicted)
    answer = _compare(sums, edges, spacing, draws, rng)
    left_out = tuple(name for name, _ in rows_of_samples(sample_of) if name not in used)
    return replace(answer, left_out=left_out)


def _wide_enough(xy_um: np.ndarray, sample_of: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rows of the samples that are used: large enough, and not far narrower than the others."""
    groups = {name: rows for name, rows in rows_of_samples(sample_of) if len(rows) >= _MIN_OBSERVATIONS}
    if not groups:
        raise DataError(
            f"no sample has {_MIN_OBSERVATIONS} observations",
            where="smoothing length",
            expected="more of them",
        )
    spacing = float(np.median([_spacing(xy_um[rows]) for rows in groups.values()]))
    reach = {name: _reach(xy_um[rows], spacing) for name, rows in groups.items()}
    by_observation = np.repeat(list(reach.values()), [len(rows) for rows in groups.values()])
    least = _NARROW * float(np.median(by_observation))
    return {name: rows for name, rows in groups.items() if reach[name] >= least}


def _reach(xy_um: np.ndarray, spacing: float) -> float:
    return min(_REACH * spacing, _EXTENT * float(np.ptp(xy_um, axis=0).min()))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of one sample: anchors, their block, and for each class the others of each anchor."""

    anchors: np.ndarray
    block: np.ndarray
    others: list[csr_array]
    distance: Float[np.ndarray, "a c"]


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over the pairs of each block: number, distance, and products over variance on either side."""

    number: Float[np.ndarray, "b c"]
    distance: Float[np.ndarray, "b c"]
    measured: Float[np.ndarray, "b c g"]
    predicted: Float[np.ndarray, "b c g"]

    @staticmethod
    def of(
        groups: Sequence[np.ndarray], pairs: Sequence[_Pairs], measured: np.ndarray, predicted: np.ndarray
    ) -> _Sums:
        number, distance, products = [], [], ([], [])
        for of_sample in pairs:
            blocks, code = np.unique(of_sample.block, return_inverse=True)
            by_block = csr_array(
                (np.ones(len(code)), (code, np.arange(len(code)))), shape=(len(blocks), len(code))
            )
            counted = np.stack([np.diff(others.indptr) for others in of_sample.others], axis=1).astype(
                np.float64
            )
            number.append(by_block @ counted)
            distance.append(by_block @ of_sample.distance)
            for out, values in zip(products, (measured, predicted), strict=True):
                out.append(_products(values, groups[len(out)], of_sample, by_block))
        scaled = []
        for out, values in zip(products, (measured, predicted), strict=True):
            spread = _spread(values, groups)
            together = np.concatenate(out)
            scaled.append(np.divide(together, spread, out=np.zeros_like(together), where=spread > 0))
        return _Sums(np.concatenate(number), np.concatenate(distance), *scaled)


def _centred(values: np.ndarray, rows: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield chunks of genes less their mean over the rows; a gene that is constant but for rounding is 0."""
    for first in range(0, values.shape[1], _CHUNK):
        genes = slice(first, first + _CHUNK)
        z = values[rows, genes].astype(np.float64)
        mean = z.mean(axis=0)
        z -= mean
        z[:, z.std(axis=0) <= 1e-6 * np.abs(mean)] = 0.0
        yield genes, z


def _products(
    values: np.ndarray, rows: np.ndarray, pairs: _Pairs, by_block: csr_array
) -> Float[np.ndarray, "b c g"]:
    out = np.zeros((by_block.shape[0], len(pairs.others), values.shape[1]))
    for genes, z in _centred(values, rows):
        of_anchors = z[pairs.anchors]
        for number, others in enumerate(pairs.others):
            out[:, number, genes] = by_block @ (of_anchors * (others @ z))
    return out


def _spread(values: np.ndarray, groups: Sequence[np.ndarray]) -> Float[np.ndarray, " g"]:
    """Return the variance of each gene within samples."""
    total = np.zeros(values.shape[1])
    for rows in groups:
        for genes, z in _centred(values, rows):
            total[genes] += np.square(z).sum(axis=0)
    return total / sum(len(rows) for rows in groups)


def _spacing(xy: np.ndarray) -> float:
    """Return the spacing of observations, from some thousands of them."""
    some = slice(None, None, max(1, len(xy) // 5000))
    return spacing_um(neighbour_distances(xy, _NEIGHBOUR, some), _NEIGHBOUR)


def _edges(places: Sequence[np.ndarray], spacing: float) -> Float[np.ndarray, " e"]:
    extent = min(float(np.ptp(xy, axis=0).min()) for xy in places)
    longest = min(_reach(xy, spacing) for xy in places)
    if not spacing > 0 or longest <= 3 * spacing:
        raise DataError(
            f"observations {spacing:.3g} um apart in a sample {extent:.3g} um wide say nothing of structure",
            where="smoothing length",
            expected="a sample about ten observations wide or wider",
        )
    return np.concatenate([[0.0], np.geomspace(1.3 * spacing, longest, _CLASSES)])


def _pairs(xy: np.ndarray, edges: np.ndarray, spacing: float, total: int, rng: np.random.Generator) -> _Pairs:
    """Draw places at distances of each class from each anchor, and take the observations nearest to them."""
    n = len(xy)
    tree = KDTree(xy)
    wanted = max(1, round(min(1.0, MAX_ANCHORS / total) * n))
    anchors = np.sort(rng.choice(n, min(n, wanted), replace=False))
    at = xy[anchors][:, None]
    others, distances = [], []
    for low, high in itertools.pairwise(edges):
        away = np.sqrt(rng.uniform(low**2, high**2, (len(anchors), _PAIRS)))
        angle = rng.uniform(0, 2 * np.pi, away.shape)
        place = at + np.stack([away * np.cos(angle), away * np.sin(angle)], axis=-1)
        miss, near = (np.asarray(x).reshape(away.shape) for x in tree.query(place.reshape(-1, 2)))
        distance = np.linalg.norm(xy[near] - at, axis=-1)
        good = (near != anchors[:, None]) & (distance > low) & (distance <= high)
        good &= miss < spacing  # beyond: holes and edges of the tissue
        # Of two observations at one place neither is nearer than the class says.
        good |= (near != anchors[:, None]) & (distance == 0) & (low == 0)
        row = np.nonzero(good)[0]
        start = np.concatenate([[0], np.cumsum(good.sum(axis=1))])
        others.append(csr_array((np.ones(len(row)), near[good], start), shape=(len(anchors), n)))
        distances.append((distance * good).sum(axis=1))
    extent = np.maximum(np.ptp(xy, axis=0), 1e-9)
    cell = np.minimum(((xy[anchors] - xy.min(axis=0)) / extent * _SIDE).astype(np.int64), _SIDE - 1)
    return _Pairs(anchors, cell[:, 0] * _SIDE + cell[:, 1], others, np.stack(distances, axis=1))


def _compare(
    sums: _Sums, edges: np.ndarray, spacing: float, draws: int, rng: np.random.Generator
) -> Smoothing:
    blocks = len(sums.number)
    n_pairs = sums.number.sum(axis=0)
    distance = np.divide(sums.distance.sum(axis=0), n_pairs, out=edges[1:].copy(), where=n_pairs > 0)
    seen = n_pairs > 0
    once = np.ones((1, blocks))
    near = _near(once @ sums.predicted.reshape(blocks, -1), once @ sums.number, sums.predicted.shape[1:])[0]
    # A gene whose prediction has no structure in space has no smoothness either: its curve is noise, and
    # brought to the measured height it would be noise many times as large.
    structured = near > max(_SHOWN, _Z / math.sqrt(max(1.0, n_pairs[:_NEAR].sum())))
    weights = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=draws).astype(np.float64)
    weights = np.concatenate(
        [once, weights]
    )  # row 0 is the tissue as it is: one product for it and the draws
    some = structured if structured.any() else np.ones(len(structured), dtype=bool)
    kept = _Sums(sums.number, sums.distance, sums.measured[:, :, some], sums.predicted[:, :, some])
    measured, predicted = _curves(kept, weights, scaled=bool(structured.any()))
    error = measured[1:].std(axis=0)
    size = measured[0, :_NEAR].mean()
    # Where the measured curve may be flat by chance, every kernel fits: a length would be made of noise.
    shown = bool(size > _Z * measured[1:, :_NEAR].mean(axis=1).std() and size > 0)
    length = low = high = lost = lost_low = lost_high = math.nan
    if structured.any() and shown:
        # Classes weigh by their precision, but for a floor: a mixture of Gaussians is no closer than some
        # per cent to any tissue, and the classes that vary least would otherwise decide alone.
        weight = 1 / (error[seen] ** 2 + (0.03 * np.abs(measured[0]).max()) ** 2)
        fits = _Kernels(distance[seen], spacing, weight)
        length, lost = fits.length(measured[0, seen], predicted[0, seen])
        if blocks >= MIN_CLUSTERS:
            # Percentiles, since the length is bounded by 0 and has no derivative there to studentise with.
            drawn = [fits.length(m[seen], p[seen]) for m, p in zip(measured[1:], predicted[1:], strict=True)]
            ends = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
            (low, lost_low), (high, lost_high) = ends.tolist()
    return Smoothing(
        length_um=length,
        low_um=low,
        high_um=high,
        lost=lost,
        lost_low=lost_low,
        lost_high=lost_high,
        spacing_um=spacing,
        n_genes=int(structured.sum()),
        measured_structure=shown,
        n_blocks=blocks,
        distance_um=distance[seen],
        measured=measured[0, seen],
        predicted=predicted[0, seen] if structured.any() else np.zeros(int(seen.sum())),
    )


def _near(products: np.ndarray, number: np.ndarray, shape: Sequence[int]) -> Float[np.ndarray, "d g"]:
    """Return for each of d draws the covariance at near neighbours."""
    table = products.reshape(len(products), *shape)
    return (table[:, :_NEAR] / np.maximum(number, 1)[:, :_NEAR, None]).mean(axis=1)


def _curves(
    sums: _Sums, weights: np.ndarray, *, scaled: bool
) -> tuple[Float[np.ndarray, "d c"], Float[np.ndarray, "d c"]]:
    """Return the measured curve of each draw, and the predicted one at the measured height, gene by gene."""
    blocks, classes, genes = sums.measured.shape
    number = np.maximum(weights @ sums.number, 1)
    measured, predicted = np.zeros((2, len(weights), classes))
    for first in range(0, genes, _CHUNK):
        chunk = slice(first, first + _CHUNK)
        m, p = (
            (weights @ side[:, :, chunk].reshape(blocks, -1)).reshape(len(weights), classes, -1)
            / number[:, :, None]
            for side in (sums.measured, sums.predicted)
        )
        measured += m.sum(axis=2) / genes
        if scaled:
            height = m[:, :_NEAR].mean(axis=1) / np.maximum(p[:, :_NEAR].mean(axis=1), _SHOWN / 4)
            predicted += (p * height[:, None, :]).sum(axis=2) / genes
    return measured, predicted


class _Kernels:
    """Measured curves as mixtures of Gaussians, blurred by kernels of many widths."""

    def __init__(self, distance: np.ndarray, spacing: float, weight: np.ndarray) -> None:
        self.weight = weight
        s2 = np.geomspace(0.3 * spacing, distance[-1], _BASIS) ** 2
        self.widths = np.concatenate([[0.0], np.geomspace(0.2 * spacing, distance[-1] / 2, _LENGTHS)])
        wide = s2 + self.widths[:, None] ** 2
        self.curves = (s2 / wide)[..., None] * np.exp(-(distance**2) / (4 * wide[..., None]))

    def length(self, measured: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
        """Return the width whose blurred curve, times what it likes plus a constant, misses the least.

        With it the share of the covariance at near neighbours that the blur takes.
        """
        from scipy.optimize import nnls

        flat = np.ones((1, len(measured)))
        root = np.sqrt(self.weight)
        mixture = nnls((np.concatenate([self.curves[0], flat, -flat]) * root).T, measured * root)[0][:-2]
        blurred = np.einsum("s,wsd->wd", mixture, self.curves)
        near = blurred[:, :_NEAR].mean(axis=1)
        total = self.weight.sum()
        blurred = blurred - (blurred @ self.weight / total)[:, None]
        goal = predicted - predicted @ self.weight / total
        across, square = (blurred * goal) @ self.weight, (blurred**2) @ self.weight
        height = np.maximum(np.divide(across, square, out=np.zeros_like(square), where=square > 0), 0)
        misfit = ((height[:, None] * blurred - goal) ** 2) @ self.weight
        best = int(np.argmin(misfit))
        return float(self.widths[best]), float(1 - near[best] / near[0]) if near[0] > 0 else 0.0

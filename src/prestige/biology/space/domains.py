"""Tissue domains: clusters of neighbourhoods, from measured and from predicted expression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from prestige.biology.noise import Drawn, draw
from prestige.biology.pair import Pair
from prestige.errors import DataError
from prestige.stats.labels import adjusted_rand, label_interval, label_tables
from prestige.stats.moments import spatial_blocks
from prestige.stats.space import large_enough, nearest, rows_of_samples

N_DOMAINS = 6
NEIGHBOURS = 20
"""Observations whose mean stands for the place of one of them, itself included."""

_COMPARED = {
    "ari": ("measured", "predicted"),
    "ari_half": ("half", "predicted_half"),
    "ari_halves": ("half", "other_half"),
    "ari_shuffled": ("half", "shuffled"),
    "ari_depth": ("half", "depth"),
}
_COMPONENTS = 15
_FITTED = 20_000  # observations that components and centres are fitted to
_STARTS = 5
_BLOCK = 1 << 21


@dataclass(frozen=True, eq=False)
class Domains:
    """Domains of measured and of predicted expression, and how far they agree.

    Attributes
    ----------
    measured, predicted
        (n,) number of each observation's domain, for maps, at the observed depth (prediction with noise).
        The largest measured domain is 0; predicted numbers are those of the measured domains they share most
        with.  ``n_domains`` in a sample that was left out.
    ari
        Adjusted Rand index of the two.
    ari_half
        Of the prediction with noise at half the depth and half of the measured counts.
    ari_halves
        Of one half of the measured counts and the other: what can be reached at this depth.
    ari_shuffled
        Of half of the measured counts and predictions that were shuffled among the observations of a sample.
    ari_depth
        Of half of the measured counts and the same shares predicted everywhere, with noise at half the depth:
        what depth and counting bring by themselves, where depth has a pattern in space.
    n_domains
        Clusters asked for, on every side.
    left_out
        Samples with fewer observations than a neighbourhood.
    intervals
        Index ("ari", "ari_half", ...) -> its 95 % confidence interval over resampled tissue, of these very
        clusters; None with too few blocks.
    """

    measured: Int[np.ndarray, " n"]
    predicted: Int[np.ndarray, " n"]
    ari: float
    ari_half: float
    ari_halves: float
    ari_shuffled: float
    ari_depth: float
    n_domains: int
    left_out: tuple[str, ...] = ()
    intervals: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)

    @property
    def indices(self) -> dict[str, float]:
        """Name of each index -> its value."""
        return {name: getattr(self, name) for name in _COMPARED}


def domains(
    pair: Pair,
    drawn: Drawn | None = None,
    *,
    n_domains: int = N_DOMAINS,
    block_um: float = 500.0,
    seed: int = 0,
) -> Domains:
    """Cluster neighbourhoods of measured and of predicted expression, each side by itself, and compare.

    Each side goes the same way with the same settings: standard units of training (:meth:`Pair.z`), less the
    mean of the sample; principal components of the means over the nearest neighbours; k-means. Components
    and centres of a side are fitted to that side alone: fitted to the prediction, they would show what it
    has and hide what it lacks; fitted to the measurement, they would lend the prediction axes that it does
    not have. The number of clusters is given, not chosen by either side. Noise is equal on both sides (rule
    of :mod:`prestige.biology.noise`). The adjusted Rand index (Hubert and Arabie 1985) needs no common
    numbering.

    The noise follows the observed depth, so where depth has a pattern in space a prediction without any has
    domains: ``ari_depth`` says how far these agree, and an index no higher than that says nothing.

    Parameters
    ----------
    drawn
        What :func:`prestige.biology.noise.draw` gave for this pair; drawn with ``seed`` where it is left out.
    n_domains
        Clusters, 2 or more.
    block_um
        Width of the spatial blocks of the intervals, um.

    Raises
    ------
    DataError
        When the pair has no positions, fewer than 2 domains are asked for, no sample has as many observations
        as a neighbourhood, or those that have fewer than ten a domain.
    """
    if not pair.has_positions:
        raise DataError("the observations have no positions", where="domains", expected="places in um")
    kept, left_out = large_enough(pair.sample_of, NEIGHBOURS, "domains")
    if n_domains < 2 or kept.sum() < 10 * n_domains:
        raise DataError(
            f"{int(kept.sum())} observations for {n_domains} domains of neighbourhoods of {NEIGHBOURS}",
            where="domains",
            expected="2 domains or more with ten observations each",
        )
    drawn = draw(pair, seed) if drawn is None else drawn
    some = pair.take(kept) if left_out else pair
    around = _around(some)
    order = _shuffled(some.sample_of, np.random.default_rng([seed, 1]))
    sides = drawn.sides(pair)
    if left_out:
        sides = {name: values[kept] for name, values in sides.items()}
    label = {name: _clusters(some, values, around, n_domains, seed) for name, values in sides.items()}
    label["shuffled"] = _clusters(some, sides["predicted_half"], around, n_domains, seed, order)
    blocks = spatial_blocks(some.xy_um, block_um)
    tables = {
        name: label_tables((label[a], label[b]), (n_domains, n_domains), some.sample_of, blocks)
        for name, (a, b) in _COMPARED.items()
    }
    ari = {name: float(adjusted_rand(one.counts.sum(axis=0)[None])[0][0]) for name, one in tables.items()}
    intervals = {
        name: label_interval(one, adjusted_rand, patient_of=pair.patient_of, seed=seed)
        for name, one in tables.items()
    }
    measured, predicted = np.full((2, len(pair)), n_domains)
    measured[kept] = _by_size(label["measured"], n_domains)
    predicted[kept] = _named_after(label["predicted"], measured[kept], n_domains)
    return Domains(
        measured,
        predicted,
        n_domains=n_domains,
        left_out=left_out,
        intervals=intervals,
        **ari,
    )


def _around(pair: Pair) -> csr_array:
    """Return the (n, n) matrix that takes means over the nearest observations of the sample."""
    others = nearest(pair.xy_um, pair.sample_of, NEIGHBOURS - 1)
    near = np.concatenate([np.arange(len(pair))[:, None], others], axis=1)
    start = np.arange(len(pair) + 1) * NEIGHBOURS
    weight = np.full(near.size, 1 / NEIGHBOURS, dtype=np.float32)
    return csr_array((weight, near.ravel(), start), shape=(len(pair), len(pair)))


def _shuffled(sample_of: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    order = np.arange(len(sample_of))
    for _, rows in rows_of_samples(sample_of):
        order[rows] = rng.permutation(rows)
    return order


def _clusters(
    pair: Pair, values: np.ndarray, around: csr_array, k: int, seed: int, order: np.ndarray | None = None
) -> Int[np.ndarray, " n"]:
    """Return the cluster of each observation; all 0 where nothing varies."""
    from sklearn.cluster import KMeans

    z = pair.z(values)
    if order is not None:
        z = z[order]
    for _, rows in rows_of_samples(pair.sample_of):
        mean = z[rows].mean(axis=0, dtype=np.float64).astype(np.float32)
        for start in range(0, len(rows), max(1, _BLOCK // z.shape[1])):
            z[rows[start : start + max(1, _BLOCK // z.shape[1])]] -= mean
    rng = np.random.default_rng([seed, 2])
    some = np.sort(rng.choice(len(z), min(len(z), _FITTED), replace=False))
    smooth = around[some] @ z
    axes = _axes(smooth)
    if not axes.shape[1]:
        return np.zeros(len(z), dtype=np.int64)
    # Means of projections are projections of means, and cheaper.
    places = around @ (z @ axes)
    model = KMeans(k, n_init=_STARTS, random_state=seed)  # pyright: ignore[reportArgumentType]
    fitted = model.fit(places[some])
    return np.asarray(fitted.predict(places), dtype=np.int64)


def _axes(smooth: Float[np.ndarray, "m g"]) -> Float[np.ndarray, "g c"]:
    """Return the directions of the largest variances, none where nothing varies."""
    centred = smooth - smooth.mean(axis=0)
    variance, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(smooth))
    kept = np.flatnonzero(variance > 1e-9)[-_COMPONENTS:]
    return axes[:, kept].astype(np.float32)


def _by_size(label: np.ndarray, k: int) -> Int[np.ndarray, " n"]:
    place = np.empty(k, dtype=np.int64)
    place[np.argsort(-np.bincount(label, minlength=k), kind="stable")] = np.arange(k)
    return place[label]


def _named_after(label: np.ndarray, reference: np.ndarray, k: int) -> Int[np.ndarray, " n"]:
    """Return labels renumbered one to one so that most observations have their reference's number."""
    from scipy.optimize import linear_sum_assignment

    shared = np.bincount(label * k + reference, minlength=k * k).reshape(k, k)
    number, wanted = linear_sum_assignment(-shared)
    place = np.empty(k, dtype=np.int64)
    place[number] = wanted
    return place[label]

"""Genes: what drives each, and the counts of every cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from prestige.data.phantom.settings import PhantomConfig
from prestige.data.phantom.tissue import Granules, Layout, smooth_field

GROUPS = ("own", "neighbourhood", "unseen")
#: Shares of the four types by which loadings are standardised, and of the place that nuclei and
#: lumina leave to granules. Both are of this tissue's plan, the same for every section.
_TYPE_SHARES = np.array([0.14, 0.42, 0.31, 0.13])
_FREE_SHARE = 0.68
_LOOK_SHARE = 0.25
_N_FACTORS = 3
_FACTOR_UM = 30.0


@dataclass(frozen=True, eq=False)
class Programme:
    """What drives each gene, shared by all samples.

    ``shares`` are the variance shares (own, neighbourhood, unseen) of a gene's log rate;
    ``by_type`` and ``by_look`` its response to the own nucleus, ``sign`` that to the surroundings,
    ``factors`` that to hidden smooth factors, which have ``smooth`` of the hidden variance.
    """

    genes: tuple[str, ...]
    group: Int[np.ndarray, "g"]
    base: Float[np.ndarray, "g"]
    shares: Float[np.ndarray, "g 3"]
    by_type: Float[np.ndarray, "4 g"]
    by_look: Float[np.ndarray, "g"]
    sign: Float[np.ndarray, "g"]
    factors: Float[np.ndarray, "k g"]
    smooth: float


@dataclass(frozen=True, eq=False)
class Hidden:
    """Of each cell, what no image shows: depth in counts and each gene's hidden part (mean 0, variance 1)."""

    depth: Float[np.ndarray, "n"]
    latent: Float[np.ndarray, "n g"]


def make_programme(config: PhantomConfig, rng: np.random.Generator) -> Programme:
    """Draw what drives the genes; groups have as many genes as their variance shares say."""
    g = config.n_genes
    overall = np.array([config.own_share, config.neighbourhood_share, config.unseen_share])
    group = np.searchsorted(np.cumsum(overall) - 1e-9, (np.arange(g) + 0.5) / g)
    shares = config.purity * np.eye(3)[group] + (1 - config.purity) * overall
    if config.no_signal:
        shares = np.tile([0.0, 0.0, 1.0], (g, 1))
    by_type = rng.standard_normal((4, g))
    by_type -= _TYPE_SHARES @ by_type
    by_type *= np.sqrt((1 - _LOOK_SHARE) / (_TYPE_SHARES @ by_type**2))
    by_look = np.sqrt(_LOOK_SHARE) * rng.choice([-1.0, 1.0], g)
    base = np.exp(rng.normal(0, 0.4, g))
    factors = rng.standard_normal((_N_FACTORS, g))
    return Programme(
        genes=tuple(f"{GROUPS[k][:3].upper()}{i + 1:03d}" for i, k in enumerate(group)),
        group=group,
        base=np.log(base / base.sum()) - config.effect**2 / 2,
        shares=shares,
        by_type=by_type,
        by_look=by_look,
        sign=rng.permutation(np.resize([-1.0, 1.0], g)),
        factors=factors / np.linalg.norm(factors, axis=0),
        smooth=1.0 if config.no_signal else 0.5,
    )


def environment_scale(config: PhantomConfig) -> float:
    """Return the standard deviation of the sum of marks in a ring in ordinary tissue."""
    ring_um2 = np.pi * config.radius_um**2 * (1 - config.hole_share**2)
    return float(np.sqrt(max(1.0, _FREE_SHARE * ring_um2 / config.spacing_um**2)))


@dataclass(frozen=True, eq=False)
class Ring:
    """The pairs (cell, granule) of all granules that act on a cell: those in the ring around it."""

    cell: Int[np.ndarray, "p"]
    granule: Int[np.ndarray, "p"]
    n_cells: int

    def count(self) -> Int[np.ndarray, "n"]:
        """Return the number of granules in each cell's ring."""
        return np.bincount(self.cell, minlength=self.n_cells)

    def sum(self, mark: Int[np.ndarray, "m"]) -> Float[np.ndarray, "n"]:
        """Return the sum of marks in each cell's ring."""
        weights = mark[self.granule].astype(float)
        return np.bincount(self.cell, weights, minlength=self.n_cells).astype(float)


def find_ring(config: PhantomConfig, xy_px: Float[np.ndarray, "n 2"], granules: Granules) -> Ring:
    """Find the granules between ``hole_share * radius_um`` and ``radius_um`` from each cell."""
    from scipy.spatial import KDTree

    reach = config.radius_um / config.um_per_px
    near = KDTree(xy_px).sparse_distance_matrix(
        KDTree(granules.xy_px.astype(float)), reach, output_type="ndarray"
    )
    near = near[near["v"] > config.hole_share * reach]
    return Ring(near["i"].astype(np.int64), near["j"].astype(np.int64), len(xy_px))


def draw_hidden(config: PhantomConfig, programme: Programme, n: int, rng: np.random.Generator) -> Hidden:
    """Draw what is hidden, each cell by itself: the law of one cell, not of its neighbours with it."""
    return _hidden(config, programme, rng.standard_normal((n, _N_FACTORS)), rng)


def draw_hidden_in_space(
    config: PhantomConfig, programme: Programme, xy_px: Float[np.ndarray, "n 2"], rng: np.random.Generator
) -> Hidden:
    """Draw what is hidden for the cells of a section: the factors vary smoothly in space."""
    grid_um = 4.0
    size = int(np.ceil(config.size_px * config.um_per_px / grid_um)) + 1
    column, row = np.rint(xy_px.T * config.um_per_px / grid_um).astype(int)
    fields = [smooth_field(rng, size, _FACTOR_UM / grid_um)[row, column] for _ in range(_N_FACTORS)]
    return _hidden(config, programme, np.stack(fields, axis=1), rng)


def _hidden(
    config: PhantomConfig, programme: Programme, factor: Float[np.ndarray, "n k"], rng: np.random.Generator
) -> Hidden:
    n, g = len(factor), len(programme.genes)
    latent = np.sqrt(programme.smooth) * factor @ programme.factors
    latent += np.sqrt(1 - programme.smooth) * rng.standard_normal((n, g))
    spread = config.depth_spread
    return Hidden(config.depth * np.exp(rng.normal(-(spread**2) / 2, spread, n)), latent)


def mean_counts(
    config: PhantomConfig,
    programme: Programme,
    own: Float[np.ndarray, "n g"],
    environment: Float[np.ndarray, "n"],
    hidden: Hidden,
) -> Float[np.ndarray, "n g"]:
    """Return the mean counts: depth x exp(base + effect x (own + sign x environment + hidden))."""
    root = np.sqrt(programme.shares)
    rate = root[:, 0] * own + root[:, 1] * programme.sign * environment[:, None] + root[:, 2] * hidden.latent
    return hidden.depth[:, None] * np.exp(programme.base + config.effect * rate)


def own_part(programme: Programme, layout: Layout, who: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n g"]:
    """Return each gene's response to a cell's own nucleus (about mean 0, variance 1)."""
    return programme.by_type[layout.cell_type[who]] + layout.look[who, None] * programme.by_look


def log_normalised(counts: Float[np.ndarray, "n g"], total: float) -> Float[np.ndarray, "n g"]:
    """Return log1p of counts scaled to ``total`` a cell; a cell without counts gives zeros."""
    sums = counts.sum(1, keepdims=True)
    return np.log1p(counts * (total / np.maximum(sums, 1.0)))

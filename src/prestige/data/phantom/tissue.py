"""The plan of a section: glands, stroma, immune aggregates, their nuclei, and the granules between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from prestige.data.phantom.settings import PhantomConfig

EPITHELIAL, FIBROBLAST, LYMPHOCYTE, MACROPHAGE = 0, 1, 2, 3
TYPE_NAMES = ("epithelial", "fibroblast", "lymphocyte", "macrophage")
#: Half axes of a nucleus in um, by type.
HALF_AXES_UM = np.array([[4.3, 2.9], [5.8, 1.7], [2.7, 2.5], [4.4, 3.7]])
#: Spread of a nucleus beyond the image, in um.
_PAD_UM = 8.0


@dataclass(frozen=True, eq=False)
class Gland:
    """A tube cut across: outline ``radius_um * (1 + waves)`` around ``centre_um`` (x, y)."""

    centre_um: Float[np.ndarray, "2"]
    radius_um: float
    waves: Float[np.ndarray, "3 2"]

    def outline_um(self, angle: Float[np.ndarray, "*s"]) -> Float[np.ndarray, "*s"]:
        """Return the distance from the centre to the outer edge of the wall at each angle (radians)."""
        order = np.arange(2, 5)
        waves = [a * np.cos(k * angle + p) for k, (a, p) in zip(order, self.waves, strict=True)]
        return self.radius_um * (1 + np.sum(waves, axis=0))


@dataclass(frozen=True, eq=False)
class Layout:
    """Where everything lies, in um from the middle of the image's first pixel.

    ``axes_um`` holds half axes; ``angle`` the direction of the long one in radians; ``look`` is a
    standard normal number that makes a nucleus darker; ``flow`` the direction of the fibres on a
    coarse grid of ``flow_um``.
    """

    glands: tuple[Gland, ...]
    aggregates_um: Float[np.ndarray, "a 3"]
    xy_um: Float[np.ndarray, "n 2"]
    cell_type: Int[np.ndarray, "n"]
    axes_um: Float[np.ndarray, "n 2"]
    angle: Float[np.ndarray, "n"]
    look: Float[np.ndarray, "n"]
    flow: Float[np.ndarray, "k k"]


@dataclass(frozen=True, eq=False)
class Granules:
    """Two-coloured granules: integer pixel centres (also beyond the image) and marks -1 or 1."""

    xy_px: Int[np.ndarray, "m 2"]
    mark: Int[np.ndarray, "m"]
    half_px: int


def smooth_field(rng: np.random.Generator, size: int, length: float) -> Float[np.ndarray, "k k"]:
    """Return Gaussian noise smoothed over ``length`` grid steps, of mean 0 and standard deviation 1."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.standard_normal((size, size)), length, mode="wrap")
    return (field - field.mean()) / field.std()


def lattice(
    rng: np.random.Generator, low: float, high: float, step: float, jitter: float
) -> Float[np.ndarray, "n 2"]:
    """Return a square lattice over [low, high]^2, each point moved by up to ``jitter`` steps."""
    axis = np.arange(low + step / 2, high, step)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    return points + rng.uniform(-jitter, jitter, points.shape) * step


def make_layout(config: PhantomConfig, rng: np.random.Generator) -> Layout:
    """Draw the plan of one section."""
    side = config.size_px * config.um_per_px
    glands = _glands(rng, side)
    spots = lattice(rng, 0.0, side, 190.0, 0.35)
    spots = spots[rng.random(len(spots)) < 0.8]
    aggregates = np.column_stack([spots, rng.uniform(22, 44, len(spots))])
    flow = np.pi * smooth_field(rng, 64, 6.0)
    parts = [_epithelium(rng, glands), _aggregate_cells(rng, aggregates), _stroma_cells(rng, side)]
    xy, kind, angle = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    is_gland = np.arange(len(xy)) < len(parts[0][0])
    keep = np.all((xy > -_PAD_UM) & (xy < side + _PAD_UM), axis=1)
    keep &= is_gland | ~_inside(glands, xy, 3.0)
    xy, kind, angle = xy[keep], kind[keep], angle[keep]
    fibres = np.isnan(angle)
    angle[fibres] = _flow_at(flow, xy[fibres], side) + rng.normal(0, 0.35, int(fibres.sum()))
    look = rng.standard_normal(len(xy))
    axes = HALF_AXES_UM[kind] * np.exp(rng.normal(0, 0.10, (len(xy), 2)) + 0.04 * look[:, None])
    kept = _without_overlaps(xy, np.sqrt(axes.prod(1)))
    return Layout(glands, aggregates, xy[kept], kind[kept], axes[kept], angle[kept], look[kept], flow)


def make_granules(config: PhantomConfig, rng: np.random.Generator, free: Bool[np.ndarray, "h w"]) -> Granules:
    """Scatter granules over the image and ``radius_um`` beyond it, where ``free`` lets them be seen.

    Marks are independent of each other and of everything else: what a window does not show has
    the expectation 0, whatever the window shows.
    """
    step = config.spacing_um / config.um_per_px
    reach = config.radius_um / config.um_per_px + 2 * step
    size = config.size_px
    points = np.rint(lattice(rng, -reach, size + reach, step, 0.3)).astype(np.int64)
    inside = np.all((points >= 0) & (points < size), axis=1)
    x, y = np.clip(points, 0, size - 1).T
    points = points[~inside | free[y, x]]
    mark = 2 * rng.integers(0, 2, len(points)) - 1
    return Granules(points, mark, max(1, round(0.31 * step)))


def _glands(rng: np.random.Generator, side: float) -> tuple[Gland, ...]:
    centres = lattice(rng, -40.0, side + 40.0, 128.0, 0.16)
    centres = centres[rng.random(len(centres)) < 0.72]
    return tuple(
        Gland(
            centre,
            float(rng.uniform(31, 49)),
            np.column_stack([rng.uniform(0, [0.16, 0.08, 0.05]), rng.uniform(0, 2 * np.pi, 3)]),
        )
        for centre in centres
    )


def _inside(glands: tuple[Gland, ...], xy: Float[np.ndarray, "n 2"], more_um: float) -> Bool[np.ndarray, "n"]:
    inside = np.zeros(len(xy), bool)
    for gland in glands:
        away = xy - gland.centre_um
        near = np.flatnonzero(np.abs(away).max(1) < 1.4 * gland.radius_um + more_um)
        edge = gland.outline_um(np.arctan2(away[near, 1], away[near, 0]))
        inside[near] |= np.hypot(away[near, 0], away[near, 1]) < edge + more_um
    return inside


def _epithelium(rng: np.random.Generator, glands: tuple[Gland, ...]):
    xy: list[np.ndarray] = [np.empty((0, 2))]
    angle: list[np.ndarray] = [np.empty(0)]
    for gland in glands:
        n = int(2 * np.pi * gland.radius_um / 6.2)
        turn = (np.arange(n) + rng.uniform(-0.2, 0.2, n)) * 2 * np.pi / n
        away = gland.outline_um(turn) - rng.uniform(4.5, 8.5, n)
        xy.append(gland.centre_um + away[:, None] * np.column_stack([np.cos(turn), np.sin(turn)]))
        angle.append(turn + rng.normal(0, 0.12, n))
    points = np.concatenate(xy)
    return points, np.full(len(points), EPITHELIAL), np.concatenate(angle)


def _aggregate_cells(rng: np.random.Generator, aggregates: Float[np.ndarray, "a 3"]):
    xy: list[np.ndarray] = [np.empty((0, 2))]
    for x, y, radius in aggregates:
        points = lattice(rng, -1.5 * radius, 1.5 * radius, 5.4, 0.45)
        turn = rng.uniform(0, np.pi)
        points = points @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        points = points[np.hypot(*points.T) < radius * rng.uniform(0.75, 1.1, len(points))]
        xy.append(points + [x, y])
    points = np.concatenate(xy)
    kind = np.where(rng.random(len(points)) < 0.08, MACROPHAGE, LYMPHOCYTE)
    return points, kind, rng.uniform(0, np.pi, len(points))


def _stroma_cells(rng: np.random.Generator, side: float):
    points = lattice(rng, -_PAD_UM, side + _PAD_UM, 9.6, 0.33)
    points = points[rng.random(len(points)) < 0.9]
    kind = rng.choice([FIBROBLAST, LYMPHOCYTE, MACROPHAGE], len(points), p=[0.64, 0.18, 0.18])
    angle = np.where(kind == FIBROBLAST, np.nan, rng.uniform(0, np.pi, len(points)))
    return points, kind, angle


def _flow_at(flow: Float[np.ndarray, "k k"], xy: Float[np.ndarray, "n 2"], side: float) -> np.ndarray:
    column, row = np.clip((xy / side * len(flow)).astype(int), 0, len(flow) - 1).T
    return flow[row, column]


def _without_overlaps(xy: Float[np.ndarray, "n 2"], radius: Float[np.ndarray, "n"]) -> Int[np.ndarray, "k"]:
    """Return who stays when each nucleus gives way to the earlier ones that it would cover."""
    from scipy.spatial import KDTree

    pairs = KDTree(xy).query_pairs(1.6 * float(radius.max()), output_type="ndarray")
    gap = np.linalg.norm(xy[pairs[:, 0]] - xy[pairs[:, 1]], axis=1)
    pairs = pairs[gap < 0.82 * (radius[pairs[:, 0]] + radius[pairs[:, 1]])]
    pairs = np.sort(pairs, axis=1)
    gone = np.zeros(len(xy), bool)
    for first, second in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]:
        if not gone[first]:
            gone[second] = True
    return np.flatnonzero(~gone)

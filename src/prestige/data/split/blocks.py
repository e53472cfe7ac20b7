"""Spatial blocks of a section, and their assignment to the folds of a spatial cross-validation.

Blocks are the tiles of a grid laid over the section.  Their assignment decides how much training
tissue the buffer eats, so several seeded ones are drawn and the one that leaves most is taken;
only places enter that choice, never counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

DRAWS = 24
"""Seeded assignments of blocks from which the one that leaves most training tissue is taken."""

_THINNED = 4000
D = TypeVar("D")


def grid_blocks(xy_um: Float[np.ndarray, "n 2"], block_um: float) -> Int[np.ndarray, " n"]:
    """Return the tile of each place in a grid of equal tiles about ``block_um`` wide.

    The grid is fitted to the places' extent, so that no slivers are left at its border.  Tiles
    are numbered row by row; numbers of empty tiles are skipped over, not used up.
    """
    if not len(xy_um):
        return np.zeros(0, np.int64)
    low = xy_um.min(axis=0)
    extent = np.maximum(xy_um.max(axis=0) - low, 1e-9)
    tiles = np.maximum(1, np.round(extent / block_um)).astype(np.int64)
    cell = np.minimum((xy_um - low) / extent * tiles, tiles - 1).astype(np.int64)
    return np.unique(cell[:, 1] * tiles[0] + cell[:, 0], return_inverse=True)[1].reshape(-1)


def extent_area(xy_um: Float[np.ndarray, "n 2"]) -> float:
    """Return the area of the places' bounding box in um^2."""
    return float(np.prod(np.ptp(xy_um, axis=0))) if len(xy_um) else 0.0


def assign_to_folds(
    block: Int[np.ndarray, " n"], weight: Bool[np.ndarray, " n"], folds: int, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Assign blocks to folds at random, largest first to the fold that has least: equal in counts.

    Parameters
    ----------
    block
        (n,) the block of each observation.
    weight
        (n,) whether the observation counts towards its block's size.
    folds
        How many folds.
    rng
        The source of chance: ties, and sizes that are nearly tied.

    Returns
    -------
    (n,) the fold of each observation.
    """
    size = np.bincount(block, weights=weight)
    order = np.argsort(-size * rng.uniform(0.7, 1.3, len(size)), kind="stable")
    load, fold_of = np.zeros(folds), np.zeros(len(size), np.int64)
    start = rng.permutation(folds)
    for place, b in enumerate(order):
        fold_of[b] = start[place] if place < folds else np.lexsort((rng.random(folds), load))[0]
        load[fold_of[b]] += size[b]
    return fold_of[block]


def draw_share(
    block: Int[np.ndarray, " n"], weight: Bool[np.ndarray, " n"], share: float, rng: np.random.Generator
) -> Bool[np.ndarray, " n"]:
    """Draw blocks at random until their weight is as near to ``share`` of all as it gets.

    At least one block is drawn and, where there are two, at least one is left.
    """
    size = np.bincount(block, weights=weight)
    goal, total = share * size.sum(), 0.0
    drawn = np.zeros(len(size), bool)
    order = rng.permutation(np.flatnonzero(size > 0))
    for b in order:
        left = int((~drawn[order]).sum())
        if left > 1 and abs(total + size[b] - goal) < abs(total - goal):
            drawn[b] = True
            total += size[b]
    if not drawn.any() and len(order) > 1:
        drawn[order[np.argmin(size[order])]] = True
    return drawn[block]


def best_draw(draw: Callable[[np.random.Generator], D], score: Callable[[D], float], seed: int) -> D:
    """Return the draw with the highest score out of :data:`DRAWS`; the first among equals."""
    draws = [draw(np.random.default_rng([seed, number])) for number in range(DRAWS)]
    return draws[int(np.argmax([score(one) for one in draws]))]


def thin(n: int) -> Int[np.ndarray, " k"]:
    """Return evenly spaced positions among n, few enough to score many draws quickly."""
    return np.arange(0, n, max(1, n // _THINNED))

"""Regions of the tissue: components of what is marked (``marks.py``), and the distance to their boundary.

After SpNeigh (github.com/jinming-cheng/SpNeigh), with another way to the boundary: no polygon is drawn.
Components come from the density of the region's observations, and the boundary lies midway between
observations inside and outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from prestige.biology.pair import Pair
from prestige.errors import DataError
from prestige.stats.space import (
    large_enough,
    nearest,
    neighbour_distances,
    rows_of_samples,
    spacing_um,
)

MIN_SIZE = 20
"""Observations of a component; smaller ones are strays."""

SMOOTH = 8
"""Nearest others that vote, with the observation itself, whether it belongs to the region."""

REACH = 2.0
"""Two observations of a component are linked within this many spacings."""

_MIN_LINKS = 5
_NEIGHBOUR = 6  # whose distance tells the spacing


@dataclass(frozen=True, eq=False)
class Region:
    """A region of the tissue, as its observations have it.

    Attributes
    ----------
    inside
        (n,) whether an observation lies in a component.
    component
        (n,) number of its component, -1 outside.
    stray
        (n,) whether it was marked and lies in no component.  It counts as outside, and no test uses it.
    distance_um
        (n,) distance to the boundary, negative inside; NaN in a sample without a component.
    centre_um
        (n,) distance to the centre of the own component, in units of um; NaN outside.
    n_components
        Number of components.
    spacing_um
        Root of the tissue's area for each observation.
    defined_by
        Genes that say where the region is; they are tested for nothing.
    how
        A clause for the report: what the region is.
    half_seed
        Where measured genes define the region: the seed of :func:`prestige.biology.noise.draw` whose first
        half of the counts they were read from.  A test of measured values takes the second half, since one
        count would else say both where the region is and what is in it.  None where no counts were used.
    left_out
        Samples that are too small for the neighbours that vote; they have no component.
    least
        Observations that a sample needs.
    """

    inside: Bool[np.ndarray, " n"]
    component: Int[np.ndarray, " n"]
    stray: Bool[np.ndarray, " n"]
    distance_um: Float[np.ndarray, " n"]
    centre_um: Float[np.ndarray, " n"]
    n_components: int
    spacing_um: float
    defined_by: tuple[str, ...] = ()
    how: str = "a given mask"
    half_seed: int | None = None
    left_out: tuple[str, ...] = ()
    least: int = 0


def region_of_mask(
    mask: Bool[np.ndarray, " _"],
    xy_um: Float[np.ndarray, "_ 2"],
    sample_of: Shaped[np.ndarray, " _"],
    *,
    smooth: int = SMOOTH,
    min_size: int = MIN_SIZE,
    how: str = "a given mask",
) -> Region:
    """Return the region that a mask of observations marks: an annotation, genes, or what an image says.

    An observation belongs to the region where at least half of it and its ``smooth`` nearest others are
    marked. Such observations are joined to components by density (DBSCAN, Ester et al. 1996), within each
    sample. Distances are to the nearest observation on the other side, less half a spacing.

    Parameters
    ----------
    mask
        (n,) whether each observation is marked.
    smooth
        0 takes the mask as it is.
    min_size
        A component needs so many observations.
    how
        Kept with the region.

    Raises
    ------
    DataError
        When arguments differ in length, nothing or everything is marked, no component is large enough, or no
        sample has more than ``smooth`` observations.  Other samples that small are left out.
    """
    if not len(mask) == len(xy_um) == len(sample_of):
        raise DataError(f"a mask of {len(mask)} for {len(xy_um)} places and {len(sample_of)} samples")
    spacing = _spacing_um(xy_um, sample_of)
    kept, left_out = large_enough(sample_of, smooth + 1, how)
    voted = mask & kept
    if smooth:
        near, marked = nearest(xy_um[kept], sample_of[kept], smooth), mask[kept]
        voted[kept] = (marked.astype(np.int64) + marked[near].sum(axis=1)) * 2 >= smooth + 1
    component = _components(voted, xy_um, sample_of, REACH * spacing, min_size)
    inside = component >= 0
    if not inside.any() or inside.all():
        what = "all observations are inside" if inside.any() else f"no component has {min_size} observations"
        raise DataError(
            f"the region has no boundary: {what}",
            where=how,
            expected="some observations inside and some outside",
            remedy="mark another region",
        )
    distance, centre = np.full(len(mask), np.nan), np.full(len(mask), np.nan)
    for _, rows in rows_of_samples(sample_of):
        distance[rows] = _signed(xy_um[rows], inside[rows], spacing)
    for number in range(component.max() + 1):
        rows = np.flatnonzero(component == number)
        centre[rows] = np.hypot(*(xy_um[rows] - xy_um[rows].mean(axis=0)).T)
    stray = mask & ~inside
    return Region(
        inside, component, stray, distance, centre, int(component.max()) + 1, spacing, how=how,
        left_out=left_out, least=smooth + 1
    )  # fmt: skip


def _spacing_um(xy_um: np.ndarray, sample_of: np.ndarray) -> float:
    """Return the spacing over all samples but those of six observations or fewer, unless all are as small."""
    largest = max((len(rows) for _, rows in rows_of_samples(sample_of)), default=0)
    k = min(_NEIGHBOUR, max(largest - 1, 1))
    kept, _ = large_enough(sample_of, k + 1, "spacing of observations")
    samples = [rows for _, rows in rows_of_samples(sample_of) if kept[rows[0]]]
    spacing = spacing_um(np.concatenate([neighbour_distances(xy_um[rows], k) for rows in samples]), k)
    if not spacing > 0:
        raise DataError("all observations lie at one place", where="region", expected="places in um")
    return spacing


def _components(
    marked: np.ndarray, xy_um: np.ndarray, sample_of: np.ndarray, reach_um: float, min_size: int
) -> Int[np.ndarray, " n"]:
    """Return the number of each observation's component, -1 without; largest first within a sample."""
    from sklearn.cluster import DBSCAN

    out = np.full(len(marked), -1, dtype=np.int64)
    offset = 0
    for _, rows in rows_of_samples(sample_of):
        of_sample = rows[marked[rows]]
        if not len(of_sample):
            continue
        number_of = DBSCAN(eps=reach_um, min_samples=_MIN_LINKS).fit(xy_um[of_sample]).labels_
        sizes = np.bincount(number_of[number_of >= 0])
        order = [number for number in np.argsort(-sizes, kind="stable") if sizes[number] >= min_size]
        for place, number in enumerate(order):
            out[of_sample[number_of == number]] = offset + place
        offset += len(order)
    return out


def _signed(xy_um: np.ndarray, inside: np.ndarray, spacing: float) -> Float[np.ndarray, " n"]:
    """Return the distance to the nearest observation on the other side, less half a spacing."""
    from scipy.spatial import cKDTree

    out = np.full(len(xy_um), np.nan)
    if not inside.any() or inside.all():
        return out
    for side, sign in ((inside, -1.0), (~inside, 1.0)):
        away = np.asarray(cKDTree(xy_um[~side]).query(xy_um[side])[0])
        out[side] = sign * np.maximum(away - spacing / 2, 1e-3 * spacing)
    return out


def check_places(pair: Pair) -> None:
    """Refuse a pair without places."""
    if not pair.has_positions:
        raise DataError(
            "there are no places", where="neighbourhoods", expected='obsm["spatial"] in the truth'
        )


def check_region(pair: Pair, region: Region) -> None:
    """Refuse a region of other observations."""
    if len(region.inside) != len(pair):
        raise DataError(
            f"a region of {len(region.inside)} observations for {len(pair)}", where="neighbourhoods"
        )

"""Random toroidal shifts: a map of distances shifted round its bounding box, mirrored and turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

_MAX_CELLS = 4_000_000
_OFF = 2.0  # spacings from the nearest observation: beyond, there is no tissue


@dataclass(frozen=True, eq=False)
class Chart:
    """The map of signed distances of one sample, and its n observations on it.

    Attributes
    ----------
    place
        (n, 2) place of each observation, from the corner of the bounding box, in cells of the map.
    distance
        (n,) its distance from the boundary, um; NaN where it is not used.
    used
        (n,) whether an observation counts, however the map is shifted.
    cells
        (w, h) distance over the bounding box of the sample; NaN where there is no tissue.
    """

    place: Float[np.ndarray, "n 2"]
    distance: Float[np.ndarray, " n"]
    used: Bool[np.ndarray, " n"]
    cells: Float[np.ndarray, "w h"]

    @classmethod
    def of(
        cls,
        xy_um: Float[np.ndarray, "n 2"],
        distance_um: Float[np.ndarray, " n"],
        used: Bool[np.ndarray, " n"],
        spacing_um: float,
    ) -> Chart:
        """Return the map whose cells have the distance of the nearest observation.

        Cells are half a spacing wide, or more where they would be too many.  A cell two spacings from the
        nearest observation is off the tissue.
        """
        from scipy.spatial import cKDTree

        # Half a spacing beyond the outermost: on the torus the two edges are neighbours, not one place.
        low, extent = xy_um.min(axis=0) - spacing_um / 2, np.ptp(xy_um, axis=0) + spacing_um
        step = max(spacing_um / 2, float(np.sqrt(np.prod(extent) / _MAX_CELLS)))
        size = np.maximum(np.ceil(extent / step).astype(np.int64), 1)
        place = (xy_um - low) / extent * size
        centres = np.stack(np.meshgrid(*(np.arange(one) + 0.5 for one in size), indexing="ij"), axis=-1)
        away, near = cKDTree(xy_um).query((centres / size * extent + low).reshape(-1, 2))
        cells = np.where(np.asarray(away) <= _OFF * spacing_um, distance_um[near], np.nan).reshape(size)
        return cls(place, np.where(used, distance_um, np.nan), used, cells)

    def shifted(self, rng: np.random.Generator) -> Float[np.ndarray, " n"]:
        """Return each observation's distance from the boundary after a random shift of the map.

        It is mirrored or not along either axis (along both: half a turn) and shifted, and what leaves the
        bounding box on one side enters on the other.
        """
        size = np.array(self.cells.shape)
        mirror = rng.random(2) < 0.5
        place = np.where(mirror, size - self.place, self.place) + rng.random(2) * size
        cell = np.floor(place).astype(np.int64) % size
        return np.where(self.used, self.cells[cell[:, 0], cell[:, 1]], np.nan)

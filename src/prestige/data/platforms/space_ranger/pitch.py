"""How an array of spots or bins lies on its image: the width of a pixel, turned by how much, mirrored or not.

Neither Visium nor Visium HD states a pixel size that can be trusted alone: ``spot_diameter_fullres`` is not
55 um (60, 65 or 70 um by product), the microscope's metadata are lost.  The pitch of the array is known from
its making, and the places of all spots are in the export.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

SPOTS_UM = (math.sqrt(3) * 50.0, 50.0)
"""Pitch of rows and columns of Visium: centres are 100 um apart, columns are counted by halves."""

_MOST_APART = 0.03  # of the pitches along rows and columns; 0.9 % on real slides
_FEWEST = 4
_EXCHANGED_DEGREES = 20.0


@dataclass(frozen=True)
class Lie:
    """How the array lies on the image.

    Attributes
    ----------
    um_per_px
        Width of a pixel of the full-resolution image.
    degrees
        By how much the array's rows are turned against those of the image.
    is_mirrored
        Whether one of the two has to be mirrored.
    residual_um
        Root mean square distance of the places from a regular array.
    matrix
        (2, 3) takes (row, column, 1) of the array to (x, y) in pixels.
    """

    um_per_px: float
    degrees: float
    is_mirrored: bool
    residual_um: float
    matrix: Float[np.ndarray, "2 3"]

    def xy_px(self, array: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Return where places of the array (row, column) lie, in pixels of the full-resolution image."""
        return array @ self.matrix[:, :2].T + self.matrix[:, 2]

    @property
    def words(self) -> str:
        """Say how it lies, for a note."""
        turned = "" if abs(self.degrees) < 1 else f", turned by {self.degrees:.0f} degrees"
        mirrored = ", mirrored" if self.is_mirrored else ""
        if self.is_mirrored and abs(self.degrees - 90) < _EXCHANGED_DEGREES:
            turned += ", as it would if x and y were exchanged,"
        return f"the array lies{mirrored}{turned} on the image" if turned or mirrored else ""


def fitted(
    array: Int[np.ndarray, "n 2"], xy_px: Float[np.ndarray, "n 2"], pitch_um: tuple[float, float]
) -> Lie | None:
    """Return how an array lies, by least squares over all its places; None where there are too few.

    Parameters
    ----------
    array, xy_px
        Row and column of each place, and x and y in pixels.
    pitch_um
        Distance of neighbouring rows, and of neighbouring columns.
    """
    if len(array) < _FEWEST:
        return None
    known = np.column_stack([array, np.ones(len(array))]).astype(np.float64)
    middle = known.mean(axis=0)
    centred = known[:, :2] - middle[:2]
    if np.linalg.matrix_rank(centred) < 2:
        return None
    slopes = np.linalg.lstsq(centred, xy_px - xy_px.mean(axis=0), rcond=None)[
        0
    ].T  # (2, 2) px a row, a column
    matrix = np.column_stack([slopes, xy_px.mean(axis=0) - slopes @ middle[:2]])
    px_per_um = slopes / np.asarray(pitch_um)
    area = float(np.linalg.det(px_per_um))
    if area == 0:
        return None
    um_per_px = 1 / math.sqrt(abs(area))
    apart = xy_px - (known @ matrix.T)
    along_columns = px_per_um[:, 1]
    return Lie(
        um_per_px=um_per_px,
        degrees=math.degrees(math.atan2(along_columns[1], along_columns[0])),
        is_mirrored=area
        > 0,  # (row, column) is (y, x): the determinant of an array as it should be is negative
        residual_um=um_per_px * float(np.sqrt((apart**2).sum(axis=1).mean())),
        matrix=matrix,
    )


def irregular(lie: Lie, pitch_um: tuple[float, float]) -> str | None:
    """Say why places cannot be those of the array, None where they can."""
    if lie.residual_um > min(pitch_um) / 5:
        return f"lie {lie.residual_um:.1f} um beside a regular array in the mean"
    sides = np.linalg.norm(lie.matrix[:, :2] / np.asarray(pitch_um), axis=0) * lie.um_per_px
    if abs(sides[0] / sides[1] - 1) > _MOST_APART:
        rows, columns = (float(side * pitch) for side, pitch in zip(sides, pitch_um, strict=True))
        return f"have rows of {rows:.1f} um and columns of {columns:.1f} um"
    return None

"""Places on a lattice over the tissue of a slide, where there are no others: a grid, or spots in rows."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field, model_validator
from scipy.spatial import KDTree

from prestige.data.slides.glass import flat_and_grey
from prestige.errors import DataError
from prestige.settings import Settings

LATTICES = ("grid", "spots")
"""What ``points`` may be beside a file."""

_MOST = 5_000_000
_BLOCK = 20_000
_ROWS_APART = np.sqrt(3) / 2  # of spots whose six neighbours are equally far away


class Spacing(Settings):
    """How far apart neighbours are; None stands for 50 um in a grid, and 100 um of spots, as in Visium."""

    spacing_um: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class Lattice(Settings):
    """A lattice over the tissue: ``grid`` in squares, or ``spots``, each with six neighbours."""

    grid: Spacing | None = None
    spots: Spacing | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Lattice:
        if (self.grid is None) == (self.spots is None):
            raise ValueError("expected grid or spots, one of them")
        return self

    @property
    def spacing_um(self) -> float:
        """Distance of neighbours."""
        if self.spots is not None:
            return self.spots.spacing_um or 100.0
        return (self.grid.spacing_um if self.grid else None) or 50.0

    @property
    def words(self) -> str:
        """What it is, shortly."""
        return f"{'a grid' if self.grid else 'spots in rows'}, {self.spacing_um:g} um apart"


def lattice_of(points: object) -> object:
    """Return what ``points: grid`` and ``points: spots`` stand for; all else as it is."""
    return {str(points): {}} if isinstance(points, str) and str(points) in LATTICES else points


def places_on(
    lattice: Lattice, pixels: UInt8[np.ndarray, "height width 3"], um_per_px: float, *, where: str
) -> tuple[Float[np.ndarray, "n 2"], str]:
    """Return the places of a lattice that show colour or texture and do not lie alone, and a note.

    Parameters
    ----------
    lattice
        Which one.
    pixels, um_per_px
        The slide and the width of a pixel.
    where
        The sample, for messages.

    Raises
    ------
    DataError
        When there would be too many, or none lies on tissue.
    """
    height, width = pixels.shape[:2]
    step = lattice.spacing_um / um_per_px
    across = step * (_ROWS_APART if lattice.spots is not None else 1.0)
    if step < 1 or (height / across + 1) * (width / step + 1) > _MOST:
        raise DataError(
            f"a place every {lattice.spacing_um:g} um is one every {step:.3g} px of {width:,} x {height:,}",
            where=where,
            expected=f"at most {_MOST:,} places",
            remedy="raise spacing_um",
        )
    rows = []
    for number, y in enumerate(np.arange(across / 2, height - 0.5, across)):
        shift = 0.5 if lattice.spots is None or number % 2 == 0 else 1.0
        x = np.arange(shift * step, width - 0.5, step)
        rows.append(np.column_stack([x, np.full(len(x), y)]))
    xy_px = np.concatenate([*rows, np.zeros((0, 2))])
    if not len(xy_px):  # the image is smaller than one step
        xy_px = np.array([[(width - 1) / 2, (height - 1) / 2]])
    parts = [xy_px[at : at + _BLOCK] for at in range(0, len(xy_px), _BLOCK)]
    kept = xy_px[np.concatenate([~flat_and_grey(pixels, part) for part in parts])]
    kept = _together(kept, step)
    if not len(kept):
        raise DataError(
            f"{lattice.words}: none of {len(xy_px):,} places shows tissue",
            where=where,
            expected="tissue on the slide",
            remedy="name places (points:), or lower spacing_um",
        )
    beside = "" if len(kept) == len(xy_px) else ", the others on glass or dust"
    return kept, f"places are {lattice.words}: {len(kept):,} of {len(xy_px):,} on tissue{beside}"


def _together(xy_px: Float[np.ndarray, "n 2"], step: float) -> Float[np.ndarray, "m 2"]:
    """Return the places with another beside them: a lone one shows dust; all where none has one."""
    if not len(xy_px):
        return xy_px
    beside = KDTree(xy_px).query_ball_point(xy_px, 1.5 * step, return_length=True) - 1
    return xy_px[beside > 0] if beside.any() else xy_px

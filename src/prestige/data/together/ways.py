"""Where observations would lie if their places had been read in another way: mistakes that happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

SHIFTS_UM = (50.0, 100.0, 300.0)
"""How far places are shifted, in eight directions each."""

_Turn = tuple[tuple[int, int], tuple[int, int]]
SAME_UM = 25.0
"""Ways that put all places nearer to each other than this are one."""

_TURNS: dict[str, _Turn] = {
    "x and y swapped": ((0, 1), (1, 0)),
    "mirrored left to right": ((-1, 0), (0, 1)),
    "mirrored top to bottom": ((1, 0), (0, -1)),
    "turned by 180 degrees": ((-1, 0), (0, -1)),
    "turned by 90 degrees clockwise": ((0, -1), (1, 0)),
    "turned by 90 degrees anticlockwise": ((0, 1), (-1, 0)),
    "x and y swapped, then turned by 180 degrees": ((0, -1), (-1, 0)),
}
_TOWARDS = ("right", "right and down", "down", "left and down", "left", "left and up", "up", "right and up")
_ABOUT_THEM = "about the centre of the observations"


@dataclass(frozen=True)
class Way:
    """One way to move places: ``xy @ turn.T + offset_px``.

    Attributes
    ----------
    words
        What is done to the places as they stand.
    kind
        "own" for no move at all, "found" for a shift that was searched.
    """

    words: str
    kind: Literal["own", "turn", "shift", "found"]
    turn: _Turn
    offset_px: tuple[float, float]
    shift_um: float = 0.0

    def __call__(self, xy_px: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Return the places moved."""
        return xy_px @ np.array(self.turn, dtype=np.float64).T + np.array(self.offset_px)


OWN = Way("as it stands", "own", ((1, 0), (0, 1)), (0.0, 0.0))


def ways_of(xy_px: Float[np.ndarray, "n 2"], *, height_px: int, width_px: int, um_per_px: float) -> list[Way]:
    """Return all ways: the own one first, then swaps, mirrorings and turns, then shifts.

    Mirrorings and turns are about the centre of the image, as when the image was saved otherwise than the
    places were measured, and about the middle of the observations, as when an array of spots was read from
    its other end.  Of two that put every place within 25 um, the first is kept.
    """
    image = np.array([(width_px - 1) / 2, (height_px - 1) / 2])
    middle = (xy_px.min(axis=0) + xy_px.max(axis=0)) / 2
    low, high = xy_px.min(axis=0), xy_px.max(axis=0)
    corners = np.array([low, high, [low[0], high[1]], [high[0], low[1]]])
    kept: list[tuple[Way, np.ndarray]] = [(OWN, corners)]
    for about, centre in (("", image), (f" {_ABOUT_THEM}", middle)):
        for words, turn in _TURNS.items():
            way = Way(words + about, "turn", turn, _offset(turn, centre, of_image=not about))
            moved = way(corners)
            if all(np.abs(moved - other).max() * um_per_px >= SAME_UM for _, other in kept):
                kept.append((way, moved))
    shifts = [
        Way(f"shifted by {um:g} um {towards}", "shift", OWN.turn, _step(um / um_per_px, angle), um)
        for um in SHIFTS_UM
        for towards, angle in zip(_TOWARDS, np.arange(8) * np.pi / 4, strict=True)
    ]
    return [way for way, _ in kept] + shifts


def shift_by(right_px: int, down_px: int, um_per_px: float) -> Way:
    """Return the way of a shift that is none of the usual ones."""
    sides = ((right_px, "right", "left"), (down_px, "down", "up"))
    parts = [f"{abs(px) * um_per_px:.0f} um {there if px > 0 else back}" for px, there, back in sides if px]
    return Way(f"shifted by {' and '.join(parts)}", "found", OWN.turn, (float(right_px), float(down_px)))


def _step(length_px: float, angle: float) -> tuple[float, float]:
    return (float(length_px * np.cos(angle)), float(length_px * np.sin(angle)))


def _offset(turn: _Turn, centre: np.ndarray, *, of_image: bool) -> tuple[float, float]:
    """Return the offset that keeps a centre where it is."""
    matrix = np.array(turn, dtype=np.float64)
    # An image that is turned by a quarter has its sides exchanged, and so has its centre.
    before = centre[::-1] if of_image and matrix[0, 0] == 0 else centre
    x, y = centre - matrix @ before
    return (float(x), float(y))

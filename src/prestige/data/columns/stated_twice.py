"""Places that a table states twice: columns of obs, by what they are called, held against obsm["spatial"]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from prestige.data.columns.places import meaning
from prestige.errors import DataError

_EXPECTED = "x and y of every observation, in pixels of the full image"
_WITHIN = 1e-5  # of their size: tables keep places in single precision
_RENAME = "where they are such pixels, call the columns x_px and y_px"
_OTHERS = {
    "um": ("micrometres", f"divide them by the width of a pixel; {_RENAME}"),
    "array": ("places on the array", f"store pixels there; {_RENAME}"),
    "picture": ("pixels of a smaller picture", f"divide them by its scale factor; {_RENAME}"),
    "local": ("places within a field of view", f"store those of the whole image there; {_RENAME}"),
}


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two columns that are x and y by their names, and what they count in."""

    x: str
    y: str
    frame: str
    xy: Float[np.ndarray, "n 2"]

    @property
    def names(self) -> str:
        return f"obs['{self.x}'] and obs['{self.y}']"


def said_of_places(obs: pd.DataFrame, xy: Float[np.ndarray, "n 2"], *, where: str) -> tuple[str, ...]:
    """Return a note where columns of obs that are called pixels give other places than ``obsm["spatial"]``.

    Parameters
    ----------
    obs
        The columns of the table.
    xy
        ``obsm["spatial"]``.
    where
        The table, for messages.

    Raises
    ------
    DataError
        When it holds the very numbers of columns that are called micrometres, places on the array, pixels of
        a smaller picture or of a field of view, and of none that are called pixels of the image.
    """
    if len(obs) != len(xy):  # told elsewhere
        return ()
    pairs = list(_pairs(obs))
    equal = [pair for pair in pairs if _alike(pair.xy, xy)]
    in_px = [pair for pair in pairs if pair.frame == "px"]
    if any(pair in in_px for pair in equal):
        return ()
    for pair in equal:
        if pair.frame in _OTHERS:
            words, remedy = _OTHERS[pair.frame]
            raise DataError(
                f"obsm['spatial'] holds {pair.names}: {words}, by their names",
                where=where,
                expected=_EXPECTED,
                remedy=remedy,
            )
    if not in_px:
        return ()
    swapped = [pair for pair in in_px if _alike(pair.xy[:, ::-1], xy)]
    how = ": x and y are swapped" if swapped else ""
    return (f"{(swapped or in_px)[0].names} give other places than obsm['spatial'], which was taken{how}",)


def columns_of_places(obs: pd.DataFrame) -> tuple[str, str, str] | None:
    """Return two columns of obs that may be x and y, and what they count in; None where there are none.

    Pixels go before columns whose names do not say what they are, and these before micrometres.
    """
    order = ("px", "", "um")
    usable = sorted(
        (pair for pair in _pairs(obs) if pair.frame in order), key=lambda pair: order.index(pair.frame)
    )
    return (usable[0].x, usable[0].y, usable[0].frame) if usable else None


def _pairs(obs: pd.DataFrame) -> Iterator[_Pair]:
    """Go over the pairs of columns that differ by the word for the axis alone, and hold numbers."""
    found: dict[frozenset[str], dict[str, list[str]]] = {}
    for name in map(str, obs.columns):
        axis, _, rest = meaning(name)
        if axis:
            found.setdefault(rest, {}).setdefault(axis, []).append(name)
    for axes in found.values():
        x, y = axes.get("x", []), axes.get("y", [])
        if len(x) != 1 or len(y) != 1:
            continue
        numbers = [pd.to_numeric(obs[name].astype(object), errors="coerce") for name in (x[0], y[0])]
        xy = np.column_stack([np.asarray(column, dtype=np.float64) for column in numbers])
        if np.isfinite(xy).all(axis=1).any():
            yield _Pair(x[0], y[0], meaning(x[0])[1], xy)


def _alike(one: Float[np.ndarray, "n 2"], other: Float[np.ndarray, "n 2"]) -> bool:
    """Whether two columns of places are the same, where both are numbers."""
    there = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    if not there.any():
        return False
    return bool(np.allclose(one[there], other[there], rtol=_WITHIN, atol=_WITHIN))

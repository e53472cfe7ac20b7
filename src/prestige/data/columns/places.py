"""Where observations lie: ``obsm["spatial"]`` as x and y in pixels, by what its columns are called."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.sparse import issparse

from prestige.data.columns.units import is_um
from prestige.errors import DataError, reading
from prestige.text import some

_ELEMENT = "obsm['spatial']"
_EXPECTED = "x and y of every observation, in pixels of the full image"
_X, _Y = {"x", "col", "column", "cols"}, {"y", "row", "rows"}
_OTHER_UNITS = {"mm", "nm"}
_BY_CUSTOM = {"centroid", "center", "centre"}  # micrometres in the tables of Xenium and MERSCOPE
_ARRAY, _PICTURE, _LOCAL = {"array", "grid", "tile", "bin", "index"}, {"lowres", "hires"}, {"local", "fov"}
_OTHERS = _ARRAY | _PICTURE | _LOCAL
_PIXELS = {"fullres", "image", "img", "px", "pxl", "pixel", "pixels"}
_IMAGE_ORDER = {"centroid", "axis", "dim"}  # numbered, these begin with y in image libraries
_JOINED = r"^(image|img|pixel|pxl|pos|coord|center|centre|spot|array|grid)(?=row|col|[xy](?:[^a-z]|$))"


def read_places(spatial: Any, ids: pd.Index, *, where: str) -> Float[np.ndarray, "n 2"]:
    """Return x and y of the observations, in pixels.

    Parameters
    ----------
    spatial
        What the table holds.  A data frame (or array with named columns) says by its names which column is x
        (x, col, pxl_col_in_fullres, imagecol) and which y (y, row, ...); names that say micrometres, places
        of the array or another picture are refused.  An array has x and y first, a third column is left.
    ids
        Names of the rows, for messages.
    where
        The table.

    Raises
    ------
    DataError
        When these are no numbers, or it cannot be told which of them are x and y.  NaN is returned as it is.
    """

    def fault(what: str, remedy: str | None = None) -> DataError:
        return DataError(f"{_ELEMENT} {what}", where=where, expected=_EXPECTED, remedy=remedy)

    if issparse(spatial):
        raise fault("is a sparse matrix", "store it as an array")
    if isinstance(spatial, np.ndarray) and spatial.dtype.names:
        records: Any = np.asarray(spatial).ravel()  # AnnData makes them a column
        with reading(where, part=_ELEMENT, expected=_EXPECTED, remedy=None):
            spatial = pd.DataFrame({name: list(records[name]) for name in records.dtype.names})
    if isinstance(spatial, pd.DataFrame):
        spatial = spatial[_named_columns(list(spatial.columns), fault)].to_numpy()
    array = np.asarray(spatial)
    if array.ndim != 2 or not 2 <= array.shape[1] <= 3:
        raise fault(f"has shape {array.shape}", "store x and y as its two columns")
    return np.ascontiguousarray(_as_numbers(array[:, :2], ids, fault))


def place_columns(names: list[str], *, where: str, in_um: bool | None = None) -> tuple[str, str, bool]:
    """Return which columns of a table are x and y, and whether they are micrometres, by what they are called.

    Parameters
    ----------
    names
        All columns.
    where
        The table, for messages.
    in_um
        Whether they are micrometres, where somebody states it; else pixels are looked for first.

    Raises
    ------
    DataError
        When it cannot be told which they are.

    Examples
    --------
    >>> place_columns(["id", "y", "x"], where="a.csv")
    ('x', 'y', False)
    >>> place_columns(["cell_id", "x_centroid", "y_centroid"], where="cells.csv")
    ('x_centroid', 'y_centroid', True)
    """

    def fault(what: str, remedy: str | None = None) -> DataError:
        return DataError(what, where=where, expected="columns x and y", remedy=remedy)

    words = {name: _words(name) for name in names}
    um = [name for name in names if _says_um(words[name]) and not words[name] & (_PIXELS | _OTHERS)]
    um = um or [name for name in names if words[name] & _BY_CUSTOM and not words[name] & (_PIXELS | _OTHERS)]
    x, y = ([name for name in um if words[name] & axis] for axis in (_X, _Y))
    if len(x) != 1 or len(y) != 1 or x == y:
        return (*_two(_named_columns(names, fault)), bool(in_um))
    if in_um is None:  # columns of pixels beside those of micrometres go before them
        try:
            return (*_two(_named_columns(names, fault)), False)
        except DataError:
            return x[0], y[0], True
    if in_um or words[x[0]] & _BY_CUSTOM:
        return x[0], y[0], in_um
    return (*_two(_named_columns(names, fault)), False)


def meaning(name: object) -> tuple[str, str, frozenset[str]]:
    """Return the axis that a column is called after (x, y or nothing), what it counts in, its other words.

    What it counts in is "px" (of the full image), "um", "array", "picture" (pixels of a smaller one),
    "local" (those of a field of view), or nothing where its name does not say it.

    Examples
    --------
    >>> [meaning(name)[:2] for name in ("pxl_row_in_fullres", "x_centroid", "array_col", "CenterX_local_px")]
    [('y', 'px'), ('x', 'um'), ('x', 'array'), ('x', 'local')]
    """
    words = _words(name)
    axes = [axis for axis, known in (("x", _X), ("y", _Y)) if words & known]
    frames = (("local", _LOCAL), ("array", _ARRAY), ("picture", _PICTURE), ("px", _PIXELS))
    frame = next((frame for frame, known in frames if words & known), "")
    if not frame and (_says_um(words) or words & _BY_CUSTOM):
        frame = "um"
    return axes[0] if len(axes) == 1 else "", frame, frozenset(words - _X - _Y)


def _two(names: list[Any]) -> tuple[str, str]:
    return str(names[0]), str(names[1])


def turned(names: list[Any]) -> bool:
    """Return whether columns of these names are not simply x and y in this order."""
    try:
        return bool(names) and _named_columns(names, _told) != names[:2]
    except DataError:
        return True


def _told(what: str, remedy: str | None = None) -> DataError:
    return DataError(what, remedy=remedy)


def _as_numbers(array: np.ndarray, ids: pd.Index, fault: Any) -> Float[np.ndarray, "n 2"]:
    if array.dtype.kind in "iuf":
        return array.astype(np.float64)
    if array.dtype.kind not in "OSUT":
        raise fault(f"holds {array.dtype}", "store numbers")
    columns = [pd.Series(array[:, column]) for column in range(2)]
    numbers = [np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64) for column in columns]
    out = np.column_stack(numbers)
    missing = np.column_stack([column.isna() for column in columns])
    wrong = np.isnan(out) & ~missing
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        rows = np.flatnonzero(wrong.any(axis=1))
        names = ids[rows] if len(ids) == len(out) else rows.tolist()
        raise fault(
            f"holds {str(array[row, column])!r} in {some(names)}", "store numbers, or take these rows off"
        )
    return out


def _named_columns(names: list[Any], fault: Any) -> list[Any]:
    """Return the columns that hold x and y, in this order, by their names."""
    words = {name: _words(name) for name in names}
    stems = {re.sub(r"[0-9]+$", "", str(name)) for name in names}
    if len(names) in (2, 3) and len(stems) == 1 and str(names[0]) not in stems:
        if words[names[0]] & _IMAGE_ORDER:
            raise fault(f"has the columns {_list(names)}: which are x and y?", "name them x and y")
        return names[:2]  # numbered: as in an array
    if not any(of_name & (_X | _Y) for of_name in words.values()):
        raise fault(f"has the columns {_list(names)}", "name them x and y")
    micrometres = [
        name
        for name, of_name in words.items()
        if _says_um(of_name) or of_name & _OTHER_UNITS or (of_name & _BY_CUSTOM and not of_name & _PIXELS)
    ]
    usable = [name for name in names if name not in micrometres and not words[name] & _OTHERS]
    x, y = ([name for name in usable if words[name] & axis] for axis in (_X, _Y))
    if not x or not y:
        what = "micrometres" if micrometres else "no pixels of the full image"
        raise fault(
            f"has the columns {_list(names)}: {what}, by their names",
            "divide them by the width of a pixel and name them x and y"
            if micrometres
            else "name pixels x and y",
        )
    if len(x) > 1 or len(y) > 1:
        x, y = ([name for name in axis if words[name] & _PIXELS] for axis in (x, y))
        if len(x) != 1 or len(y) != 1:
            raise fault(f"has the columns {_list(names)}: which are x and y?", "leave two, named x and y")
    if x == y:
        raise fault(f"has the column {_list(x)}: x and y in one", "put commas or tabs between its columns")
    return [x[0], y[0]]


def _says_um(words: set[str]) -> bool:
    return any(map(is_um, words))


def _words(name: object) -> set[str]:
    """Return the words of a name: image, row of 'imagerow', and center, x, px of 'CenterX_px'."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", str(name).replace("\N{MICRO SIGN}", "u")).lower()
    text = re.sub(r"^([xy])(?=coord|pos|pix|px|cent)", r"\1 ", text)
    text = re.sub(_JOINED, r"\1 ", text.replace("\N{GREEK SMALL LETTER MU}", "u"))
    return set(re.findall(r"[a-z]+", text))


def _list(names: list[Any]) -> str:
    return ", ".join(f"'{name}'" for name in names[:6]) + (", ..." if len(names) > 6 else "")

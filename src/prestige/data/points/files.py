"""A file of places: csv, tsv, parquet or GeoJSON, by its content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from prestige.data.columns.places import place_columns
from prestige.data.platforms.flat import as_floats, read_flat
from prestige.data.platforms.geojson import read_geojson
from prestige.data.platforms.packed import opened_text
from prestige.errors import DataError, reading

EXPECTED = "places: a csv, tsv or parquet with columns x and y, GeoJSON, or a mask of labels (.tif, .npy)"
Kind = Literal["table", "geojson", "tiff", "numpy"]

_OTHERS = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"PK\3\4", "a zip archive, as spreadsheets (.xlsx) and .npz are"),
    (b"\x89HDF", "an HDF5 file"),
)
_IDS = ("id", "cell_id", "cellid", "barcode", "name", "object_id", "label", "")


@dataclass(frozen=True, eq=False)
class Points:
    """Places as a file states them: names, x and y, whether these are micrometres, and notes."""

    names: tuple[str, ...]
    xy: Float[np.ndarray, "n 2"]
    in_um: bool
    notes: tuple[str, ...]


def kind_of_file(path: Path) -> Kind:
    """Return what a file is, by its first bytes.

    Raises
    ------
    DataError
        When it is missing or no regular file, or one of another kind.
    """
    with opened_text(path, expected=EXPECTED) as stream, reading(path, expected=EXPECTED):
        head = stream.read(64)
    for start, words in _OTHERS:
        if head.startswith(start):
            raise DataError(
                f"is {words}",
                where=path,
                expected=EXPECTED,
                remedy="save places as csv, labels as .tif or .npy",
            )
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if head.startswith(b"\x93NUMPY"):
        return "numpy"
    return "geojson" if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[") else "table"


def read_points(path: Path, unit: Literal["px", "um"] | None = None) -> Points:
    """Read a table of places or GeoJSON.

    Parameters
    ----------
    unit
        What x and y are, where dataset.yaml states it; else by the names of the columns, pixels by default.

    Raises
    ------
    DataError
        When it is neither, has no two columns for x and y, or the same id twice.
    """
    if kind_of_file(path) == "geojson":
        drawing = read_geojson(path).objects()
        xy, names = drawing.places()
        return Points(tuple(names), xy, unit == "um", drawing.notes)
    where = str(path)
    found: tuple[str, str, bool] | None = None
    ids: str | None = None

    def choose(names: list[str]) -> list[str]:
        nonlocal found, ids
        found = place_columns(names, where=where, in_um=None if unit is None else unit == "um")
        by_lower = {name.strip().lower(): name for name in names if name not in found}
        ids = next((by_lower[name] for name in _IDS if name in by_lower), None)
        return [found[0], found[1], *([] if ids is None else [ids])]

    table = read_flat(path, expected=EXPECTED, choose=choose)
    assert found is not None
    x, y, in_um = found
    xy = np.column_stack([as_floats(table[x], where=where), as_floats(table[y], where=where)])
    names = [str(number) for number in range(1, len(table) + 1)]
    said: tuple[str, ...] = ()
    if ids is not None:
        own = pd.Index([_name(value) for value in table[ids]])
        if own.is_unique and not (own == "").any():
            names = own.tolist()
        else:
            said = (f"the column '{ids}' of {path.name} has gaps or doubles: places are numbered",)
    unit_words = "micrometres" if in_um else "pixels"
    return Points(
        tuple(names), xy, in_um, (*said, f"places are '{x}' and '{y}' of {path.name}, in {unit_words}")
    )


def _name(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return "" if value is None or value != value else str(value).strip()

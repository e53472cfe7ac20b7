"""Cells of Visium HD that Space Ranger 4 segmented: a matrix a cell, and their outlines in GeoJSON."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from prestige.data.columns.ids import whole_ids
from prestige.data.platforms.geojson import read_geojson
from prestige.errors import DataError
from prestige.text import some

OUTLINES = ("cell_segmentations.geojson",)
_BARCODE = re.compile(r"cellid_([0-9]{1,18})-[0-9]+")


def folder_of_cells(path: Path) -> Path | None:
    """Return the folder of segmented cells below an output folder (or the one that is named)."""
    places = [path / "segmented_outputs", path / "outs" / "segmented_outputs"]
    if path.name == "segmented_outputs":
        places.insert(0, path)
    return next((place for place in places if place.is_dir()), None)


def numbers_of(ids: pd.Index, path: Path) -> Int[np.ndarray, " n"]:
    """Return the numbers of cells by their barcodes: 9 of ``cellid_000000009-1``.

    Raises
    ------
    DataError
        When they are no barcodes of cells.
    """
    found = [_BARCODE.fullmatch(one) for one in ids]
    wrong = [text for text, one in zip(ids, found, strict=True) if one is None]
    if wrong:
        raise DataError(
            f"barcodes that are not those of cells: {some(wrong)}",
            where=path,
            expected="cellid_NNNNNNNNN-1",
            remedy="name the folder segmented_outputs as Space Ranger wrote it",
        )
    return np.array([int(one[1]) for one in found if one], dtype=np.int64)


def centres_of(path: Path) -> tuple[pd.Series, Float[np.ndarray, "m 2"], tuple[str, ...]]:
    """Return the numbers of outlined cells, the centroids of their outlines in pixels, and notes.

    Coordinates are pixels (x, y) of the full-resolution image.

    Raises
    ------
    DataError
        When the file is damaged, or an outline has no ``cell_id``.
    """
    drawing = read_geojson(path)
    outlines = [one for one in drawing.features if one.is_area]
    said = pd.Series([one.properties.get("cell_id") for one in outlines], dtype=object)
    numbers = whole_ids(said, where=str(path), what="cell_id", least=0)
    centres = [one.geometry.centroid.coords[0] for one in outlines]
    return pd.Series(numbers), np.array(centres, dtype=np.float64).reshape(-1, 2), drawing.notes

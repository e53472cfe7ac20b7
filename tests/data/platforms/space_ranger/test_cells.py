"""Segmented cells: their numbers, and the centroids of their outlines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.data.platforms.space_ranger.cells import centres_of, numbers_of
from prestige.errors import DataError


def test_numbers_stand_in_the_barcodes() -> None:
    ids = pd.Index(["cellid_000000009-1", "cellid_000000010-1", "cellid_1234567890-1"])
    assert numbers_of(ids, Path("m")).tolist() == [9, 10, 1234567890]
    with pytest.raises(
        DataError, match=r"m: barcodes that are not those of cells: 1 \(AAAC-1\); expected cellid"
    ):
        numbers_of(pd.Index(["cellid_000000009-1", "AAAC-1"]), Path("m"))


def test_outlines_without_a_number_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cell_segmentations.geojson"
    path.write_text('{"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 0]]]}')
    with pytest.raises(DataError, match="cell_id"):
        centres_of(path)


def test_real_outlines(shared_data: Path) -> None:
    folder = shared_data / "exports" / "visium_hd" / "sr4_segmented_excerpts"
    if not folder.exists():
        pytest.skip(f"no {folder}")
    numbers, centres, notes = centres_of(folder / "cell_segmentations_3cells_tiny.geojson")
    assert numbers.tolist() == [1, 9, 8]
    assert notes == ()
    steps = "0,0 0,-12 4,-12 4,-14 12,-14 12,-8 14,-8 14,-2 16,-2 16,0"  # along bins of 2 um
    ring = np.array([step.split(",") for step in steps.split()], dtype=float) + [1598.9, 4957.5]
    x, y = ring.T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y  # the shoelace formula
    expected = [((one + np.roll(one, -1)) * cross).sum() / (3 * cross.sum()) for one in (x, y)]
    np.testing.assert_allclose(centres[1], expected, atol=1e-6)
    assert centres_of(folder / "nucleus_segmentations_ovarian.geojson")[0].tolist() == [1, 3]

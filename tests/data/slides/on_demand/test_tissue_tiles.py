"""Tiles of tissue at the width of a pixel that is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prestige.data.slides.images import image_of
from prestige.data.slides.on_demand.tissue_tiles import TissueTiles
from prestige.errors import DataError

from ..phantoms import philips, picture
from .test_overview import pyramid, section


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize("factors", [(), (2,), (4,)])
def test_tiles_are_means_of_the_slide_in_order(
    tmp_path: Path, factors: tuple[int, ...], threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    pixels = section()
    image = image_of(pyramid(tmp_path / "a.tif", pixels, *factors))
    tiles = TissueTiles(image, um_per_px=1.0, tile_px=20, tile_um_per_px=2.0, least_tissue=0.9)
    expected = [(x, y) for y in range(0, 400, 40) for x in range(0, 600, 40)]
    np.testing.assert_array_equal(tiles.corners_px, expected)
    made = list(tiles)
    assert len(made) == len(tiles) == 150
    for (x, y), tile in zip(expected, made, strict=True):
        mean = pixels[y : y + 40, x : x + 40].reshape(20, 2, 20, 2, 3).mean(axis=(1, 3))
        assert np.abs(tile - mean).max() <= 1.1
    image.close()


def test_tiles_at_the_edge_are_filled_up_with_white(tmp_path: Path) -> None:
    image = image_of(pyramid(tmp_path / "a.tif", section()[:430, :330]))
    tiles = TissueTiles(image, um_per_px=1.0, tile_px=50, tile_um_per_px=2.0, least_tissue=0.05)
    corners = [(x, y) for y in range(0, 500, 100) for x in range(0, 400, 100)]
    np.testing.assert_array_equal(tiles.corners_px, corners)
    for (x, y), tile in zip(corners, tiles, strict=True):
        columns, rows = (15 if x == 300 else 50), (15 if y == 400 else 50)  # of the slide's 330 and 430 px
        assert (tile[rows:] == 255).all()
        assert (tile[:, columns:] == 255).all()
        assert (tile[:rows, :columns] < 255).all()
    image.close()


def test_what_holds_no_pixels_has_no_tiles(tmp_path: Path) -> None:
    pytest.importorskip("openslide")
    image = image_of(philips(tmp_path / "a.tiff", picture(256, 256), absent=[5]))  # x 64..128, y 64..128
    tiles = TissueTiles(image, um_per_px=8.0, tile_px=32, tile_um_per_px=16.0, least_tissue=0.8)
    corners = {tuple(corner) for corner in tiles.corners_px.tolist()}
    assert corners == {(x, y) for x in (0, 64, 128, 192) for y in (0, 64, 128, 192)} - {(64, 64)}
    image.close()


def test_tiles_finer_than_the_slide_are_refused(tmp_path: Path) -> None:
    image = image_of(pyramid(tmp_path / "a.tif", section()))
    with pytest.raises(DataError, match=r"pixels are 1 um wide, and tiles of 0.5 um are asked for"):
        TissueTiles(image, um_per_px=1.0, tile_px=20, tile_um_per_px=0.5)
    with pytest.raises(DataError, match=r"a\.tif"):
        TissueTiles(image, um_per_px=2.0, tile_px=20, tile_um_per_px=0.5)

"""A slide as a whole, and its tissue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from prestige.data.slides.images import image_of
from prestige.data.slides.on_demand.overview import level_for, overview_of, part_at


def section(height: int = 800, width: int = 1200) -> np.ndarray:
    """Return glass with a piece of tissue in the upper left quarter."""
    rng = np.random.default_rng(0)
    pixels = np.full((height, width, 3), 240, np.uint8)
    tissue = np.kron(rng.integers(90, 200, (height // 16, width // 16, 3)), np.ones((8, 8, 1)))
    pixels[: tissue.shape[0], : tissue.shape[1]] = tissue
    return pixels


def pyramid(path: Path, pixels: np.ndarray, *factors: int) -> Path:
    with tifffile.TiffWriter(path) as file:
        file.write(pixels, photometric="rgb", tile=(128, 128), metadata=None)
        for factor in factors:
            height, width = (side // factor for side in pixels.shape[:2])
            cut = pixels[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
            small = np.rint(cut.mean(axis=(1, 3))).astype(np.uint8)
            file.write(small, photometric="rgb", tile=(128, 128), metadata=None, subfiletype=1)
    return path


@pytest.mark.parametrize("factors", [(), (4,), (2, 4, 16)])
def test_the_overview_is_the_same_from_whichever_level(tmp_path: Path, factors: tuple[int, ...]) -> None:
    pixels = section()
    image = image_of(pyramid(tmp_path / "a.tif", pixels, *factors))
    overview = overview_of(image, 1.0)
    assert (overview.factor, overview.pixels.shape) == (8.0, (100, 150, 3))
    expected = pixels.reshape(100, 8, 150, 8, 3).mean(axis=(1, 3))
    assert np.abs(overview.pixels - expected).max() <= 1.1
    image.close()


def test_tissue_is_what_is_no_glass(tmp_path: Path) -> None:
    image = image_of(pyramid(tmp_path / "a.tif", section(), 4))
    places = np.array([[100.0, 100.0], [500.0, 300.0], [900.0, 300.0], [100.0, 600.0]])
    assert overview_of(image, 1.0).tissue(places).tolist() == [True, True, False, False]
    image.close()


def test_where_no_glass_is_seen_white_is_none(tmp_path: Path) -> None:
    pixels = section()
    pixels[:, 600:] = pixels[:, :600]
    pixels[400:] = pixels[:400]
    pixels[:80, :80] = 255
    image = image_of(pyramid(tmp_path / "a.tif", pixels))
    found = overview_of(image, 1.0).tissue(np.array([[40.0, 40.0], [300.0, 300.0]]))
    assert found.tolist() == [False, True]
    image.close()


def test_the_level_is_the_smallest_that_is_fine_enough(tmp_path: Path) -> None:
    image = image_of(pyramid(tmp_path / "a.tif", section(), 2, 4))
    assert [level_for(image, float(factor)) for factor in (0.5, 1, 1.9, 2, 3.97, 3.9, 100)] == [
        0,
        0,
        0,
        1,
        2,
        1,
        2,
    ]


def test_parts_begin_between_pixels(tmp_path: Path) -> None:
    pixels = section()
    image = image_of(pyramid(tmp_path / "a.tif", pixels))
    np.testing.assert_array_equal(part_at(image, 0, 10.0, 20.0, 1.0, (30, 40)), pixels[20:50, 10:50])
    found = part_at(image, 0, 3.5, 2.5, 2.0, (5, 6))
    grown = np.kron(pixels[:40, :40].astype(float), np.ones((2, 2, 1)))  # half pixels
    expected = grown[5 : 5 + 20, 7 : 7 + 24].reshape(5, 4, 6, 4, 3).mean(axis=(1, 3))
    assert np.abs(found - expected).max() <= 0.51
    image.close()

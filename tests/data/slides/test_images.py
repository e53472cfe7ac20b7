"""One door for the images of all readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from prestige.data.slides.images import image_of
from prestige.data.slides.slide import open_pixels
from prestige.errors import DataError


def test_a_tiff_says_its_size_and_width_and_is_decoded(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 64, 3), dtype=np.uint8)
    how = {"photometric": "rgb", "metadata": None, "tile": (16, 16)}
    tifffile.imwrite(tmp_path / "a.tif", pixels, resolution=(20_000, 20_000), resolutionunit=3, **how)
    image = image_of(tmp_path / "a.tif")
    assert (image.height_px, image.width_px, image.notes) == (40, 64, ())
    assert image.stated_um() == pytest.approx({"resolution tags": 0.5})
    image.write(tmp_path / "slide")
    np.testing.assert_array_equal(open_pixels(tmp_path / "slide"), pixels)
    blank, _ = image.on_no_pixels(np.array([[1.0, 2.0], [63.0, 39.0]]))
    assert not len(blank)


def test_what_is_not_there_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.tif: no such file; expected an H&E image"):
        image_of(tmp_path / "a.tif")

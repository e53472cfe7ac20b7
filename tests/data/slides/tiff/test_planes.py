"""Three pages of one channel that are one image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from prestige.data.slides.images import image_of
from prestige.data.slides.slide import open_pixels
from prestige.errors import DataError

PIXELS = np.kron(np.random.default_rng(3).integers(90, 250, (5, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
CYX = np.ascontiguousarray(PIXELS.transpose(2, 0, 1))


def ome(path: Path, content: np.ndarray = CYX, names: list[str] | None = None, **how: Any) -> Path:
    metadata = {"axes": "CYX", **({"Channel": {"Name": names}} if names else {})}
    settings = {"photometric": "minisblack", "tile": (16, 16), **how}
    tifffile.imwrite(path, content, ome=True, metadata=metadata, **settings)
    return path


@pytest.mark.parametrize("names", [None, ["Red", "Green", "Blue"], ["Channel 0", "Channel 1", "Channel 2"]])
def test_three_planes_of_an_ome_tiff_are_its_colours(tmp_path: Path, names: list[str] | None) -> None:
    image = image_of(ome(tmp_path / "a.ome.tif", names=names))
    image.write(tmp_path / "slide")
    np.testing.assert_array_equal(open_pixels(tmp_path / "slide"), PIXELS)
    np.testing.assert_array_equal(image.read(0, 5, 9, 30, 20), PIXELS[9:29, 5:35])
    assert image.notes == ("page 1, page 2, page 3 of a.ome.tif were taken as red, green and blue",)
    image.close()


def test_planes_are_put_in_the_order_of_their_names(tmp_path: Path) -> None:
    image_of(ome(tmp_path / "a.ome.tif", CYX[[2, 0, 1]], ["B", "R", "G"])).write(tmp_path / "slide")
    np.testing.assert_array_equal(open_pixels(tmp_path / "slide"), PIXELS)


def test_three_channels_of_imagej_are_its_colours(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", CYX, imagej=True, metadata={"axes": "CYX", "mode": "composite"})
    image_of(tmp_path / "a.tif").write(tmp_path / "slide")
    np.testing.assert_array_equal(open_pixels(tmp_path / "slide"), PIXELS)


def test_three_stains_three_planes_and_three_pages_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"three pages of one channel .*, called DAPI, CD45, 18S\)"):
        image_of(ome(tmp_path / "a.ome.tif", names=["DAPI", "CD45", "18S"]))
    tifffile.imwrite(tmp_path / "b.tif", CYX, imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(DataError, match="in three pages of one channel"):
        image_of(tmp_path / "b.tif")
    tifffile.imwrite(tmp_path / "c.tif", CYX, photometric="minisblack", metadata=None)
    with pytest.raises(DataError, match="in three pages of one channel"):
        image_of(tmp_path / "c.tif")
    tifffile.imwrite(
        tmp_path / "d.ome.tif", CYX, ome=True, photometric="minisblack", metadata={"axes": "ZYX"}
    )
    with pytest.raises(DataError, match="in three pages of one channel"):
        image_of(tmp_path / "d.ome.tif")


def test_planes_have_levels_below_them(tmp_path: Path) -> None:
    half = CYX.reshape(3, 20, 2, 32, 2).mean(axis=(2, 4)).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        how = {"photometric": "minisblack", "tile": (16, 16)}
        file.write(CYX, subifds=1, metadata={"axes": "CYX"}, **how)
        file.write(half, subfiletype=1, **how)
    image = image_of(tmp_path / "a.ome.tif")
    assert [(one.height_px, one.width_px) for one in image.levels] == [(40, 64), (20, 32)]
    np.testing.assert_array_equal(image.read(1, 2, 3, 20, 10), half.transpose(1, 2, 0)[3:13, 2:22])
    image.close()

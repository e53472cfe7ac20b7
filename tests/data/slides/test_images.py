"""One door for the images of all readers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from prestige.data.slides.images import blocks_of, image_of
from prestige.data.slides.slide import open_pixels
from prestige.errors import DataError


def test_a_tiff_says_its_size_and_width_and_is_decoded(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 64, 3), dtype=np.uint8)
    how = {"photometric": "rgb", "metadata": None, "tile": (16, 16)}
    tifffile.imwrite(tmp_path / "a.tif", pixels, resolution=(20_000, 20_000), resolutionunit=3, **how)
    image = image_of(tmp_path / "a.tif")
    assert (image.height_px, image.width_px, image.notes) == (40, 64, ())
    assert image.files == {"image": tmp_path / "a.tif"}
    assert image.stated_um() == pytest.approx({"resolution tags": 0.5})
    image.write(tmp_path / "slide")
    np.testing.assert_array_equal(open_pixels(tmp_path / "slide"), pixels)
    blank, _ = image.on_no_pixels(np.array([[1.0, 2.0], [63.0, 39.0]]))
    assert not len(blank)


def test_what_is_not_there_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.tif: no such file; expected an H&E image"):
        image_of(tmp_path / "a.tif")


def test_a_part_may_reach_beyond_the_edges_where_it_is_white(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (40, 64, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", tile=(16, 16))
    image = image_of(tmp_path / "a.tif")
    framed = np.pad(pixels, ((70, 70), (70, 70), (0, 0)), constant_values=255)
    for x, y, width, height in [
        (0, 0, 64, 40),
        (-3, 5, 20, 9),
        (50, 30, 40, 40),
        (-70, -70, 5, 5),
        (64, 1, 3, 4),
    ]:
        part = image.read(0, x, y, width, height)
        np.testing.assert_array_equal(part, framed[y + 70 : y + 70 + height, x + 70 : x + 70 + width])
    image.close()
    np.testing.assert_array_equal(image.read(0, 1, 2, 3, 4), pixels[2:6, 1:4])
    image.close()


def test_parts_cover_an_image_once() -> None:
    seen = np.zeros((50, 70), int)
    for x, y, width, height in blocks_of(50, 70, 16, 32):
        seen[y : y + height, x : x + width] += 1
    assert (seen == 1).all()


READ: dict[str, tuple[tuple[int, int], float | None, tuple[float, float, float], str]] = {
    "svs/CMU-1-Small-Region.svs": ((2967, 2220), 0.499, (214.01, 194.81, 207.90), ""),
    "svs/small.svs": ((16, 16), 0.499, (238.15, 233.95, 236.82), ""),
    "tiff/boxes.tiff": ((250, 300), None, (159.09, 163.51, 191.50), ""),
    "dicom/boxes_0.dcm": ((16, 16), 0.499, (238.15, 233.95, 236.82), ""),
    "dicom/sm_image.dcm": ((50, 50), 0.499, (243.91, 243.89, 243.89), ""),
    "ometiff/cells.ome.tif": ((131, 93), 0.25, (212.63, 213.62, 214.53), ""),
    "ometiff/cells.tif": ((131, 93), 0.25, (212.63, 213.62, 214.53), ""),
    "ometiff/OS-1-detail.ome.tif": ((1101, 1101), 0.227097, (144.37, 123.64, 179.70), ""),
    "omezarr/CMU-1-Small-Region_v04.ome.zarr": (
        (2967, 2220),
        0.499,
        (214.01, 194.81, 207.90),
        "image 0 of .* was read, the largest that is no label or macro image; 2 lie beside it",
    ),
    "plain/boxes.png": ((250, 300), None, (159.09, 163.51, 191.50), ""),
    "plain/boxes-no-icc.png": ((250, 300), None, (159.09, 163.51, 191.50), ""),
    "plain/cells.png": ((131, 93), None, (212.63, 213.62, 214.53), ""),
    "plain/cells.jpg": ((261, 185), None, (212.63, 213.60, 214.52), ""),
    "plain/cells-1.jp2": ((261, 185), None, (212.63, 213.62, 214.53), ""),
    "../anndata/squidpy_visium/test_img.jpg": ((1717, 950), None, (113.03, 87.81, 114.68), ""),
}
REFUSED = {
    "svs/unreadable.svs": "cannot be read",
    "ndpi/test3-DAPI-2-(387).ndpi": "the image is dark: .*expected an H&E image",
    "tiff/unopenable.tiff": r"compressed in a way that is not read \(52479\)",
    "tiff/test_orient1.tif": "the image has 1 channel",
    "tiff/test_orient2.tif": r"stored turned or mirrored \(orientation 2\)",
    "tiff/test_orient3.tif": r"stored turned or mirrored \(orientation 3\)",
    "tiff/test_orient6.tif": r"stored turned or mirrored \(orientation 6\)",
    "dicom/sm_image_jpegls.dcm": "openslide does not read it .*write it as a TIFF",
    "dicom/sm_image_grayscale.dcm": "openslide does not read it .*write it as a TIFF",
    "ometiff/cells-2c.ome.tif": "two pages of one channel",
    "ometiff/cells-gray16.tif": "the image is 16 bit",
}


def exports(shared_data: Path) -> Path:
    folder = shared_data / "exports" / "wsi"
    if not folder.is_dir():
        pytest.skip(f"no exports of scanners at {folder}")
    return folder


@pytest.mark.parametrize("name", READ)
def test_a_real_slide_gives_its_numbers(shared_data: Path, tmp_path: Path, name: str) -> None:
    size, um, mean, note = READ[name]
    image = image_of(exports(shared_data) / name)
    assert (image.height_px, image.width_px) == size
    assert [*image.stated_um().values()][:1] == ([] if um is None else [pytest.approx(um, abs=1e-6)])
    assert (len(image.notes) == 1) == bool(note)
    if note:
        assert re.match(note, image.notes[0])
    image.write(tmp_path / "slide")
    pixels = open_pixels(tmp_path / "slide")
    np.testing.assert_allclose(pixels.reshape(-1, 3).mean(axis=0), mean, atol=0.006)
    part = image.read(0, 3, 5, 9, 7)
    np.testing.assert_array_equal(part, pixels[5:12, 3:12])
    image.close()


@pytest.mark.parametrize("name", REFUSED)
def test_a_real_image_that_is_no_slide_is_refused_in_one_line(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError, match=REFUSED[name]) as told:
        image_of(exports(shared_data) / name).write(tmp_path / "slide")
    assert "\n" not in str(told.value)
    assert str(told.value).count(Path(name).name) == 1


def test_the_levels_of_a_real_pyramid_are_by_their_sizes(shared_data: Path) -> None:
    levels = image_of(exports(shared_data) / "tiff/boxes.tiff").levels
    assert [(one.width_px, one.height_px) for one in levels] == [(300, 250), (150, 125), (75, 62), (37, 31)]
    assert levels[3].downsample == pytest.approx(8.086, abs=1e-3)
    ndpi = image_of(exports(shared_data) / "ndpi/test3-DAPI-2-(387).ndpi")
    assert [round(one.downsample) for one in ndpi.levels] == [1, 2, 4, 8]
    assert ndpi.stated_um() == pytest.approx({"resolution tags": 0.22818}, abs=1e-5)
    zarr = image_of(exports(shared_data) / "omezarr/CMU-1-Small-Region_v04.ome.zarr").levels
    assert [round(one.downsample, 2) for one in zarr] == [1.0, 3.87]  # whose scale says 2


def test_the_store_made_of_a_slide_holds_the_same_pixels(shared_data: Path) -> None:
    folder = exports(shared_data)
    svs = image_of(folder / "svs/CMU-1-Small-Region.svs")
    zarr = image_of(folder / "omezarr/CMU-1-Small-Region_v04.ome.zarr")
    at: Any = (0, 700, 900, 500, 400)
    np.testing.assert_array_equal(svs.read(*at), zarr.read(*at))
    svs.close()

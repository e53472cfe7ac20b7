"""Scanners' own formats: frames, regions, padding, what is not stored."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest

from prestige.data.slides.images import image_of
from prestige.data.slides.scanner.image import ScannerImage
from prestige.data.slides.slide import open_pixels
from prestige.errors import DataError

from ..phantoms import philips, picture, scn


def test_a_padded_slide_with_an_absent_tile_is_white_there(tmp_path: Path) -> None:
    pixels = picture(150, 200)
    image = image_of(philips(tmp_path / "a.tiff", pixels, absent=[2]))  # x 128 to 192, y 0 to 64
    assert isinstance(image, ScannerImage)
    assert (image.height_px, image.width_px) == (192, 256)
    assert image.stated_um() == pytest.approx({"scanner's metadata": 0.25})
    assert [one.downsample for one in image.levels] == pytest.approx([1, 2])
    image.write(tmp_path / "slide")
    expected = np.full((192, 256, 3), 255, np.uint8)
    expected[:150, :200] = pixels
    expected[:64, 128:192] = 255
    np.testing.assert_array_equal(open_pixels(tmp_path / "slide"), expected)
    assert image.notes == ("8.3% of a.tiff holds no pixels: it was filled with white",)  # 1 of 12 tiles
    blank, words = image.on_no_pixels(
        np.array([[127.0, 3.0], [128.0, 3.0], [191.0, 63.0], [191.0, 64.0], [999, 0]])
    )
    assert blank.tolist() == [1, 2]
    assert words == "8.3% of it holds no pixels"
    image.close()


def test_regions_lie_at_their_places_in_the_frame(tmp_path: Path) -> None:
    one, other = picture(96, 128, 1), picture(64, 64, 2)
    image = image_of(scn(tmp_path / "a.scn", [(one, 40, 20), (other, 300, 200)], (320, 480)))
    assert (image.height_px, image.width_px) == (320, 480)
    assert image.stated_um() == pytest.approx({"scanner's metadata": 0.25})
    image.write(tmp_path / "slide")
    expected = np.full((320, 480, 3), 255, np.uint8)
    expected[20:116, 40:168], expected[200:264, 300:364] = one, other
    np.testing.assert_array_equal(open_pixels(tmp_path / "slide"), expected)
    assert "a frame of 480 x 320 px, of which 324 x 244 px at (40, 20) were scanned" in image.notes[0]
    assert "holds no pixels" in image.notes[1]
    np.testing.assert_array_equal(
        image.read(1, 10, 5, 8, 8), one.reshape(24, 4, 32, 4, 3).mean((1, 3)).astype(np.uint8)[:8, :8]
    )
    image.close()


def test_a_folder_of_dicom_files_is_one_slide(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "exports" / "wsi" / "dicom"
    if not folder.is_dir():
        pytest.skip("no exports of scanners")
    (tmp_path / "slide").mkdir()
    for name in ("boxes_0.dcm", "boxes_1.dcm"):
        copyfile(folder / name, tmp_path / "slide" / name)
    image = image_of(tmp_path / "slide")
    assert (image.height_px, image.width_px, image.path.name) == (16, 16, "slide")
    assert image.files == {"image": tmp_path / "slide"}
    assert (image.icc_profile() or b"")[36:40] == b"acsp"
    by_file = image_of(tmp_path / "slide" / "boxes_1.dcm")
    assert set(by_file.files) == {"image", "beside boxes_0.dcm"}
    np.testing.assert_array_equal(by_file.read(0, 0, 0, 16, 16), image.read(0, 0, 0, 16, 16))
    for one in (image, by_file):
        one.close()
    copyfile(folder / "sm_image.dcm", tmp_path / "slide" / "sm_image.dcm")
    with pytest.raises(
        DataError, match=r"files of several slides, of another one 1 \(sm_image\.dcm\); .*name one"
    ):
        image_of(tmp_path / "slide")
    (tmp_path / "slide" / "boxes_0.dcm").unlink()
    with pytest.raises(DataError, match=r"boxes_1\.dcm: holds no level of a slide: a label, .* same folder"):
        image_of(tmp_path / "slide" / "boxes_1.dcm")


def test_a_file_that_is_cut_off_is_a_line(tmp_path: Path) -> None:
    path = philips(tmp_path / "a.tiff", picture(150, 200))
    content = path.read_bytes()
    for share in (0.2, 0.6, 0.95):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(DataError, match=r"a\.tiff: "):
            image_of(path).write(tmp_path / "slide")


def test_without_its_library_the_way_to_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = philips(tmp_path / "a.tiff", picture(64, 64))
    monkeypatch.setattr("prestige.data.platforms.extras.find_spec", lambda name: None)
    with pytest.raises(
        DataError, match=r"openslide.* is not installed.*pip install 'prestige-st\[readers\]'"
    ):
        image_of(path)

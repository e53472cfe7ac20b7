"""Level 0 of TIFFs of every layout becomes the same slide; what is broken is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from prestige.data.slides import tiff
from prestige.data.slides.slide import Held, mapped_bytes
from prestige.data.slides.tiff import holds_rgb_tagged_ycbcr, opened_tiff, write_slide
from prestige.errors import DataError


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (75, 101, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "layout",
    [
        {"tile": (32, 48)},
        {"tile": (32, 32), "compression": "zlib"},
        {"rowsperstrip": 7},
        {"tile": (32, 32), "planarconfig": "separate"},
    ],
)
def test_every_layout_gives_the_same_pixels(
    tmp_path: Path, pixels: np.ndarray, layout: dict[str, Any]
) -> None:
    stored = pixels.transpose(2, 0, 1) if "planarconfig" in layout else pixels
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", **layout)
    write_slide(tmp_path / "a.tif", tmp_path / "slide.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "slide.npy"), pixels)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says what a process holds")
def test_a_slide_larger_than_what_may_be_held_is_decoded_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.arange(4000, dtype=np.uint32)[:, None, None]
    columns = np.arange(3000, dtype=np.uint32)[None, :, None]
    pixels = ((7 * rows + 13 * columns + np.arange(3, dtype=np.uint32)) % 251).astype(np.uint8)  # 36 MB
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", tile=(256, 256), compression="zlib")
    most: dict[int, int] = {}
    for budget in (4_000_000, 1 << 40):
        held: list[int] = []

        class Watched(Held):
            def trim(self, *slides: np.ndarray) -> None:
                super().trim(*slides)
                held.append(mapped_bytes())  # noqa: B023

        monkeypatch.setattr(tiff, "Held", Watched)
        monkeypatch.setattr(tiff, "MOST_HELD_BYTES", budget)
        write_slide(tmp_path / "a.tif", tmp_path / "slide.npy")
        most[budget] = max(held) - min(held)
        np.testing.assert_array_equal(np.load(tmp_path / "slide.npy"), pixels)
    assert most[4_000_000] < 8_000_000
    assert most[1 << 40] > 25_000_000  # so that the above says something


def test_only_level_0_of_a_pyramid_is_read(tmp_path: Path, pixels: np.ndarray) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels, tile=(32, 32), photometric="rgb", subifds=1)
        file.write(pixels[::2, ::2], tile=(32, 32), photometric="rgb", subfiletype=1)
    write_slide(tmp_path / "a.tif", tmp_path / "slide.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "slide.npy"), pixels)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((40, 50), np.uint8), "channel"),
        (np.zeros((40, 50, 3), np.uint16), "16"),
    ],
)
def test_other_pixels_are_refused(tmp_path: Path, image: np.ndarray, words: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", image)
    with pytest.raises(DataError, match=words) as caught:
        write_slide(tmp_path / "a.tif", tmp_path / "slide.npy")
    assert "a.tif" in str(caught.value)
    assert not (tmp_path / "slide.npy").exists()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, pixels: np.ndarray, share: float) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, tile=(32, 32), photometric="rgb", compression="zlib")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match="a whole TIFF"):
        write_slide(path, tmp_path / "slide.npy")
    assert not (tmp_path / "slide.npy").exists()


def test_faults_of_the_disk_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), opened_tiff(tmp_path / "absent.tif"):
        pass


def test_a_jpeg_that_is_what_it_says_is_not_taken_for_rgb(tmp_path: Path) -> None:
    smooth = np.kron(np.random.default_rng(1).integers(60, 200, (8, 8, 3)), np.ones((16, 16, 1))).astype(
        np.uint8
    )
    tifffile.imwrite(
        tmp_path / "a.tif",
        smooth,
        tile=(64, 64),
        photometric="rgb",
        compression="jpeg",
        compressionargs={"outcolorspace": "ycbcr"},
    )
    with opened_tiff(tmp_path / "a.tif") as page:
        assert int(page.page.photometric) == 6
        assert not holds_rgb_tagged_ycbcr(page)
    write_slide(tmp_path / "a.tif", tmp_path / "slide.npy")
    assert np.abs(np.load(tmp_path / "slide.npy").astype(int) - smooth).mean() < 6


def test_a_jpeg_that_was_never_converted_is_read_as_rgb(tmp_path: Path) -> None:
    """tifffile, told that the pixels are YCbCr already, writes red, green and blue under that tag."""
    smooth = np.kron(np.random.default_rng(1).integers(60, 250, (8, 8, 3)), np.ones((16, 16, 1))).astype(
        np.uint8
    )
    tifffile.imwrite(tmp_path / "a.tif", smooth, tile=(64, 64), photometric="ycbcr", compression="jpeg")
    with opened_tiff(tmp_path / "a.tif") as page:
        assert holds_rgb_tagged_ycbcr(page)
    write_slide(tmp_path / "a.tif", tmp_path / "slide.npy")
    assert np.abs(np.load(tmp_path / "slide.npy").astype(int) - smooth).mean() < 6


@pytest.mark.parametrize("tagged", [False, True])
def test_each_tile_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tagged: bool) -> None:
    import imagecodecs

    smooth = np.kron(np.random.default_rng(1).integers(0, 255, (4, 4, 3)), np.ones((32, 32, 1))).astype(
        np.uint8
    )
    tifffile.imwrite(tmp_path / "a.tif", smooth, photometric="rgb", tile=(32, 32), compression="jpeg")
    decoded = []
    original = imagecodecs.jpeg_decode

    def counting(data: bytes, **named: Any) -> np.ndarray:
        decoded.append(bytes(data))
        return original(data, **named)

    monkeypatch.setattr(imagecodecs, "jpeg_decode", counting)
    monkeypatch.setattr("prestige.data.slides.tiff.holds_rgb_tagged_ycbcr", lambda page: tagged)
    write_slide(tmp_path / "a.tif", tmp_path / "slide.npy")
    assert len(decoded) == 16

"""JPEG, PNG and JPEG 2000."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image as Pillow

from prestige.data.slides.images import image_of
from prestige.data.slides.slide import open_pixels
from prestige.errors import DataError

PIXELS = np.kron(np.random.default_rng(0).integers(90, 250, (5, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def decoded(path: Path) -> np.ndarray:
    target = path.with_name("slide")
    image_of(path).write(target)
    return np.array(open_pixels(target))


def saved(path: Path, pixels: np.ndarray, mode: str | None = None, **how: Any) -> Path:
    image = Pillow.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **how)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.jp2", "of_no_kind.xyz"])
def test_pixels_come_as_they_were_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / name, PIXELS, format="JPEG2000" if name == "a.jp2" else "PNG")
    np.testing.assert_array_equal(decoded(path), PIXELS)
    np.testing.assert_array_equal(image_of(path).read(0, 9, 3, 20, 11), PIXELS[3:14, 9:29])


def test_a_bare_codestream_of_jpeg_2000_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.j2k").write_bytes(imagecodecs.jpeg2k_encode(PIXELS, level=0, codecformat="j2k"))
    np.testing.assert_array_equal(decoded(tmp_path / "a.j2k"), PIXELS)


def test_a_jpeg_is_read_in_its_colours(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", PIXELS, quality=97, subsampling=0)
    assert np.abs(decoded(path).astype(int) - PIXELS).mean() < 2
    assert image_of(path).levels[0].downsample == 1


def test_a_palette_becomes_its_colours(tmp_path: Path) -> None:
    image = Pillow.fromarray(np.arange(160, 200, dtype=np.uint8).reshape(4, 10), mode="P")
    image.putpalette([value for k in range(256) for value in (k, 255 - k // 2, 30 if k % 2 else 220)])
    image.save(tmp_path / "a.png")
    found = decoded(tmp_path / "a.png")
    np.testing.assert_array_equal(found[0, 3], [163, 255 - 81, 30])
    np.testing.assert_array_equal(found[3, 8], [198, 255 - 99, 220])


def test_alpha_is_put_on_white(tmp_path: Path) -> None:
    rgba = np.dstack([PIXELS, np.full(PIXELS.shape[:2], 255, np.uint8)])
    rgba[:10, :, 3], rgba[10:20, :, 3] = 0, 128
    found = decoded(saved(tmp_path / "a.png", rgba))
    assert (found[:10] == 255).all()
    np.testing.assert_allclose(found[10:20], PIXELS[10:20] * (128 / 255) + 127, atol=0.51)
    np.testing.assert_array_equal(found[20:], PIXELS[20:])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int, colours: int, data: bytes, *more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (png(2, 1, 16, 2, zlib.compress(b"\0" + bytes(12))), "the image is 16 bit"),
        (png(2, 1, 8, 0, zlib.compress(b"\0" + bytes(2))), r"the image has 1 channel \(grey\)"),
        (png(2, 1, 1, 0, zlib.compress(b"\0\0")), "the image has 1 bit"),
        (png(1 << 20, 1 << 20, 8, 2, b""), "a file of 57 bytes claims 1048576 x 1048576 px"),
        (png(8, 8, 8, 2, zlib.compress(b"\0" * 30)[:-6]), "cannot be read"),
        (imagecodecs.jpeg2k_encode(PIXELS.astype(np.uint16) * 200, level=0), "the image is 16 bit"),
        (imagecodecs.jpeg2k_encode(PIXELS[..., 0], level=0), "the image has 1 channel"),
    ],
    ids=["16-bit", "grey", "bits", "claims", "cut", "16-bit-2000", "grey-2000"],
)
def test_what_is_no_picture_of_8_bit_rgb_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.png: {said}"):
        image_of(tmp_path / "a.png").write(tmp_path / "slide")


def test_inks_and_turned_photographs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"4 inks \(CMYK\)"):
        image_of(saved(tmp_path / "a.jpg", PIXELS, "CMYK"))
    exif = Pillow.Exif()
    exif[0x0112] = 6
    with pytest.raises(DataError, match="orientation 6"):
        image_of(saved(tmp_path / "b.jpg", PIXELS, exif=exif))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
@pytest.mark.parametrize("kind", ["jpg", "png", "jp2"])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(90, 250, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path / f"a.{kind}", noise)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=rf"a\.{kind}: "):
        image_of(path).write(tmp_path / "slide")


def test_only_a_resolution_of_a_microscope_is_a_width_of_a_pixel(tmp_path: Path) -> None:
    assert image_of(saved(tmp_path / "a.png", PIXELS, dpi=(72, 72))).stated_um() == {}
    found = image_of(saved(tmp_path / "a.png", PIXELS, dpi=(50_800, 50_800))).stated_um()
    assert found == pytest.approx({"resolution": 0.5}, rel=1e-4)
    with pytest.raises(DataError, match="its pixels are not square"):
        image_of(saved(tmp_path / "a.png", PIXELS, dpi=(50_800, 25_400))).stated_um()


def test_the_profile_of_a_file_is_given(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert image_of(saved(tmp_path / "a.png", PIXELS, icc_profile=profile)).icc_profile() == profile
    assert image_of(saved(tmp_path / "b.png", PIXELS)).icc_profile() is None

"""Level 0 of TIFFs of every layout becomes the same slide; what is broken is refused."""

from __future__ import annotations

import io
import logging
import os
import re
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from prestige.data.slides.mapped import Held, mapped_bytes
from prestige.data.slides.tiff import tiles as tiff
from prestige.data.slides.tiff.tiles import (
    holds_rgb_tagged_ycbcr,
    notes_on_tiles,
    on_no_pixels,
    opened_tiff,
    write_slide,
)
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


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.tif: no such file"), opened_tiff(tmp_path / "absent.tif"):
        pass
    os.mkfifo(tmp_path / "pipe.tif")
    with pytest.raises(DataError, match=r"pipe.tif: is a pipe"), opened_tiff(tmp_path / "pipe.tif"):
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
    with opened_tiff(tmp_path / "a.tif") as tiles:
        assert int(tiles.page.photometric) == 6
        assert not holds_rgb_tagged_ycbcr(tiles)
    write_slide(tmp_path / "a.tif", tmp_path / "slide.npy")
    assert np.abs(np.load(tmp_path / "slide.npy").astype(int) - smooth).mean() < 6


def test_a_jpeg_that_was_never_converted_is_read_as_rgb(tmp_path: Path) -> None:
    """tifffile, told that the pixels are YCbCr already, writes red, green and blue under that tag."""
    smooth = np.kron(np.random.default_rng(1).integers(60, 250, (8, 8, 3)), np.ones((16, 16, 1))).astype(
        np.uint8
    )
    tifffile.imwrite(tmp_path / "a.tif", smooth, tile=(64, 64), photometric="ycbcr", compression="jpeg")
    with opened_tiff(tmp_path / "a.tif") as tiles:
        assert holds_rgb_tagged_ycbcr(tiles)
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
    monkeypatch.setattr("prestige.data.slides.tiff.tiles.holds_rgb_tagged_ycbcr", lambda tiles: tagged)
    write_slide(tmp_path / "a.tif", tmp_path / "slide.npy")
    assert len(decoded) == 16


SMOOTH = np.kron(np.random.default_rng(1).integers(60, 200, (8, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)


def read(image: Path) -> np.ndarray:
    target = image.with_suffix(".npy")
    target.unlink(missing_ok=True)
    write_slide(image, target)
    return np.load(target).astype(int)


def without_tile(image: Path, *numbers: int, offset: bool = True) -> Path:
    """Set the size (and offset) of some tiles to 0, as scanners do for those of bare glass."""
    content = bytearray(image.read_bytes())
    with tifffile.TiffFile(image) as file:
        page: Any = file.pages[0]
        for name in ("TileByteCounts", "TileOffsets")[: 1 + offset]:
            tag = page.tags[name]
            size = tag.valuebytecount // tag.count
            for number in numbers:
                at = tag.valueoffset + size * number
                content[at : at + size] = bytes(size)
    image.write_bytes(content)
    return image


@pytest.mark.parametrize("offset", [True, False])
@pytest.mark.parametrize(
    "how",
    [
        {"photometric": "rgb"},
        {"photometric": "rgb", "compression": "deflate"},
        {"photometric": "rgb", "compression": "jpeg"},
        {"photometric": "ycbcr", "compression": "jpeg"},  # which holds red, green and blue
    ],
)
def test_tiles_that_are_not_stored_are_white_by_one_rule(
    tmp_path: Path, how: dict[str, Any], offset: bool
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", SMOOTH, tile=(32, 32), **how)
    image = without_tile(tmp_path / "a.tif", 0, 6, offset=offset)  # of 4 x 4
    found, wanted = read(image), SMOOTH.astype(int)
    for y, x in ((0, 0), (32, 64)):
        assert (found[y : y + 32, x : x + 32] == 255).all()
        wanted[y : y + 32, x : x + 32] = 255
    assert np.abs(found - wanted).mean() < 6
    with opened_tiff(image) as tiles:
        assert (
            notes_on_tiles(tiles)[-1] == "2 of 16 tiles of a.tif are not stored: they were filled with white"
        )
        places = [
            [0.0, 0.0],
            [31.4, 31.4],
            [31.6, 0],
            [64, 32],
            [95, 63],
            [96, 63],
            [-0.4, 3],
            [np.nan, 3],
            [1e300, 3],
        ]
        np.testing.assert_array_equal(on_no_pixels(tiles, np.array(places)), [0, 1, 3, 4, 6])


def test_a_file_that_stores_no_tile_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", SMOOTH, tile=(64, 64), photometric="rgb", compression="deflate")
    with pytest.raises(DataError, match=r"none of its tiles is stored"):
        read(without_tile(tmp_path / "a.tif", 0, 1, 2, 3))


@pytest.mark.parametrize("compression", ["lzw", "deflate", None])
def test_ycbcr_without_loss_becomes_rgb(tmp_path: Path, compression: str | None) -> None:
    stored = np.asarray(Image.fromarray(SMOOTH).convert("YCbCr"))
    more: dict[str, Any] = {"photometric": "ycbcr", "tile": (32, 48), "compression": compression}
    tifffile.imwrite(tmp_path / "a.tif", stored, **more, subsampling=(1, 1))
    if compression:  # the writer of stored pixels has no such tag
        content = (tmp_path / "a.tif").read_bytes()
        assert b"\x12\x02\x03\x00\x02" in content  # tag 530, two numbers
    assert np.abs(read(tmp_path / "a.tif") - SMOOTH).mean() < 2


def test_ycbcr_with_fewer_colours_than_pixels_is_refused(tmp_path: Path) -> None:
    more: dict[str, Any] = {"photometric": "ycbcr", "compression": "lzw", "subsampling": (1, 1)}
    tifffile.imwrite(tmp_path / "a.tif", SMOOTH, **more)
    content = (tmp_path / "a.tif").read_bytes()
    entry = b"\x12\x02\3\0\2\0\0\0"  # tag 530, two numbers of 16 bit
    assert content.count(entry + b"\1\0\1\0") == 1
    content = content.replace(entry + b"\1\0\1\0", entry + b"\2\0\2\0")
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(DataError, match=r"colours as YCbCr, one colour for 2 x 2 pixels"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr"])
def test_aperios_jpeg_2000_says_its_colours_by_its_number(tmp_path: Path, photometric: str) -> None:
    stored = np.asarray(Image.fromarray(SMOOTH).convert("YCbCr"))
    more: dict[str, Any] = {"photometric": photometric, "tile": (64, 64)}
    tifffile.imwrite(tmp_path / "ycbcr.tif", stored, compression=33003, **more)
    assert np.abs(read(tmp_path / "ycbcr.tif") - SMOOTH).mean() < 2
    tifffile.imwrite(tmp_path / "rgb.tif", SMOOTH, compression=33005, **more)
    assert np.abs(read(tmp_path / "rgb.tif") - SMOOTH).mean() < 1


def test_rgb_under_a_ycbcr_tag_is_found_without_jpeg_too(tmp_path: Path) -> None:
    bright = np.minimum(SMOOTH.astype(int) + [50, 0, 40], 255).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", bright, photometric="ycbcr", tile=(32, 32), compression=33003)
    with opened_tiff(tmp_path / "a.tif") as tiles:
        assert holds_rgb_tagged_ycbcr(tiles)
        assert "hold RGB" in notes_on_tiles(tiles)[0]
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), bright)


@pytest.mark.parametrize("compression", ["jpeg", 34712])
def test_a_tile_of_another_size_than_the_page_says_is_refused(tmp_path: Path, compression: Any) -> None:
    """Its pixels are as many, so that they would fit in another order, or ask for any amount of memory."""
    tifffile.imwrite(
        tmp_path / "a.tif", SMOOTH[:32, :64], tile=(32, 64), photometric="rgb", compression=compression
    )
    content = bytearray((tmp_path / "a.tif").read_bytes())
    size = (b"\0\x20\0\x40", b"\0\x40\0\x20") if compression == "jpeg" else (b"\0\0\0\x40", b"\0\1\0\0")
    mark = content.find(b"\xff\xc0" if compression == "jpeg" else b"\xff\x4f\xff\x51")
    at = content.find(size[0], mark)
    content[at : at + 4] = size[1]
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(DataError, match=r"tile 1 holds \d+ x \d+ px; expected 64 x 32 px"):
        read(tmp_path / "a.tif")


def test_nothing_stands_before_our_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", SMOOTH, tile=(32, 32), photometric="rgb", compression="lzw")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[content.find(b"\x1a\x01\x05\x00") + 2] = 99  # the type of XResolution
    content[content.find(b"\x3d\x01\x03\x00") + 8] = 77  # Predictor
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(DataError, match=r"a.tif: "):
        read(tmp_path / "a.tif")
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    logging.getLogger("tifffile").warning("of the user's own")
    assert [record.message for record in caplog.records] == ["of the user's own"]


def test_no_other_file_is_opened(tmp_path: Path) -> None:
    uuids = ("urn:uuid:00000000-0000-0000-0000-00000000000a", "urn:uuid:00000000-0000-0000-0000-00000000000b")
    blocks = "".join(
        f'<Image ID="Image:{number}"><Pixels ID="Pixels:{number}" DimensionOrder="XYCZT" Type="uint8" '
        f'SizeX="128" SizeY="128" SizeC="3" SizeZ="1" SizeT="1"><TiffData IFD="0" PlaneCount="1">'
        f'<UUID FileName="{name}">{uuids[number]}</UUID></TiffData></Pixels></Image>'
        for number, name in enumerate(("other.tif", "a.tif"))
    )
    schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    text = f'<?xml version="1.0"?><OME xmlns="{schema}" UUID="{uuids[1]}">'
    tifffile.imwrite(tmp_path / "a.tif", SMOOTH, photometric="rgb", description=f"{text}{blocks}</OME>")
    tifffile.imwrite(tmp_path / "other.tif", SMOOTH[::-1], photometric="rgb")
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), SMOOTH)


def test_one_jpeg_cut_at_its_restart_markers_is_read_as_tiles(tmp_path: Path) -> None:
    """As Hamamatsu's scanners write them: tag 65426 says where each part of the JPEG begins."""
    held = io.BytesIO()
    Image.fromarray(SMOOTH).save(held, "JPEG", quality=95, subsampling=0, restart_marker_blocks=4)
    jpeg = held.getvalue()
    scan = jpeg.find(b"\xff\xda")
    begins = [scan + 2 + int.from_bytes(jpeg[scan + 2 : scan + 4], "big")]
    begins += [found.end() for found in re.finditer(rb"\xff[\xd0-\xd7]", jpeg[scan:])]
    begins = [begins[0], *(scan + begin for begin in begins[1:])]
    parts = {
        65426: struct.pack(f"<{len(begins)}I", *begins),
        258: struct.pack("<3H", 8, 8, 8),
        282: struct.pack("<2I", 40000, 1),
        271: b"Hamamatsu\0",
    }
    content, at = bytearray(b"II*\0\0\0\0\0" + jpeg + bytes(len(jpeg) % 2)), {}
    for tag, part in parts.items():
        at[tag] = len(content)
        content += part
    content[4:8] = struct.pack("<I", len(content))
    tags = [
        (256, 4, 1, 128), (257, 4, 1, 128), (258, 3, 3, at[258]), (259, 3, 1, 7), (262, 3, 1, 6),
        (271, 2, 10, at[271]),
        (273, 4, 1, 8), (277, 3, 1, 3), (278, 4, 1, 128), (279, 4, 1, len(jpeg)), (282, 5, 1, at[282]),
        (283, 5, 1, at[282]), (296, 3, 1, 3), (65420, 4, 1, 1), (65426, 4, len(begins), at[65426]),
    ]  # fmt: skip
    content += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    (tmp_path / "a.tif").write_bytes(content + bytes(8 + 4 * len(tags)))
    with opened_tiff(tmp_path / "a.tif") as tiles:
        assert len(tiles) == len(begins) == 64
    assert np.abs(read(tmp_path / "a.tif") - SMOOTH).mean() < 2

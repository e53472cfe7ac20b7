"""One page of a TIFF is the slide; where that would be a guess, or it is no RGB, the file is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from prestige.data.slides.tiff.pages import level0
from prestige.data.slides.tiff.tiles import write_slide
from prestige.errors import DataError

PIXELS = np.random.default_rng(3).integers(0, 255, (64, 96, 3), dtype=np.uint8)


def written(path: Path, *pages: tuple[np.ndarray, dict[str, Any]]) -> Path:
    with tifffile.TiffWriter(path) as file:
        for pixels, how in pages:
            file.write(np.ascontiguousarray(pixels), **{"photometric": "rgb", "metadata": None, **how})
    return path


def check_is_pixels(image: Path) -> None:
    target = image.with_suffix(".npy")
    write_slide(image, target)
    np.testing.assert_array_equal(np.load(target), PIXELS)


@pytest.mark.parametrize("how", [{}, {"tile": (16, 32)}])
def test_an_overview_before_the_slide_is_not_taken_for_it(tmp_path: Path, how: dict[str, Any]) -> None:
    image = written(tmp_path / "a.tif", (PIXELS[::2, ::2], how), (PIXELS, how))
    check_is_pixels(image)
    assert "page 2 of a.tif (96 x 64 px), the largest, was read" in level0(image).notes()[0]


def test_levels_may_stand_in_any_order(tmp_path: Path) -> None:
    levels = [(PIXELS[::step, ::step], {"subfiletype": int(step > 1)}) for step in (4, 2, 1)]
    check_is_pixels(written(tmp_path / "a.tif", *levels))
    check_is_pixels(written(tmp_path / "b.tif", *reversed(levels)))
    assert level0(tmp_path / "b.tif").notes() == []


def test_the_slide_may_lie_in_a_subifd(tmp_path: Path) -> None:
    image = written(tmp_path / "a.tif", (PIXELS[::2, ::2], {"subifds": 1}), (PIXELS, {}))
    check_is_pixels(image)
    assert level0(image).page.place == (0, 0)


@pytest.mark.parametrize(
    "beside",
    [
        {"description": "Aperio Image Library v12\r\nlabel 387x463"},
        {"description": "Aperio Image Library v12\r\nmacro 1280x431"},
        {"description": "Label"},
        {"description": "Macro image"},
        {"description": "Overview"},
        {"extratags": [(285, 2, 0, "label", True)]},
        {"extratags": [(65421, 11, 1, -1.0, True)]},
        {"extratags": [(255, 3, 1, 9, True)], "description": "probability image"},
    ],
)
def test_a_label_or_macro_photograph_is_no_slide_however_large(
    tmp_path: Path, beside: dict[str, Any]
) -> None:
    large = np.full((100, 120, 3), 90, np.uint8)
    slide = (PIXELS, {"description": "Aperio Image Library v12\r\n96x64 (32x32) JPEG|label = 3"})
    check_is_pixels(written(tmp_path / "first.tif", (large, beside), slide))
    check_is_pixels(written(tmp_path / "last.tif", slide, (large, beside)))
    check_is_pixels(written(tmp_path / "same.tif", (PIXELS[::-1], beside), slide))
    check_is_pixels(written(tmp_path / "alone.tif", (PIXELS, beside)))


def test_a_mask_of_the_slides_size_is_left(tmp_path: Path) -> None:
    mask = (PIXELS[..., 0], {"photometric": "minisblack"})
    check_is_pixels(written(tmp_path / "a.tif", mask, (PIXELS, {})))


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ([(PIXELS, {}), (PIXELS[::-1], {}), (PIXELS[::2], {})], r"2 pages have the most pixels, 96 x 64 px"),
        (
            [(PIXELS[..., k], {"photometric": "minisblack"}) for k in range(3)],
            r"in three pages of one channel",
        ),
        ([(PIXELS[::2, ::2], {}), (PIXELS, {"subfiletype": 1})], r"page 2 .* flagged as a smaller copy"),
        ([(PIXELS[::2, ::2], {}), (PIXELS.astype(np.uint16), {})], r"the image is 16 bit"),
    ],
)
def test_a_guess_is_refused(
    tmp_path: Path, pages: list[tuple[np.ndarray, dict[str, Any]]], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        level0(written(tmp_path / "a.tif", *pages))


def changed(image: Path, tag: int, value: bytes, *, at: int = 8) -> Path:
    """Overwrite the entry of a tag of the first page, from its value (or, with ``at`` 4, its count) on."""
    content = bytearray(image.read_bytes())
    start = int.from_bytes(content[4:8], "little")
    for entry in range(start + 2, start + 2 + 12 * int.from_bytes(content[start : start + 2], "little"), 12):
        if int.from_bytes(content[entry : entry + 2], "little") == tag:
            content[entry + at : entry + at + len(value)] = value
    image.write_bytes(content)
    return image


@pytest.mark.parametrize(
    ("photometric", "said"),
    [
        (0, "its colours as MinIsWhite"),
        (3, "numbers of a palette"),
        (5, "CMYK"),
        (8, "CIELab"),
        (9, "ICCLab"),
        (10, "ITULab"),
        (32844, "LogL"),
        (34892, "LinearRaw"),
        (777, "numbers of the kind 777"),
    ],
)
def test_colours_of_other_kinds_are_named_and_refused(tmp_path: Path, photometric: int, said: str) -> None:
    image = written(tmp_path / "a.tif", (PIXELS, {}))
    with pytest.raises(DataError, match=f"a.tif: the image .*{said}.*; expected an RGB image"):
        level0(changed(image, 262, photometric.to_bytes(2, "little")))


def test_other_numbers_a_pixel_are_refused(tmp_path: Path) -> None:
    four = np.zeros((8, 8, 4), np.uint8)
    with pytest.raises(DataError, match=r"the image has 4 channels, the fourth of which is not said to be"):
        level0(written(tmp_path / "a.tif", (four, {"extrasamples": ["unspecified"]})))
    with pytest.raises(DataError, match=r"the image is 8 bit \(signed\)"):
        level0(written(tmp_path / "a.tif", (PIXELS.astype(np.int8), {})))
    with pytest.raises(DataError, match=r"the image is 32 bit \(floating point\)"):
        level0(written(tmp_path / "a.tif", (PIXELS.astype(np.float32), {})))
    with pytest.raises(DataError, match=r"the image is 4 bit"):  # of which tifffile would make 0 to 15
        level0(
            changed(
                written(tmp_path / "a.tif", (PIXELS[..., 0], {"photometric": "minisblack"})), 258, b"\4\0"
            )
        )


def test_grey_under_three_channels_is_said_and_a_turned_image_refused(tmp_path: Path) -> None:
    image = changed(written(tmp_path / "a.tif", (PIXELS, {})), 262, b"\1\0")
    check_is_pixels(image)
    assert "tagged MinIsBlack" in level0(image).notes()[0]
    image = written(tmp_path / "b.tif", (PIXELS, {"extratags": [(274, 3, 1, 6, True)]}))
    with pytest.raises(DataError, match=r"b\.tif: the image is stored turned or mirrored \(orientation 6\)"):
        level0(image)


@pytest.mark.parametrize(
    ("tag", "value", "said"),
    [
        (322, bytes(4), "tiles are of 0 x 32 px"),
        (323, bytes(4), "tiles are of 32 x 0 px"),
        (323, (1 << 30).to_bytes(4, "little"), "tiles are of 32 x 1073741824 px"),
        (257, (6400).to_bytes(4, "little"), "lists 6 tiles, and its 96 x 6400 px are 600"),
        (256, (33).to_bytes(4, "little"), "lists 6 tiles, and its 33 x 64 px are 4"),
        (256, bytes(4), "the image is empty"),
        (259, (65000).to_bytes(2, "little"), "compressed in a way that is not read"),
        (259, (7).to_bytes(2, "little"), "cannot be read"),
        (277, (200).to_bytes(2, "little"), "has 200 channels"),
        (284, (2).to_bytes(2, "little"), "lists 6 tiles, and its 96 x 64 px are 18"),
    ],
)
def test_a_head_that_lies_is_told(tmp_path: Path, tag: int, value: bytes, said: str) -> None:
    image = changed(written(tmp_path / "a.tif", (PIXELS, {"tile": (32, 32)})), tag, value)
    with pytest.raises(DataError, match=said):
        write_slide(image, tmp_path / "slide.npy")


def test_a_small_file_cannot_claim_a_large_slide(tmp_path: Path) -> None:
    image = written(tmp_path / "a.tif", (PIXELS[:1], {"compression": "zlib", "rowsperstrip": 1}))
    for tag in (256, 257, 278):
        changed(image, tag, (1_000_000).to_bytes(4, "little"))
        changed(image, tag, b"\4\0", at=2)
    with pytest.raises(DataError, match=r"a file of \d+ bytes claims 1000000 x 1000000 px"):
        write_slide(image, tmp_path / "slide.npy")
    assert not (tmp_path / "slide.npy").exists()


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        ({"Name": "label image", "PhysicalSizeX": 5, "PhysicalSizeY": 5}, True),
        ({"Name": "S1.svs - macro"}, True),
        ({"Name": "Series 2"}, True),
        ({"Name": "Series 2", "PhysicalSizeX": 1, "PhysicalSizeY": 1}, False),
    ],
)
def test_an_image_of_ome_that_is_called_a_label_or_states_no_width_lies_beside(
    tmp_path: Path, beside: dict[str, Any], words: bool
) -> None:
    larger = np.random.default_rng(4).integers(0, 255, (80, 100, 3), dtype=np.uint8)
    slide = {"Name": "slide", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    image = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(image, ome=True) as file:
        for pixels, said in ((PIXELS, slide), (larger, beside)):
            file.write(pixels, photometric="rgb", metadata={"axes": "YXS", **said})
    found = level0(image)
    assert (found.page.width, found.page.height) == ((96, 64) if words else (100, 80))
    assert any("larger ones are label or macro images" in note for note in found.notes()) == words
    if words:
        check_is_pixels(image)


def test_images_of_ome_that_are_all_called_labels_leave_the_largest(tmp_path: Path) -> None:
    image = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(image, ome=True) as file:
        for pixels in (PIXELS[:9, :9], PIXELS):
            file.write(
                np.ascontiguousarray(pixels), photometric="rgb", metadata={"axes": "YXS", "Name": "label"}
            )
    check_is_pixels(image)

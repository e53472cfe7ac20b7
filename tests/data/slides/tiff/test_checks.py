"""Which pages can be read, by what they say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prestige.data.slides.tiff import directories as tags
from prestige.data.slides.tiff.checks import check_colours, check_layout
from prestige.data.slides.tiff.directories import Directory
from prestige.data.slides.tiff.pages import Level0
from prestige.errors import DataError

NUMBERS: dict[int, tuple[int, ...]] = {
    tags.WIDTH: (100,), tags.LENGTH: (60,), tags.BITS: (8, 8, 8), tags.SAMPLES: (3,), tags.PHOTOMETRIC: (2,),
    tags.TILE_WIDTH: (32,), tags.TILE_LENGTH: (32,), tags.COMPRESSION: (8,),
}  # fmt: skip
COUNTS = {tags.TILE_OFFSETS: 8, tags.TILE_BYTES: 8}


def level(tmp_path: Path, counts: dict[int, int] = COUNTS, **numbers: Any) -> Level0:
    (tmp_path / "a.tif").write_bytes(bytes(1000))
    said = {**NUMBERS, **{getattr(tags, name): value for name, value in numbers.items()}}
    page = Directory((0,), {tag: value for tag, value in said.items() if value}, {}, counts)
    return Level0(page, [page], tmp_path / "a.tif")


def test_a_page_of_rgb_passes(tmp_path: Path) -> None:
    check_colours(level(tmp_path))
    check_layout(level(tmp_path))


@pytest.mark.parametrize("extra", [1, 2])
def test_a_fourth_number_that_is_alpha_passes(tmp_path: Path, extra: int) -> None:
    check_colours(level(tmp_path, SAMPLES=(4,), BITS=(8, 8, 8, 8), EXTRA_SAMPLES=(extra,)))


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"SAMPLES": (4,), "EXTRA_SAMPLES": (0,)}, "4 channels, the fourth of which is not said to be"),
        ({"SAMPLES": (4,), "EXTRA_SAMPLES": (2,), "COMPRESSION": (7,)}, "4 channels"),
        ({"SAMPLES": (5,), "EXTRA_SAMPLES": (2, 0)}, "5 channels"),
        ({"SAMPLES": (1,), "PHOTOMETRIC": (1,)}, "1 channel"),
        ({"PHOTOMETRIC": (8,)}, "its colours as CIELab"),
        ({"BITS": (16, 16, 16)}, "is 16 bit"),
        ({"PHOTOMETRIC": (6,), "PLANAR": (2,)}, "YCbCr in planes of their own"),
        ({"PHOTOMETRIC": (6,), "YCBCR_SUBSAMPLING": (2, 2)}, "one colour for 2 x 2 pixels"),
        ({"DEPTH": (4,)}, "a volume of 4 planes"),
    ],
)
def test_other_colours_are_refused(tmp_path: Path, numbers: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=rf"a\.tif: the image .*{said}"):
        check_colours(level(tmp_path, **numbers))


@pytest.mark.parametrize(
    ("numbers", "counts", "said"),
    [
        ({"COMPRESSION": (52479,)}, COUNTS, r"compressed in a way that is not read \(52479\)"),
        ({}, {tags.TILE_OFFSETS: 7, tags.TILE_BYTES: 8}, "lists 7 tiles, and its 100 x 60 px are 8"),
        ({}, {tags.TILE_OFFSETS: 8, tags.TILE_BYTES: 7}, "lists the sizes of 7 of its 8 tiles"),
        ({"TILE_WIDTH": (1 << 20,)}, COUNTS, "its tiles are of 1048576 x 32 px"),
        ({"WIDTH": (40_000,), "LENGTH": (40_000,)}, dict.fromkeys(COUNTS, 1_562_500),
         "a file of 1,000 bytes claims 40000 x 40000 px"),
    ],
)  # fmt: skip
def test_other_tiles_than_a_size_asks_for_are_refused(
    tmp_path: Path, numbers: dict[str, Any], counts: dict[int, int], said: str
) -> None:
    with pytest.raises(DataError, match=rf"a\.tif: .*{said}"):
        check_layout(level(tmp_path, counts, **numbers))

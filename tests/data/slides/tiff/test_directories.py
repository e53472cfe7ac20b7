"""The directories of a TIFF are read within bounds."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from prestige.data.slides.tiff import directories as tags
from prestige.data.slides.tiff.directories import read_directories
from prestige.errors import DataError

Entry = tuple[int, int, int, bytes]


def directory(entries: list[Entry], following: int = 0, order: str = "<") -> bytes:
    """Return a directory of a classic TIFF: (tag, type, count, four bytes of value) each."""
    body = b"".join(struct.pack(f"{order}HHI", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in entries)
    return struct.pack(f"{order}H", len(entries)) + body + struct.pack(f"{order}I", following)


def written(path: Path, *directories: bytes) -> Path:
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + b"".join(directories))
    return path


def long(number: int) -> bytes:
    return struct.pack("<I", number)


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_what_a_page_says_is_read_in_every_form(tmp_path: Path, bigtiff: bool, byteorder: str) -> None:
    pixels = np.zeros((70, 90, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=bigtiff, byteorder=byteorder) as file:
        more = {"photometric": "rgb", "tile": (32, 48), "metadata": None}
        file.write(
            pixels, subifds=1, resolution=(40000, 20000), resolutionunit="CENTIMETER", description="a", **more
        )
        file.write(pixels[::2, ::2], subfiletype=1, **more)
        file.write(pixels[:20], description="label", **more)
    first, below, second = read_directories(tmp_path / "a.tif")
    assert [page.place for page in (first, below, second)] == [(0,), (0, 0), (1,)]
    assert [page.name for page in (first, below, second)] == ["page 1", "SubIFD 1 of page 1", "page 2"]
    assert [(page.width, page.height, page.samples) for page in (first, below)] == [(90, 70, 3), (45, 35, 3)]
    assert (first.same(tags.BITS, 1), first.number(tags.TILE_WIDTH)) == (8, 48)
    assert (first.numbers[tags.X_RESOLUTION], first.numbers[tags.Y_RESOLUTION]) == ((40000.0,), (20000.0,))
    assert first.counts == {tags.TILE_OFFSETS: 6, tags.TILE_BYTES: 6}
    assert (first.texts[tags.DESCRIPTION], second.texts[tags.DESCRIPTION]) == ("a", "label")


@pytest.mark.parametrize(
    ("entries", "following", "said"),
    [
        ([(256, 4, 1, long(5))], 8, "lead in a circle"),
        ([(330, 4, 1, long(8))], 0, "lead in a circle"),
        ([(256, 4, 1, long(5))], 1 << 30, "the file ends at byte"),
        ([(256, 4, 2, long(5))], 0, "the tag 256 has 2 numbers"),
        ([(322, 5, 1, long(8))], 0, "the tag 322 has 1 numbers of type 5"),
        ([(322, 99, 1, long(8))], 0, "the tag 322 has 1 numbers of type 99"),
        ([(258, 3, 1 << 31, long(8))], 0, "the tag 258 has 2,147,483,648 numbers"),
        ([(258, 2, 3, b"abc")], 0, "the tag 258 holds no numbers"),
        ([(324, 4, 1 << 30, long(8))], 0, "the file ends at byte"),
        ([(324, 77, 1, long(8))], 0, "unknown type 77"),
        ([(270, 2, 1 << 31, long(8))], 0, "the file ends at byte"),
    ],
)
def test_damaged_directories_are_told(
    tmp_path: Path, entries: list[Entry], following: int, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read_directories(written(tmp_path / "a.tif", directory(entries, following)))


def test_a_chain_without_end_is_left(tmp_path: Path) -> None:
    one = len(directory([]))
    chain = b"".join(directory([], 8 + one * (number + 1)) for number in range(tags.MOST_PAGES + 10))
    with pytest.raises(DataError, match=r"more than 4,096 pages"):
        read_directories(written(tmp_path / "a.tif", chain))


@pytest.mark.parametrize(
    "content", [b"", b"II", b"II*\0", b"II*\0\0\0\0\0", b"PK\3\4" * 9, b"II+\0\x08\0\0\0"]
)
def test_what_is_no_tiff_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(DataError, match=r"a.tif: (is no TIFF|has no pages).*a whole TIFF"):
        read_directories(tmp_path / "a.tif")


def test_numbers_that_are_none_do_not_count(tmp_path: Path) -> None:
    head = 8 + len(directory([(532, 11, 1, b"")] * 2))
    entries = [(532, 11, 1, struct.pack("<f", float("nan"))), (282, 5, 1, long(head))]
    page = read_directories(written(tmp_path / "a.tif", directory(entries), struct.pack("<II", 7, 0)))[0]
    assert page.number(532, 3) == -1
    assert page.numbers[282] == ()  # a fraction over 0
    assert page.number(282, 4) == 4

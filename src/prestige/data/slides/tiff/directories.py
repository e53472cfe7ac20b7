"""The directories of a TIFF: what each of its pages says of itself, read within bounds.

A TIFF is a chain of directories (IFD), each a list of tags; tags may lead to further directories (SubIFDs).
They are walked here before a library decodes anything, because a damaged chain may lead in a circle and a
damaged count may ask for any amount of memory.

Source of the layout: TIFF 6.0 (Adobe, 1992); BigTIFF as of the libtiff project.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import plain_file

WHOLE = "a whole TIFF"
CUT_OFF = "copy it again: it was cut off"

MOST_PAGES = 4096
_MOST_TAGS = 4096
_MOST_NUMBERS = 4096  # of one tag that is read here; offsets and sizes of tiles are counted only
_MOST_TEXT_BYTES = 1 << 26

_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_FORMS = {
    1: "B",
    3: "H",
    4: "I",
    6: "b",
    8: "h",
    9: "i",
    11: "f",
    12: "d",
    13: "I",
    16: "Q",
    17: "q",
    18: "Q",
}
_RATIONAL = {5: "I", 10: "i"}

SUBFILE, OLD_SUBFILE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
DESCRIPTION, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 270, 273, 274, 277, 278, 279
X_RESOLUTION, Y_RESOLUTION, PLANAR, PAGE_NAME, RESOLUTION_UNIT = 282, 283, 284, 285, 296
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTES, SUB_DIRECTORIES = 322, 323, 324, 325, 330
SAMPLE_FORMAT, YCBCR_COEFFICIENTS, YCBCR_SUBSAMPLING, REFERENCE_BLACK_WHITE, DEPTH = 339, 529, 530, 532, 32997
SOURCE_LENS = 65421
SOFTWARE, EXTRA_SAMPLES, XMP, ICC_PROFILE = 305, 338, 700, 34675

_TEXTS = {DESCRIPTION, PAGE_NAME, SOFTWARE, XMP}
_COUNTED = {STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES}
_READ = {
    SUBFILE, OLD_SUBFILE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES, ROWS_PER_STRIP,
    X_RESOLUTION, Y_RESOLUTION, PLANAR, RESOLUTION_UNIT, TILE_WIDTH, TILE_LENGTH, SUB_DIRECTORIES,
    SAMPLE_FORMAT, YCBCR_COEFFICIENTS, YCBCR_SUBSAMPLING, REFERENCE_BLACK_WHITE, DEPTH, SOURCE_LENS,
    EXTRA_SAMPLES,
}  # fmt: skip

_ONE_WHOLE = {
    SUBFILE, OLD_SUBFILE, WIDTH, LENGTH, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES, ROWS_PER_STRIP,
    PLANAR, RESOLUTION_UNIT, TILE_WIDTH, TILE_LENGTH, DEPTH,
}  # fmt: skip
_WHOLE_KINDS = {1, 3, 4, 6, 8, 9, 13, 16, 17, 18}

Number = int | float


@dataclass(frozen=True)
class Directory:
    """What one page of a TIFF says of itself.

    Parameters
    ----------
    place
        Where it is: (page,) or (page, SubIFD of it, ...), from 0.
    numbers
        Tag -> its numbers; fractions are numbers, those with a denominator of 0 are left out.
    texts
        Tag -> its text.
    counts
        Tag -> how many numbers it has, of those whose numbers are not read here.
    """

    place: tuple[int, ...]
    numbers: Mapping[int, tuple[Number, ...]] = field(default_factory=dict)
    texts: Mapping[int, str] = field(default_factory=dict)
    counts: Mapping[int, int] = field(default_factory=dict)

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first number of a tag, as a whole number; ``default`` where there is none."""
        values = self.numbers.get(tag, ())
        return _whole(values[0]) if values else default

    def same(self, tag: int, default: int) -> int:
        """Return the number that a tag gives for every sample alike; -1 where they differ."""
        values = set(self.numbers.get(tag, ())) or {default}
        return _whole(values.pop()) if len(values) == 1 else -1

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.number(WIDTH)

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.number(LENGTH)

    @property
    def samples(self) -> int:
        """Numbers a pixel."""
        return self.number(SAMPLES, 1)

    @property
    def is_tiled(self) -> bool:
        """Whether it is stored in tiles instead of strips."""
        return TILE_WIDTH in self.numbers

    @property
    def name(self) -> str:
        """Return what to call it in a message: ``page 2``, ``SubIFD 1 of page 2``."""
        page, *below = [number + 1 for number in self.place]
        return "".join(f"SubIFD {number} of " for number in reversed(below)) + f"page {page}"


def _whole(number: Number) -> int:
    return int(number) if abs(number) < 1 << 63 else -1  # -1 also for what is no number


def read_directories(image: Path) -> list[Directory]:
    """Read every directory of a TIFF.

    Raises
    ------
    DataError
        When the file is no TIFF, is cut off, or its directories lead in a circle or never end.
    """
    plain_file(image, expected="a TIFF")
    with reading(image, expected=WHOLE), image.open("rb") as file:
        return list(_Walk(file, image).all())


class _Walk:
    """A way through the directories of an open file."""

    def __init__(self, file: BinaryIO, image: Path) -> None:
        self._file, self._image = file, image
        self._size = os.fstat(file.fileno()).st_size
        self._seen: set[int] = set()
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        version = struct.unpack(f"{order}H", head[2:4])[0] if order and len(head) >= 8 else 0
        if version not in (42, 43) or (version == 43 and len(head) < 16):
            raise DataError("is no TIFF", where=image, expected=WHOLE, remedy=AGAIN)
        self._order, self._big = order, version == 43
        self._first = self._number(head[8:16] if self._big else head[4:8])

    def all(self) -> Iterator[Directory]:
        """Give the chain of pages, each followed by what lies below it."""
        offset, page = self._first, 0
        while offset:
            directory, offset = self._directory(offset, (page,))
            yield directory
            yield from self._below(directory)
            page += 1
        if not page:
            raise self._fault("has no pages")

    def _below(self, directory: Directory) -> Iterator[Directory]:
        for number, offset in enumerate(directory.numbers.get(SUB_DIRECTORIES, ())):
            if offset:
                below, _ = self._directory(int(offset), (*directory.place, number))
                yield below
                yield from self._below(below)

    def _directory(self, offset: int, place: tuple[int, ...]) -> tuple[Directory, int]:
        """Read the directory at an offset; return it and the offset of the next."""
        if offset in self._seen:
            raise self._fault("its pages lead in a circle")
        if len(self._seen) >= MOST_PAGES or len(place) > 8:
            raise self._fault(f"has more than {MOST_PAGES:,} pages", "an image of one section", None)
        self._seen.add(offset)
        head, entry, word = (8, 20, 8) if self._big else (2, 12, 4)
        n_tags = self._number(self._bytes(offset, head, "a page"))
        if n_tags > _MOST_TAGS:
            raise self._fault(f"a page has {n_tags:,} tags")
        entries = self._bytes(offset + head, n_tags * entry + word, "a page")
        numbers: dict[int, tuple[Number, ...]] = {}
        texts: dict[int, str] = {}
        counts: dict[int, int] = {}
        for start in range(0, n_tags * entry, entry):
            tag, kind = struct.unpack_from(f"{self._order}HH", entries, start)
            count = self._number(entries[start + 4 : start + 4 + word])
            value = entries[start + 4 + word : start + entry]
            if tag in _COUNTED:
                self._content(tag, kind, count, value)
                counts.setdefault(tag, count)
            elif tag in _TEXTS and kind in (1, 2, 7) and tag not in texts:
                content = self._content(tag, kind, count, value)[:_MOST_TEXT_BYTES]
                texts[tag] = content.rstrip(b"\0").decode("utf-8", errors="replace")
            elif tag in _READ and tag not in numbers:
                numbers[tag] = self._numbers(tag, kind, count, value)
        return Directory(place, numbers, texts, counts), self._number(entries[-word:])

    def _content(self, tag: int, kind: int, count: int, value: bytes) -> bytes:
        """Return the bytes of a tag that is read; nothing of one that is only counted."""
        if kind not in _SIZES:
            raise self._fault(f"the tag {tag} is of the unknown type {kind}")
        size = count * _SIZES[kind]
        if size <= len(value):
            return value[:size]
        offset = self._number(value)
        if offset + size > self._size:
            raise self._fault(
                f"the file ends at byte {self._size:,}, its tag {tag} at {offset + size:,}", WHOLE, CUT_OFF
            )
        return b"" if tag in _COUNTED else self._bytes(offset, min(size, _MOST_TEXT_BYTES), f"the tag {tag}")

    def _numbers(self, tag: int, kind: int, count: int, value: bytes) -> tuple[Number, ...]:
        if count > _MOST_NUMBERS or (tag in _ONE_WHOLE and (count != 1 or kind not in _WHOLE_KINDS)):
            raise self._fault(f"the tag {tag} has {count:,} numbers of type {kind}")
        content = self._content(tag, kind, count, value)
        if kind in _RATIONAL:
            pairs = struct.unpack(f"{self._order}{2 * count}{_RATIONAL[kind]}", content)
            return tuple(n / d for n, d in zip(pairs[::2], pairs[1::2], strict=True) if d)
        if kind not in _FORMS:
            raise self._fault(f"the tag {tag} holds no numbers (type {kind})")
        return struct.unpack(f"{self._order}{count}{_FORMS[kind]}", content)

    def _bytes(self, offset: int, size: int, what: str) -> bytes:
        if offset + size > self._size:
            raise self._fault(
                f"the file ends at byte {self._size:,}, {what} at {offset + size:,}", WHOLE, CUT_OFF
            )
        self._file.seek(offset)
        return self._file.read(size)

    def _number(self, content: bytes) -> int:
        return int.from_bytes(content, "little" if self._order == "<" else "big")

    def _fault(self, what: str, expected: str = WHOLE, remedy: str | None = AGAIN) -> DataError:
        return DataError(what, where=self._image, expected=expected, remedy=remedy)

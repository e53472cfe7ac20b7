"""A TIFF as the image of a sample."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
from jaxtyping import Float, Int, UInt8

from prestige.data.slides.images import Image, Level
from prestige.data.slides.pixel_size import tagged_um
from prestige.data.slides.tiff import directories as tags
from prestige.data.slides.tiff.pages import Level0, level0, smaller
from prestige.data.slides.tiff.tiles import (
    Tiles,
    holds_rgb_tagged_ycbcr,
    notes_on_tiles,
    on_no_pixels,
    opened_level,
    opened_tiff,
    told,
    write_slide,
)

_MOST_KEPT_BYTES = 1 << 28  # of tiles that were decoded, for parts that lie side by side


class _Reader:
    """The levels of an open file, and the tiles that were decoded last."""

    def __init__(self, levels: tuple[Level0, ...]) -> None:
        self._stack = ExitStack()
        self._levels = levels
        self._tiles: dict[int, tuple[Tiles, bool]] = {}
        self._kept: OrderedDict[tuple[int, int], UInt8[np.ndarray, "h w 3"]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def part(self, number: int, x: int, y: int, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
        """Return a part that lies within a level."""
        tiles, convert = self._opened(number)
        out = np.empty((height, width, 3), dtype=np.uint8)
        for row in range(y // tiles.rows, -(-(y + height) // tiles.rows)):
            for column in range(x // tiles.columns, -(-(x + width) // tiles.columns)):
                block = self._block(number, tiles, row * tiles.across + column, convert)
                top, left = row * tiles.rows - y, column * tiles.columns - x
                rows = slice(max(top, 0), min(top + len(block), height))
                columns = slice(max(left, 0), min(left + block.shape[1], width))
                out[rows, columns] = block[
                    rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
                ]
        return out

    def close(self) -> None:
        with self._lock:
            self._stack.close()
            self._tiles.clear()
            self._kept.clear()
            self._bytes = 0

    def _opened(self, number: int) -> tuple[Tiles, bool]:
        with self._lock:
            if number not in self._tiles:
                tiles = self._stack.enter_context(opened_level(self._levels[number]))
                if number == 0:
                    tiles.check_whole()
                self._tiles[number] = tiles, not holds_rgb_tagged_ycbcr(tiles)
            return self._tiles[number]

    def _block(self, level: int, tiles: Tiles, number: int, convert: bool) -> UInt8[np.ndarray, "h w 3"]:
        key = (level, number)
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return kept
        block = tiles.block(number, convert=convert)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = block
                self._bytes += block.nbytes
            while self._bytes > _MOST_KEPT_BYTES and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return block


@dataclass(frozen=True)
class TiffImage(Image):
    """The slide in a TIFF; see :class:`prestige.data.slides.images.Image`."""

    level: Level0
    _readers: list[_Reader] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, path: Path) -> TiffImage:
        """Find the slide in a TIFF.

        Raises
        ------
        DataError
            When the file is damaged, or holds no one page that is an H&E slide.
        """
        return cls(level0(path))

    @property
    def path(self) -> Path:
        """The file."""
        return self.level.image

    @property
    def height_px(self) -> int:
        """Number of rows of pixels."""
        return self.level.page.height

    @property
    def width_px(self) -> int:
        """Number of columns of pixels."""
        return self.level.page.width

    @cached_property
    def _pages(self) -> tuple[Level0, ...]:
        return (self.level, *smaller(self.level))

    @property
    def levels(self) -> tuple[Level, ...]:
        """The slide and the smaller copies of it in the file."""
        sizes = [(one.page.height, one.page.width) for one in self._pages]
        factors = [(self.height_px / height + self.width_px / width) / 2 for height, width in sizes]
        return tuple(Level(*size, down) for size, down in zip(sizes, factors, strict=True))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was chosen in the file, and what in it was not obeyed or not stored."""
        with opened_tiff(self.path) as tiles:
            return (*notes_on_tiles(tiles), *self.level.notes())

    def stated_um(self) -> dict[str, float]:
        """Return the widths of a pixel that the file states, by what states them."""
        return tagged_um(self.level)

    def on_no_pixels(self, xy_px: Float[np.ndarray, "n 2"]) -> tuple[Int[np.ndarray, " m"], str]:
        """Return which places lie on tiles that are not stored, and how many of the tiles are not."""
        with opened_tiff(self.path) as tiles:
            words = f"{int((~tiles.stored).sum()):,} of {len(tiles):,} {tiles.level.segments} are not stored"
            return on_no_pixels(tiles, xy_px), words

    def icc_profile(self) -> bytes | None:
        """Return the colour profile of the slide's page; None where it has none."""
        with opened_level(self.level) as tiles, told(self.path):
            tag = tiles.page.tags.get(tags.ICC_PROFILE)
            return None if tag is None else bytes(tag.value)

    def close(self) -> None:
        """Close the file."""
        while self._readers:
            self._readers.pop().close()

    def _part(self, level: int, x: int, y: int, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
        if not self._readers:
            self._readers.append(_Reader(self._pages))
        return self._readers[0].part(level, x, y, width, height)

    def _decode(self, target: Path) -> None:
        write_slide(self.path, target)

"""The slide in a TIFF, tile by tile into a slide file."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from prestige.compute.progress import Progress
from prestige.compute.threads import as_done
from prestige.data.slides.alpha import on_white
from prestige.data.slides.mapped import MOST_HELD_BYTES, Held
from prestige.data.slides.slide import new_pixels, pixels_under
from prestige.data.slides.tiff.codestreams import size_px
from prestige.data.slides.tiff.colours import is_rgb, rgb_of_ycbcr
from prestige.data.slides.tiff.directories import CUT_OFF, WHOLE
from prestige.data.slides.tiff.pages import Level0, level0
from prestige.errors import AGAIN, DataError, of_library, reading

_LOOKED_AT = 16  # tiles
_WHITE = 255  # the glass beside the tissue


class Tiles:
    """The tiles (or strips) of a slide as its file stores them.

    Parameters
    ----------
    level
        The page they belong to.
    pages
        The same page, opened by tifffile; three where each colour has one.
    """

    def __init__(self, level: Level0, pages: Sequence[Any]) -> None:
        self.level, self.pages = level, pages
        self.page = page = pages[0]
        self.height, self.width = level.page.height, level.page.width
        self.rows, self.columns = level.segment_px
        with told(level.image):
            if page.jpegheader is not None:  # Hamamatsu: one JPEG for all, cut at its restart markers
                self.rows, self.columns = int(page.tilelength), int(page.tilewidth)
            self.across = -(-self.width // self.columns)
            self.down = -(-self.height // self.rows)
            number = self.across * self.down * level.n_planes // len(pages)
            offsets, sizes = (
                [np.asarray(getattr(one, what), dtype=np.int64)[:number] for one in pages]
                for what in ("dataoffsets", "databytecounts")
            )
            self.offsets, self.sizes = np.concatenate(offsets), np.concatenate(sizes)
            samples = level.samples // len(pages)
            for one, begins, long in zip(pages, offsets, sizes, strict=True):
                decodes = (one.imagelength, one.imagewidth, one.samplesperpixel, len(begins), len(long))
                if decodes != (self.height, self.width, samples, number, number) or one.dtype != np.uint8:
                    raise ValueError("its tags contradict each other")
                if level.is_converted:
                    one.subsampling = (1, 1)  # else tifffile refuses what is checked in pages.py
                one.decode  # noqa: B018 - made here once, not in every thread
        self._file = level.image.open("rb")
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def n_blocks(self) -> int:
        """How many places tiles have in the image: one tile each, or one for every colour."""
        return self.across * self.down

    @property
    def stored(self) -> Bool[np.ndarray, "n"]:
        """Which tiles have bytes in the file; scanners leave out what is glass alone."""
        return (self.offsets > 0) & (self.sizes > 0)

    def check_whole(self) -> None:
        """Refuse a file that ends before its tiles do, or that stores none.

        Raises
        ------
        DataError
            Naming the file.
        """
        image, stored = self.level.image, self.stored
        if not stored.any():
            raise DataError(
                f"none of its {self.level.segments} is stored", where=image, expected=WHOLE, remedy=AGAIN
            )
        end, size = int((self.offsets + self.sizes)[stored].max()), image.stat().st_size
        if end > size or (self.offsets < 0).any() or (self.sizes < 0).any():
            raise DataError(
                f"the file ends at byte {size:,}, its pixels at {end:,}",
                where=image,
                expected=WHOLE,
                remedy=CUT_OFF,
            )

    def place(self, block: int) -> tuple[int, int]:
        """Return the row and column of pixels at which a block begins."""
        y, x = divmod(block, self.across)
        return y * self.rows, x * self.columns

    def block(self, block: int, *, convert: bool = True) -> UInt8[np.ndarray, "h w 3"]:
        """Return the colours of the pixels at a tile's place, white where nothing is stored.

        Raises
        ------
        DataError
            When they cannot be decoded.
        """
        y, x = self.place(block)
        size = min(self.rows, self.height - y), min(self.columns, self.width - x)
        stored = self.offsets, self.sizes
        parts = [
            self.decode(number, convert=convert)
            if all(one[number] > 0 for one in stored)
            else np.full((*size, self.level.samples // self.level.n_planes), _WHITE, dtype=np.uint8)
            for number in range(block, len(self), self.n_blocks)
        ]
        pixels = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        alpha = self.level.alpha
        return on_white(pixels, premultiplied=alpha == 1) if alpha else pixels

    def decode(self, number: int, *, convert: bool = True) -> UInt8[np.ndarray, "h w channels"]:
        """Return the pixels of a tile that lie in the image, in its own colours without ``convert``.

        Raises
        ------
        DataError
            When they cannot be decoded, or are not as many as the page says.
        """
        with self._lock:
            self._file.seek(int(self.offsets[number]))
            data = self._file.read(int(self.sizes[number]))
        plane, block = divmod(number, self.n_blocks)
        y, x = self.place(block)
        rows, columns = min(self.rows, self.height - y), min(self.columns, self.width - x)
        said = None if self.page.jpegheader is not None else size_px(data)
        if said is not None and not (rows <= said[0] <= self.rows and said[1] in (columns, self.columns)):
            raise self._odd(number, *said)
        with told(self.level.image):
            if self.level.is_jpeg and not convert:
                import imagecodecs

                tile = imagecodecs.jpeg_decode(
                    data, tables=self.page.jpegtables, colorspace="YCBCR", outcolorspace="YCBCR"
                )
            else:
                named = {"jpegtables": self.page.jpegtables, "jpegheader": self.page.jpegheader}
                page, index = (self.page, number) if len(self.pages) == 1 else (self.pages[plane], block)
                tile = page.decode(data, index, **named)[0][0]
        channels = self.level.samples // self.level.n_planes
        if tile.ndim != 3 or tile.shape[0] < rows or tile.shape[1] < columns or tile.shape[2] != channels:
            raise self._odd(number, *tile.shape[:2])
        tile = tile[:rows, :columns]  # what fills a tile up is no part of the image
        return rgb_of_ycbcr(tile, self.level.page) if convert and self.level.is_converted else tile

    def _odd(self, number: int, height: int, width: int) -> DataError:
        return DataError(
            f"{self.level.segments[:-1]} {number + 1:,} holds {width} x {height} px",
            where=self.level.image,
            expected=f"{self.columns} x {self.rows} px",
            remedy=AGAIN,
        )


@contextmanager
def opened_tiff(image: Path) -> Iterator[Tiles]:
    """Give the tiles of the slide in a TIFF.

    Raises
    ------
    DataError
        When the file is no TIFF, is cut off, or holds no one page that is the slide.
    """
    with opened_level(level0(image)) as tiles:
        yield tiles


@contextmanager
def opened_level(level: Level0) -> Iterator[Tiles]:
    """Give the tiles of a page that was found in a TIFF.

    Raises
    ------
    DataError
        When the file is damaged.
    """
    import tifffile

    image = level.image
    with quietly_opened():
        with told(image), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # One file: an OME-TIFF may name others, and they are not to be opened.
            file = tifffile.TiffFile(image, _multifile=False, is_lsm=False, is_scanimage=False)
        try:
            with told(image), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pages = [_page(file, one.place) for one in level.planes or (level.page,)]
            tiles = Tiles(level, pages)
            try:
                yield tiles
            finally:
                tiles.close()
        finally:
            file.close()


def _page(file: Any, place: tuple[int, ...]) -> Any:
    page = file.pages[place[0]]
    for number in place[1:]:
        page = page.pages[number]
    return page


def write_slide(image: Path, target: Path) -> None:
    """Decode the slide in a TIFF into a new slide file, each tile once, on all cores straight into its place.

    Tiles that are not stored become white.

    Raises
    ------
    DataError
        When the file is damaged or not 8 bit RGB.
    """
    with opened_tiff(image) as tiles:
        tiles.check_whole()
        convert = not holds_rgb_tagged_ycbcr(tiles)
        with (
            new_pixels(target, tiles.height, tiles.width) as pixels,
            Progress(f"decoding {image.name}", tiles.n_blocks) as progress,
        ):

            def write(number: int) -> None:
                y, x = tiles.place(number)
                window = pixels[y : y + tiles.rows, x : x + tiles.columns]
                window[...] = tiles.block(number, convert=convert)

            held = Held(MOST_HELD_BYTES)
            for _ in as_done(write, range(tiles.n_blocks)):
                held.trim(pixels)
                progress.advance()


def holds_rgb_tagged_ycbcr(tiles: Tiles) -> bool:
    """Whether a page that calls itself YCbCr cannot be that, and so holds red, green and blue.

    Raises
    ------
    DataError
        When tiles cannot be decoded.
    """
    if not tiles.level.is_ycbcr or tiles.page.jpegheader is not None:  # one vendor's, whose tags are true
        return False
    some = range(0, len(tiles), max(1, len(tiles) // _LOOKED_AT))
    return is_rgb(tiles.decode(number, convert=False) for number in some if tiles.stored[number])


def notes_on_tiles(tiles: Tiles) -> list[str]:
    """Say what was made of tiles that are not stored, and of colours that are not what they are said to be.

    Raises
    ------
    DataError
        When tiles cannot be decoded.
    """
    name, notes = tiles.level.image.name, []
    if holds_rgb_tagged_ycbcr(tiles):
        notes.append(
            f"the tiles of {name} are tagged YCbCr but hold RGB (as YCbCr many colours would be "
            "impossible): they were read as RGB"
        )
    missing = int((~tiles.stored).sum())
    if missing:
        of = f"{missing:,} of {len(tiles):,} {tiles.level.segments} of {name}"
        notes.append(f"{of} are not stored: they were filled with white")
    return notes


def on_no_pixels(tiles: Tiles, xy_px: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, "m"]:
    """Return which of some places lie where no tile is stored."""
    if tiles.stored.all():
        return np.empty(0, dtype=np.int64)
    inside, x, y = pixels_under(xy_px, tiles.width, tiles.height)
    planes = np.all(tiles.stored.reshape(tiles.level.n_planes, tiles.down, tiles.across), axis=0)
    return inside[~planes[y // tiles.rows, x // tiles.columns]]


@contextmanager
def told(image: Path) -> Iterator[None]:
    """Tell whatever tifffile and its codecs raise as a fault of the file.

    Raises
    ------
    DataError
        In place of what they raised.
    """
    with reading(image, expected=WHOLE), of_library():
        yield


@contextmanager
def quietly_opened() -> Iterator[None]:
    """Keep back what tifffile logs meanwhile: what matters of it is told as an error."""
    logger, refused = logging.getLogger("tifffile"), lambda record: False
    logger.addFilter(refused)
    try:
        yield
    finally:
        logger.removeFilter(refused)

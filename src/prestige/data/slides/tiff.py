"""Level 0 of a TIFF, tile by tile into a slide file."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from prestige.compute.progress import Progress
from prestige.compute.threads import as_done, n_threads
from prestige.data.slides.slide import MOST_HELD_BYTES, Held, checked_image, new_pixels
from prestige.errors import DataError

_JPEG, _YCBCR = 7, 6
_LOOKED_AT = 16  # tiles
_OUT_BY = 24  # levels; the losses of JPEG stay below
_OUT_SHARE = 0.02


@contextmanager
def opened_tiff(path: Path) -> Iterator[Any]:
    """Give the first page of level 0; what goes wrong inside is told as a fault of the file.

    Raises
    ------
    DataError
        When the file is no TIFF, is cut off or cannot be decoded.
    """
    import tifffile

    broken = (tifffile.TiffFileError, struct.error, OSError, ValueError, RuntimeError, IndexError, KeyError)
    try:
        with tifffile.TiffFile(path) as file:
            yield file.series[0].levels[0].pages[0]
    except broken as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault (full, no right), not the file's
        raise DataError(
            f"cannot be decoded ({' '.join(str(error).split())[:200] or type(error).__name__})",
            where=path,
            expected="a whole TIFF",
            remedy="copy it again if it was cut off",
        ) from error


def write_slide(image: Path, target: Path) -> None:
    """Decode level 0 of a TIFF into a new slide file, each tile once, on all cores straight into its place.

    Raises
    ------
    DataError
        When the file is cut off or not 8 bit RGB.
    """
    with opened_tiff(image) as page:
        height, width = checked_image(
            (page.imagelength, page.imagewidth, page.samplesperpixel), page.dtype, where=str(image)
        )
        _check_whole(page, image)
        with (
            new_pixels(target, height, width) as pixels,
            Progress(f"decoding {image.name}", len(page.dataoffsets)) as progress,
        ):

            def place(tile: _Pixels | None, channel: slice, y: int, x: int) -> None:
                if tile is None:
                    raise DataError("a tile is missing", where=image, expected="a whole TIFF")
                rows, columns = min(tile.shape[0], height - y), min(tile.shape[1], width - x)
                pixels[y : y + rows, x : x + columns, channel] = tile[:rows, :columns]

            held = Held(MOST_HELD_BYTES)
            for _ in (
                _placed_as_they_are(page, place) if holds_rgb_tagged_ycbcr(page) else _placed(page, place)
            ):
                held.trim(pixels)
                progress.advance()


def holds_rgb_tagged_ycbcr(page: Any) -> bool:
    """Whether a JPEG page that calls itself YCbCr cannot be that, and so holds red, green and blue.

    Pixels that were made from RGB lead back into 0..255 but for the losses of JPEG.  Where a good share
    leaves that range by far, nothing was converted when the file was written; a reader that trusts the tag
    shows white as (255, 120, 255) and clips most of the tissue's colours.
    """
    if int(page.compression) != _JPEG or int(page.photometric) != _YCBCR or page.samplesperpixel != 3:
        return False
    step = max(1, len(page.dataoffsets) // _LOOKED_AT)
    out, seen = 0, 0
    for number in _kept(page, step):
        tile = _tile_as_it_is(page, number)[0]
        y, cb, cr = np.moveaxis(tile[::2, ::2].astype(np.float32), 2, 0)
        red, blue = y + 1.402 * (cr - 128), y + 1.772 * (cb - 128)
        beyond = np.maximum(np.maximum(red, blue) - 255, -np.minimum(red, blue))
        out, seen = out + int((beyond > _OUT_BY).sum()), seen + beyond.size
    return out > _OUT_SHARE * seen


def _check_whole(page: Any, image: Path) -> None:
    ends = np.asarray(page.dataoffsets, dtype=np.int64) + np.asarray(page.databytecounts, dtype=np.int64)
    size = image.stat().st_size
    if ends.size and int(ends.max()) > size:
        raise DataError(
            f"the file ends at byte {size:,}, its pixels at {int(ends.max()):,}",
            where=image,
            expected="a whole TIFF",
            remedy="copy it again: it was cut off",
        )


_Pixels = UInt8[np.ndarray, "h w c"]
_Tile = tuple[_Pixels, slice, int, int]
_Place = Callable[[_Pixels | None, slice, int, int], None]


def _placed(page: Any, place: _Place) -> Iterator[None]:
    """Decode the tiles on all cores: pixels, colours they are of, row and column they begin at."""
    planar = int(page.planarconfig) == 2  # one plane a colour instead of colours side by side

    def decoded(segment: tuple[np.ndarray | None, tuple[int, ...], tuple[int, ...]]) -> None:
        tile, (plane, _, y, x, _), _ = segment
        place(None if tile is None else tile[0], slice(plane, plane + 1) if planar else slice(None), y, x)

    yield from page.segments(maxworkers=n_threads(None), func=decoded)


def _placed_as_they_are(page: Any, place: _Place) -> Iterator[None]:
    """Do the same with JPEG tiles whose colours are not to be converted."""
    yield from as_done(lambda number: place(*_tile_as_it_is(page, number)), _kept(page))


def _kept(page: Any, step: int = 1) -> Iterator[int]:
    """Go over the numbers of every ``step``-th tile that is there."""
    return (number for number in range(0, len(page.dataoffsets), step) if page.databytecounts[number])


def _tile_as_it_is(page: Any, number: int) -> _Tile:
    """Decode a JPEG tile without any conversion of colours."""
    import imagecodecs

    rows = page.tilelength or page.rowsperstrip
    columns = page.tilewidth or page.imagewidth
    across = -(-page.imagewidth // columns)
    file = page.parent.filehandle
    with file.lock:
        file.seek(page.dataoffsets[number])
        data = file.read(page.databytecounts[number])
    tile = imagecodecs.jpeg_decode(data, tables=page.jpegtables, colorspace="YCBCR", outcolorspace="YCBCR")
    return tile, slice(None), number // across * rows, number % across * columns

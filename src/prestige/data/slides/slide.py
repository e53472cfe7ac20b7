"""The pixels of a sample's image: one uncompressed file, memory-mapped and shared by all runs."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import plain_file


@dataclass(frozen=True, eq=False)
class Slide:
    """The pixels of an H&E image.

    Parameters
    ----------
    pixels
        Shape (height, width, 3), uint8, red green blue; a read-only memory map.
    um_per_px
        Width of a pixel in micrometres.
    um_per_px_assumed
        Whether nobody stated that width.
    fingerprint
        Says that two slides hold the same pixels.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    um_per_px: float
    um_per_px_assumed: bool
    fingerprint: str

    @property
    def height_px(self) -> int:
        """Number of rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width_px(self) -> int:
        """Number of columns of pixels."""
        return int(self.pixels.shape[1])


@contextmanager
def new_pixels(path: Path, height_px: int, width_px: int) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Create the file of a slide and give its pixels to be filled.

    The room is claimed on the disk first: writing through a memory map into a full disk would end
    the process with a bus error instead of an exception.

    Raises
    ------
    OSError
        When the disk has no room for it.
    """
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(height_px, width_px, 3))
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    yield pixels
    pixels.flush()


def open_pixels(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Map the pixels of a slide, read-only.

    Raises
    ------
    DataError
        When the file is missing, cut off, or holds anything but (height, width, 3) uint8, row by row.
    """
    expected = "the (height, width, 3) uint8 pixels of a slide"
    path = plain_file(path, expected=expected)
    with reading(path, expected=expected), path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        head = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, is_by_columns, dtype = head[version](file)
        begin, there = file.tell(), os.fstat(file.fileno()).st_size
    if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or min(shape) < 0:
        raise DataError(f"holds {dtype} of shape {shape}", where=path, expected=expected)
    if is_by_columns:
        raise DataError("holds its pixels column by column", where=path, expected=expected)
    if begin + math.prod(shape) != there:
        raise DataError(
            f"has {there:,} bytes, and {begin + math.prod(shape):,} by its head",
            where=path,
            expected=expected,
            remedy=AGAIN,
        )
    with reading(path, expected=expected):
        return np.memmap(path, dtype=np.uint8, mode="r", offset=begin, shape=shape)


def checked_image(shape: tuple[int, ...], dtype: np.dtype, *, where: str) -> tuple[int, int]:
    """Return (height, width) of an image that is 8 bit and three-coloured.

    Parameters
    ----------
    shape
        (height, width, channels).
    dtype
        Type of its values.
    where
        The file or element, for the message.

    Raises
    ------
    DataError
        For 1 or 4 channels, 16 bit, or an empty image.
    """
    expected, remedy = "an RGB image, 3 channels of 8 bit", "save the H&E image as 8 bit RGB"
    height, width, channels = shape
    if np.dtype(dtype) != np.uint8:
        bits = np.dtype(dtype).itemsize * 8
        raise DataError(f"the image is {bits} bit ({dtype})", where=where, expected=expected, remedy=remedy)
    if channels != 3:
        plural = "channel" if channels == 1 else "channels"
        raise DataError(f"the image has {channels} {plural}", where=where, expected=expected, remedy=remedy)
    if height < 1 or width < 1:
        raise DataError(f"the image is empty ({width} x {height} px)", where=where, expected=expected)
    return int(height), int(width)


def pixels_under(
    xy_px: Float[np.ndarray, "n 2"], width_px: int, height_px: int
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Return which places lie in an image, and column and row of the pixel under each of these.

    A pixel's centre has whole coordinates, so an image begins half a pixel before 0.
    """
    size = np.array([width_px, height_px])
    inside = np.flatnonzero(np.all((xy_px >= -0.5) & (xy_px < size - 0.5), axis=1))
    x, y = np.clip(np.rint(xy_px[inside]).astype(np.int64), 0, size - 1).T
    return inside, x, y

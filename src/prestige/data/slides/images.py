"""The H&E image of a sample, whatever its format: one door for all readers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from prestige.compute.progress import Progress
from prestige.compute.threads import as_done
from prestige.data.slides.brightfield import check_brightfield
from prestige.data.slides.mapped import MOST_HELD_BYTES, Held
from prestige.data.slides.slide import new_pixels, open_pixels

WHITE = 255
"""The glass beside the tissue, and what is shown where a file stores no pixels."""

_BLOCK_PX = 1024


@dataclass(frozen=True)
class Level:
    """One of the sizes in which an image is stored.

    Parameters
    ----------
    height_px, width_px
        Its rows and columns of pixels.
    downsample
        How many pixels of the largest level one of its pixels is wide; no whole number in general.
    """

    height_px: int
    width_px: int
    downsample: float


class Image(ABC):
    """The slide in an image file, found by what the file says of itself; nothing is decoded yet.

    What it opens stays open until :meth:`close`.  Any number of threads may read.
    """

    @property
    @abstractmethod
    def path(self) -> Path:
        """The file, or the folder of a format that is one."""

    @property
    def files(self) -> Mapping[str, Path]:
        """Role -> file or folder: all that the pixels depend on."""
        return {"image": self.path}

    @property
    @abstractmethod
    def height_px(self) -> int:
        """Number of rows of pixels of the largest level, in which all places are given."""

    @property
    @abstractmethod
    def width_px(self) -> int:
        """Number of columns of pixels of that level."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """The sizes in which it is stored, the largest first."""
        return (Level(self.height_px, self.width_px, 1.0),)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was chosen in the file, and what in it was not obeyed or not stored, a sentence each."""
        return ()

    @abstractmethod
    def stated_um(self) -> dict[str, float]:
        """Return the widths of a pixel in micrometres that the file states, by what states them.

        Raises
        ------
        DataError
            When it states pixels that are not square.
        """

    def on_no_pixels(self, xy_px: Float[np.ndarray, "n 2"]) -> tuple[Int[np.ndarray, " m"], str]:
        """Return which places lie where the file stores no pixels, and how much of it is not stored."""
        return np.empty(0, dtype=np.int64), ""

    def icc_profile(self) -> bytes | None:
        """Return the colour profile that the file brings; None where it brings none."""
        return None

    def read(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Return a part of a level, red green blue; white beyond its edges and where nothing is stored.

        Parameters
        ----------
        level
            Its place in :attr:`levels`.
        x, y, width, height
            The part, in pixels of that level; it may reach beyond its edges.

        Raises
        ------
        DataError
            When the file is damaged there.
        """
        size = self.levels[level]
        left, top = min(max(x, 0), size.width_px), min(max(y, 0), size.height_px)
        right, below = min(max(x + width, left), size.width_px), min(max(y + height, top), size.height_px)
        if (left, top, right, below) == (x, y, x + width, y + height):
            return self._part(level, x, y, width, height)
        out = np.full((height, width, 3), WHITE, dtype=np.uint8)
        if right > left and below > top:
            part = self._part(level, left, top, right - left, below - top)
            out[top - y : below - y, left - x : right - x] = part
        return out

    @abstractmethod
    def _part(self, level: int, x: int, y: int, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
        """Return a part that lies within a level."""

    def write(self, target: Path) -> None:
        """Decode it into a new slide file.

        Raises
        ------
        DataError
            When it is damaged, or shows no transmitted light.
        """
        self._decode(target)
        check_brightfield(open_pixels(target), where=self.path)

    def _decode(self, target: Path) -> None:
        blocks = self._blocks()
        with (
            new_pixels(target, self.height_px, self.width_px) as pixels,
            Progress(f"decoding {self.path.name}", len(blocks)) as progress,
        ):

            def copy(block: tuple[int, int, int, int]) -> None:
                x, y, width, height = block
                pixels[y : y + height, x : x + width] = self._part(0, *block)

            held = Held(MOST_HELD_BYTES)
            for _ in as_done(copy, blocks):
                held.trim(pixels)
                progress.advance()

    def _blocks(self) -> list[tuple[int, int, int, int]]:
        """Return the parts (x, y, width, height) in which it is decoded."""
        return blocks_of(self.height_px, self.width_px, _BLOCK_PX, _BLOCK_PX)

    def close(self) -> None:  # noqa: B027 - most formats keep nothing open
        """Close what it opened; it may be read again, which opens it anew."""


def blocks_of(height: int, width: int, rows: int, columns: int) -> list[tuple[int, int, int, int]]:
    """Return the parts (x, y, width, height) of an image, row by row."""
    return [
        (x, y, min(columns, width - x), min(rows, height - y))
        for y in range(0, height, rows)
        for x in range(0, width, columns)
    ]


def image_of(path: Path) -> Image:
    """Return the slide in an image file, or in the folder of a format that is one.

    What it is, is told by its content, and by its name nowhere.

    Raises
    ------
    DataError
        When there is no such file, or no slide of 8 bit RGB in it.
    """
    from prestige.data.slides.kinds import kind_of

    kind, file = kind_of(path)
    if kind == "tiff":
        from prestige.data.slides.tiff.image import TiffImage

        return TiffImage.of(file)
    if kind == "zarr":
        from prestige.data.slides.ome_zarr import ZarrImage

        return ZarrImage.of(file)
    if kind == "scanner":
        from prestige.data.slides.scanner.image import ScannerImage

        return ScannerImage.of(file)
    from prestige.data.slides.plain import PlainImage

    return PlainImage.of(file)

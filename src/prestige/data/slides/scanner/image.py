"""Scanners' own formats as the image of a sample, read by openslide.

Levels that overlap, frames of several regions and padded levels are put together there as their makers do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from prestige.data.platforms.extras import needed
from prestige.data.slides.alpha import on_white
from prestige.data.slides.images import Image, Level, blocks_of
from prestige.data.slides.pixel_size import square_um
from prestige.data.slides.scanner.parts import check_one_slide, parts_of
from prestige.data.slides.scanner.tried import check_by_trial
from prestige.data.slides.slide import pixels_under
from prestige.errors import AGAIN, DataError, of_library, reading

_WHOLE = "a whole slide of a scanner"
_BLOCK_PX = 512
_LOOKED_AT_PX = 1 << 25
_SQUARE_PX, _SQUARES = 16, 24
_FREE_PX, _MOST_EXPANSION = 1 << 28, 100_000  # a frame is empty for the most part
_CACHE_BYTES = 1 << 28
_OF_FORM = re.compile(r"unsupported|unknown compression|BitsAllocated|PhotometricInterpretation|Not a", re.I)
_BOUNDS = ("x", "y", "width", "height")


@dataclass(frozen=True)
class ScannerImage(Image):
    """The slide in a scanner's file; see :class:`prestige.data.slides.images.Image`.

    Its pixels are those of the scanner's whole frame, as openslide gives them.
    """

    named: Path
    file: Path
    parts: Mapping[str, Path]
    sizes: tuple[Level, ...]
    said: Mapping[str, str]
    _kept: list[Any] = field(default_factory=list)
    _lock: Any = field(default_factory=Lock)

    @classmethod
    def of(cls, path: Path) -> ScannerImage:
        """Find the slide in a scanner's file, or in the folder of a DICOM slide.

        Raises
        ------
        DataError
            When openslide is not installed, or the file is damaged or none that it reads.
        """
        needed("openslide", extra="readers")
        file, parts = parts_of(path)
        check_by_trial(file, list(parts.values()))
        with _opened(file) as slide, _told(file):
            sizes = zip(slide.level_dimensions, slide.level_downsamples, strict=True)
            levels = tuple(Level(int(h), int(w), float(down)) for (w, h), down in sizes)
            said = {str(key): str(value) for key, value in slide.properties.items()}
        if path.is_dir() and (series := said.get("dicom.SeriesInstanceUID")):
            check_one_slide(path, series)
        there = sum(_size(one) for one in parts.values())
        size = levels[0].height_px * levels[0].width_px
        if size < 1 or (size > _FREE_PX and size > _MOST_EXPANSION * there):
            claims = f"{levels[0].width_px} x {levels[0].height_px} px"
            raise DataError(
                f"files of {there:,} bytes claim {claims}", where=path, expected=_WHOLE, remedy=AGAIN
            )
        return cls(path, file, parts, levels, said)

    @property
    def path(self) -> Path:
        """The file, or the folder of a DICOM slide."""
        return self.named

    @property
    def files(self) -> Mapping[str, Path]:
        """The file and what lies beside it that belongs to it."""
        return self.parts

    @property
    def height_px(self) -> int:
        """Number of rows of pixels of the frame."""
        return self.sizes[0].height_px

    @property
    def width_px(self) -> int:
        """Number of columns of pixels of the frame."""
        return self.sizes[0].width_px

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels that openslide lists."""
        return self.sizes

    @property
    def notes(self) -> tuple[str, ...]:
        """Where in the frame the scanned part lies, and how much of it holds no pixels."""
        notes = []
        bounds = [self.said.get(f"openslide.bounds-{name}", "") for name in _BOUNDS]
        if all(bounds) and bounds != ["0", "0", str(self.width_px), str(self.height_px)]:
            x, y, width, height = bounds
            notes.append(
                f"{self.path.name} has a frame of {self.width_px} x {self.height_px} px, of which {width} x "
                f"{height} px at ({x}, {y}) were scanned: places are taken to "
                "count from the frame's first pixel"
            )
        if share := self._empty_share():
            notes.append(f"{share:.1%} of {self.path.name} holds no pixels: it was filled with white")
        return tuple(notes)

    def stated_um(self) -> dict[str, float]:
        """Return the width of a pixel by the scanner's own metadata."""
        sides = [self.said.get(f"openslide.mpp-{axis}") for axis in "xy"]
        if None in sides:
            return {}
        with reading(self.file, part="the width of its pixels", expected="a number of micrometres"):
            x, y = (float(str(side).replace(",", ".")) for side in sides)
        return square_um([("scanner's metadata", x, y)], self.path)

    def on_no_pixels(self, xy_px: Float[np.ndarray, "n 2"]) -> tuple[Int[np.ndarray, " m"], str]:
        """Return which places lie where the frame holds no pixels."""
        inside, *pixel = pixels_under(xy_px, self.width_px, self.height_px)
        places = np.column_stack(pixel)
        blocks, which = np.unique(places // _BLOCK_PX, axis=0, return_inverse=True)
        which = which.reshape(-1)
        ends = np.cumsum(np.bincount(which, minlength=len(blocks)))
        members = np.split(np.argsort(which, kind="stable"), ends[:-1]) if len(blocks) else []
        blank = np.zeros(len(inside), dtype=bool)
        for (x, y), here in zip((blocks * _BLOCK_PX).tolist(), members, strict=True):
            width, height = min(_BLOCK_PX, self.width_px - x), min(_BLOCK_PX, self.height_px - y)
            clear = self._rgba(0, x, y, width, height)[..., 3] == 0
            blank[here] = clear[places[here, 1] - y, places[here, 0] - x]
        share = f"{self._empty_share():.1%} of it holds no pixels" if blank.any() else ""
        return inside[blank], share

    def icc_profile(self) -> bytes | None:
        """Return the colour profile that the scanner wrote; None where there is none."""
        with _told(self.file):
            profile = self._slide().color_profile
            return None if profile is None else profile.tobytes()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            while self._kept:
                self._kept.pop().close()

    def _slide(self) -> Any:
        with self._lock:
            if not self._kept:
                self._kept.append(_opened(self.file))
            return self._kept[0]

    def _rgba(self, level: int, x: int, y: int, width: int, height: int) -> UInt8[np.ndarray, "h w 4"]:
        down = self.sizes[level].downsample
        slide = self._slide()
        with _told(self.file):
            place = (round(x * down), round(y * down))
            return np.asarray(slide.read_region(place, level, (width, height)))

    def _part(self, level: int, x: int, y: int, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
        return on_white(self._rgba(level, x, y, width, height))

    def _blocks(self) -> list[tuple[int, int, int, int]]:
        return blocks_of(self.height_px, self.width_px, 2 * _BLOCK_PX, 2 * _BLOCK_PX)

    def _empty_share(self) -> float:
        """Return how much of the frame holds no pixels, by squares of it where it is large."""
        if self.height_px * self.width_px <= _LOOKED_AT_PX:
            return _clear(self._rgba(0, 0, 0, self.width_px, self.height_px))
        rows, columns = (
            np.linspace(0, max(0, side - _SQUARE_PX), _SQUARES).astype(int)
            for side in (self.height_px, self.width_px)
        )
        size = min(_SQUARE_PX, self.width_px), min(_SQUARE_PX, self.height_px)
        return float(np.mean([_clear(self._rgba(0, int(x), int(y), *size)) for y in rows for x in columns]))


def _clear(rgba: UInt8[np.ndarray, "h w 4"]) -> float:
    clear: Bool[np.ndarray, "h w"] = rgba[..., 3] == 0
    return float(clear.mean())


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(one.stat().st_size for one in files if one.is_file())


def _opened(file: Path) -> Any:
    import openslide

    with _told(file):
        slide = openslide.OpenSlide(file)
        slide.set_cache(openslide.OpenSlideCache(_CACHE_BYTES))
        return slide


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Tell whatever openslide raises as a fault of the file: of its form, where it is not damaged."""
    from openslide import OpenSlideError, OpenSlideUnsupportedFormatError

    with reading(file, expected=_WHOLE), of_library():
        try:
            yield
        except OpenSlideError as error:
            what = str(error).replace(f"Reading {file}: ", "").replace(f"{file}: ", "")
            if "No pyramid levels" in what:
                raise DataError(
                    "holds no level of a slide: a label, an overview or a thumbnail alone",
                    where=file,
                    expected=_WHOLE,
                    remedy="name the slide's own file, or put it into the same folder",
                ) from error
            if not isinstance(error, OpenSlideUnsupportedFormatError) and not _OF_FORM.search(what):
                raise
            raise DataError(
                f"openslide does not read it ({what or 'none of its formats'})",
                where=file,
                expected="a scanner's slide of 8 bit RGB",
                remedy="write it as a TIFF (QuPath, Bio-Formats or libvips do)",
            ) from error

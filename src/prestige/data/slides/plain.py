"""A JPEG, PNG or JPEG 2000 as the image of a sample."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from prestige.compute.progress import Progress
from prestige.data.slides.alpha import on_white
from prestige.data.slides.images import Image
from prestige.data.slides.orientation import check_orientation
from prestige.data.slides.pixel_size import square_um
from prestige.data.slides.slide import new_pixels
from prestige.data.slides.tiff.codestreams import bits_of
from prestige.errors import AGAIN, DataError, of_library, reading

_WHOLE = "a whole image"
_EXPECTED, _REMEDY = "an RGB image, 3 channels of 8 bit", "save the H&E image as 8 bit RGB"
_MOST_PX = 1 << 30  # four bytes each while it is decoded
_FREE_PX, _MOST_EXPANSION = 1 << 26, 10_000
_ROWS_PX = 1 << 24  # turned into red, green and blue at once
_INCH_UM = 25_400.0
_ORIENTATION = 0x0112
_CHANNELS = {"1": "1 bit", "L": "1 channel (grey)", "LA": "1 channel (grey)", "CMYK": "4 inks (CMYK)"}


@dataclass(frozen=True)
class PlainImage(Image):
    """The slide in an image file that has one level; see :class:`prestige.data.slides.images.Image`.

    It is decoded whole when the first part of it is read.
    """

    file: Path
    size_px: tuple[int, int]
    mode: str
    resolution: tuple[float, float] | None
    profile: bytes | None
    _kept: list[np.ndarray] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, path: Path) -> PlainImage:
        """Find the slide in an image file.

        Raises
        ------
        DataError
            When the file is damaged, or not 8 bit RGB.
        """
        with path.open("rb") as file:
            bits = bits_of(file.read(1 << 16))
        with _opened(path) as image, _told(path):
            width, height = image.size
            turned = _orientation(image.info.get("exif"))
            frames = int(getattr(image, "n_frames", 1))
            dpi, profile = image.info.get("dpi"), image.info.get("icc_profile")
            resolution = None if dpi is None else (float(dpi[0]), float(dpi[1]))
            mode = "RGBA" if "transparency" in image.info else str(image.mode)
            is_palette = image.mode == "P"
        where = str(path)
        if bits is not None and bits > 8 and not is_palette:
            raise DataError(f"the image is {bits} bit", where=where, expected=_EXPECTED, remedy=_REMEDY)
        if mode not in ("P", "RGB", "RGBA", "PA"):
            has = _CHANNELS.get(mode, f"its colours as {mode}")
            raise DataError(f"the image has {has}", where=where, expected=_EXPECTED, remedy=_REMEDY)
        if frames > 1:
            raise DataError(f"the image has {frames:,} frames", where=where, expected="one picture")
        check_orientation(turned, path)
        _check_size(path, width, height)
        return cls(path, (height, width), mode, resolution, profile)

    @property
    def path(self) -> Path:
        """The file."""
        return self.file

    @property
    def height_px(self) -> int:
        """Number of rows of pixels."""
        return self.size_px[0]

    @property
    def width_px(self) -> int:
        """Number of columns of pixels."""
        return self.size_px[1]

    def stated_um(self) -> dict[str, float]:
        """Return the width of a pixel by its resolution, where that is one of a microscope."""
        if self.resolution is None or min(self.resolution) <= 0:
            return {}
        x, y = (_INCH_UM / dots for dots in self.resolution)
        return square_um([("resolution", x, y)], self.file)

    def icc_profile(self) -> bytes | None:
        """Return the colour profile that the file brings; None where it brings none."""
        return self.profile

    def close(self) -> None:
        """Forget the pixels."""
        with self._lock:
            self._kept.clear()

    def _part(self, level: int, x: int, y: int, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
        with self._lock:
            if not self._kept:
                pixels = np.empty((self.height_px, self.width_px, 3), dtype=np.uint8)
                for top, rows in self._rows():
                    pixels[top : top + len(rows)] = rows
                self._kept.append(pixels)
            return self._kept[0][y : y + height, x : x + width].copy()

    def _decode(self, target: Path) -> None:
        with (
            new_pixels(target, self.height_px, self.width_px) as pixels,
            Progress(f"decoding {self.file.name}", self.height_px) as progress,
        ):
            for top, rows in self._rows():
                pixels[top : top + len(rows)] = rows
                progress.advance(len(rows))

    def _rows(self) -> Iterator[tuple[int, UInt8[np.ndarray, "h w 3"]]]:
        """Decode it, and give its rows in colours, some at a time."""
        with _opened(self.file) as image:
            with _told(self.file):
                image.load()
            step = max(1, _ROWS_PX // self.width_px)
            for top in range(0, self.height_px, step):
                with _told(self.file):
                    rows = image.crop((0, top, self.width_px, min(top + step, self.height_px)))
                    is_clear = self.mode in ("RGBA", "PA")
                    rows = np.asarray(rows.convert("RGBA" if is_clear else "RGB"))
                yield top, on_white(rows) if is_clear else rows


def _orientation(exif: bytes | None) -> int:
    """Return how the Exif metadata of an image say that it is turned; 1 where they do not.

    The image itself is not asked for them: for that, pillow decodes a PNG whole.
    """
    from PIL.Image import Exif

    found = Exif()
    if exif:
        found.load(exif)
    return int(found.get(_ORIENTATION, 1) or 1)


def _check_size(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise DataError(f"the image is empty ({width} x {height} px)", where=path, expected=_EXPECTED)
    size, there = width * height, path.stat().st_size
    if size > _FREE_PX and size > _MOST_EXPANSION * there:
        raise DataError(
            f"a file of {there:,} bytes claims {width} x {height} px",
            where=path,
            expected=_WHOLE,
            remedy=AGAIN,
        )
    if size > _MOST_PX:
        raise DataError(
            f"the image has {width} x {height} px, which are decoded at once in this format",
            where=path,
            expected=f"at most {_MOST_PX:,} pixels",
            remedy="save it as a tiled TIFF",
        )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Give the image as pillow opens it, by the plugin of its own format and no other.

    ``PIL.Image.open`` is not asked: it tries all formats, and refuses by a fixed number of pixels.
    """
    from PIL import Jpeg2KImagePlugin, JpegImagePlugin, PngImagePlugin

    with path.open("rb") as file:
        head = file.read(4)
        plugin = {b"\x89PNG": PngImagePlugin.PngImageFile, b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile}
        kind = plugin.get(head, plugin.get(head[:3], Jpeg2KImagePlugin.Jpeg2KImageFile))
        file.seek(0)
        with _told(path):
            image = kind(file)
        with image:
            yield image


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell whatever pillow and its codecs raise as a fault of the file, and keep back what it warns of."""
    with reading(path, expected=_WHOLE), of_library(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

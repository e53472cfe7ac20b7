"""The H&E image of a store: which of its images may be one, and its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from prestige.compute.progress import Progress
from prestige.compute.threads import as_done
from prestige.data.slides.alpha import on_white
from prestige.data.slides.brightfield import check_brightfield
from prestige.data.slides.mapped import MOST_HELD_BYTES, Held
from prestige.data.slides.slide import checked_image, new_pixels
from prestige.data.stores.on_disk import WHITE, StoredChunks, stored_chunks, stored_windows
from prestige.data.stores.zarrs import IMAGE_AXES, Raster, Window, element, level0
from prestige.errors import DataError

_LOOKED_AT = 16  # chunks
_SQUARE_PX = 8
_ROWS = 256


@dataclass(frozen=True, eq=False)
class Picture:
    """An image of a store, as far as its metadata say.

    Parameters
    ----------
    name
        Its element: "images/HE".
    raster
        Its array of full resolution; None where that cannot be read.
    why_not
        Why it is no H&E image, in a few words; None where it may be one.
    """

    name: str
    raster: Raster | None
    why_not: DataError | None

    def __str__(self) -> str:
        if self.raster is None:
            return f"{self.name} (cannot be read)"
        channels, dtype = self.raster.shape[0], self.raster.dtype
        return f"{self.name} ({channels} channel{'s' * (channels != 1)} of {dtype})"


def picture(store: Path, name: str) -> Picture:
    """Return what the metadata of an image say of it."""
    where = f"{store}, {name}"
    raster = None
    try:
        with element(store, name, whole=False) as group:
            raster = level0(group, where)
            channels, height, width = raster.shape
            colours = 3 if _is_rgba(raster) else channels
            checked_image((height, width, colours), raster.dtype, where=where)
    except DataError as error:
        return Picture(name, raster, error)
    return Picture(name, raster, None)


def write_image(store: Path, name: str, target: Path, *, stored: StoredChunks | None = None) -> None:
    """Decode an image into a new slide file, each chunk once, on all cores.

    Parameters
    ----------
    store, name
        The store, and its element.
    target
        The file to make.
    stored
        Which chunks are on the disk, of an image that is not known to be of the challenge: others become
        white, where zarr fills them with zeros, a fourth channel named a or alpha puts pixels on white, and
        an image on a dark background is refused.

    Raises
    ------
    DataError
        When it is cut off, not 8 bit RGB, or no H&E image.
    """
    with element(store, name) as group:
        image = level0(group, f"{store}, {name}")
        channels, height, width = image.shape
        rgba = stored is not None and _is_rgba(image)
        checked_image((height, width, 3 if rgba else channels), image.dtype, where=f"{store}, {name}")
        if stored is None:
            stored_in(store, name, image)  # which refuses a shape far beyond what is stored
        windows, rgb = stored_windows(image.array, store / name, IMAGE_AXES, image.where), image.rgb
        held = Held(MOST_HELD_BYTES)
        with (
            new_pixels(target, height, width) as pixels,
            Progress(f"decoding {name}", len(windows)) as progress,
        ):
            if stored is not None and stored.lost:
                for y in range(0, height, _ROWS):
                    pixels[y : y + _ROWS] = WHITE
                    held.trim(pixels)

            def copy(window: Window) -> None:
                part = image[:, *window]
                seen = (part if rgb == [0, 1, 2] else part[rgb]).transpose(1, 2, 0)
                seen = on_white(seen) if rgba else seen
                pixels[window] = seen if stored is None else stored.on_white(seen, *window)

            for _ in as_done(copy, windows):
                held.trim(pixels)
                progress.advance()
            if stored is not None:
                check_brightfield(pixels, where=image.where)


def damaged_colours(pixels: UInt8[np.ndarray, "height width 3"], name: str) -> list[str]:
    """Return a note where the background has the colour of white that was decoded as if it were YCbCr."""
    seen = np.asarray(pixels[:: max(1, len(pixels) // 256), :: max(1, pixels.shape[1] // 256)]).reshape(-1, 3)
    share = float((np.abs(seen.astype(np.int16) - (255, 121, 255)).max(axis=1) <= 12).mean())
    if share < 0.02:
        return []
    return [
        f"{share:.0%} of the image is (255, 121, 255), which white becomes when RGB is decoded as YCbCr: "
        f"the colours of {name.partition('/')[2]} were probably damaged when the store was written"
    ]


def stored_in(store: Path, name: str, image: Raster) -> StoredChunks:
    """Return which chunks of an image are on the disk."""
    return stored_chunks(image.array, store / name, IMAGE_AXES, image.where)


def is_bright(store: Path, name: str) -> bool:
    """Return whether an image shows stained tissue on a bright background, by some of its chunks.

    Raises
    ------
    DataError
        When a chunk of it cannot be decoded.
    """
    with element(store, name, whole=False) as group:
        image = level0(group, f"{store}, {name}")
        stored = stored_in(store, name, image)
        windows = stored_windows(image.array, store / name, IMAGE_AXES, image.where)
        there = [window for window in windows if stored.of(*window).any()]
        chosen = there[:: max(1, -(-len(there) // _LOOKED_AT))]
        parts = [stored.on_white(image[:, *at][image.rgb[:3]].transpose(1, 2, 0), *at) for at in chosen]
        squares = [_squares(part.transpose(2, 0, 1)) for part in parts]
        seen = np.concatenate([np.zeros((0, _SQUARE_PX, _SQUARE_PX, 3), np.uint8), *squares])
    side = math.isqrt(len(seen))
    mosaic = seen[: side * side].reshape(side, side, _SQUARE_PX, _SQUARE_PX, 3).swapaxes(1, 2)
    try:
        check_brightfield(mosaic.reshape(side * _SQUARE_PX, side * _SQUARE_PX, 3), where=image.where)
    except DataError:
        return False
    return True


def _is_rgba(image: Raster) -> bool:
    return image.shape[0] == 4 and len(image.rgb) == 4


def _squares(part: UInt8[np.ndarray, "3 h w"]) -> UInt8[np.ndarray, "n s s 3"]:
    """Return squares of a chunk, some a side."""
    sides = [size // _SQUARE_PX for size in part.shape[1:]]
    y, x = (np.unique(np.linspace(0, max(side - 1, 0), min(side, 12)).astype(np.int64)) for side in sides)
    whole = part[:, : sides[0] * _SQUARE_PX, : sides[1] * _SQUARE_PX]
    apart = whole.reshape(3, sides[0], _SQUARE_PX, sides[1], _SQUARE_PX)[:, y][:, :, :, x]
    return apart.transpose(1, 3, 2, 4, 0).reshape(-1, _SQUARE_PX, _SQUARE_PX, 3)

"""The H&E image of a store: which of its images may be one, and its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from prestige.compute.progress import Progress
from prestige.compute.threads import as_done
from prestige.data.slides.slide import MOST_HELD_BYTES, Held, checked_image, new_pixels
from prestige.data.stores.zarrs import Raster, element, level0, windows_of
from prestige.errors import DataError, reading
from prestige.inputs import files_below

Window = tuple[slice, slice]
_WHITE = 255
_LOOKED_AT = 64  # chunks


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
            checked_image((height, width, channels), raster.dtype, where=where)
    except DataError as error:
        return Picture(name, raster, error)
    return Picture(name, raster, None)


def write_image(store: Path, name: str, target: Path, *, on_white: bool = False) -> None:
    """Decode an image into a new slide file, each chunk once, on all cores.

    Parameters
    ----------
    store, name
        The store, and its element.
    target
        The file to make.
    on_white
        Whether chunks that are not on the disk become white; else they stay as zarr fills them.

    Raises
    ------
    DataError
        When it is cut off or not 8 bit RGB.
    """
    with element(store, name) as group:
        image = level0(group, f"{store}, {name}")
        channels, height, width = image.shape
        checked_image((height, width, channels), image.dtype, where=f"{store}, {name}")
        windows, rgb = windows_of(image), image.rgb
        lost = set(map(_corner, not_stored(store, name, image))) if on_white else set()
        with (
            new_pixels(target, height, width) as pixels,
            Progress(f"decoding {name}", len(windows)) as progress,
        ):

            def copy(window: Window) -> None:
                if _corner(window) in lost:
                    pixels[window] = _WHITE
                    return
                part = image[:, *window]
                pixels[window] = (part if rgb == [0, 1, 2] else part[rgb]).transpose(1, 2, 0)

            held = Held(MOST_HELD_BYTES)
            for _ in as_done(copy, windows):
                held.trim(pixels)
                progress.advance()


def not_stored(store: Path, name: str, image: Raster) -> list[Window]:
    """Return the windows of an image of which a chunk is not on the disk."""
    array: Any = image.array
    with reading(image.where):
        root = store / name / array.path
        there = {path.relative_to(root).as_posix() for path in files_below(root)}
        stored_as = array.shards or array.chunks
        n_depth = -(-image.shape[0] // stored_as[0])
        return [
            window
            for window in windows_of(image)
            if not all(
                array.metadata.encode_chunk_key(
                    (c, window[0].start // stored_as[1], window[1].start // stored_as[2])
                )
                in there
                for c in range(n_depth)
            )
        ]


def under(windows: list[Window], xy_px: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
    """Return which places lie in one of some windows."""
    out = np.zeros(len(xy_px), dtype=bool)
    x_px, y_px = np.rint(np.nan_to_num(xy_px, nan=-1.0)).T
    for y, x in windows:
        out |= (x_px >= x.start) & (x_px < x.stop) & (y_px >= y.start) & (y_px < y.stop)
    return out


def thumbnail(store: Path, name: str, most_px: int = 512) -> UInt8[np.ndarray, "h w 3"]:
    """Return an image roughly: one pixel in so many of a few chunks' rows, from the array of full resolution.

    Raises
    ------
    DataError
        When a chunk of it cannot be decoded.
    """
    with element(store, name, whole=False) as group:
        image = level0(group, f"{store}, {name}")
        windows = windows_of(image)
        lost = set(map(_corner, not_stored(store, name, image)))
        stored = [window for window in windows if _corner(window) not in lost]
        chosen = stored[:: -(-len(stored) // _LOOKED_AT)] if stored else []
        side = max(1, most_px // 8)
        parts = []
        for y, x in chosen:
            steps = (max(1, (y.stop - y.start) // side), max(1, (x.stop - x.start) // side))
            part = image[:, y, x][image.rgb]
            parts.append(part[:, :: steps[0], :: steps[1]].reshape(3, -1))
        seen = np.concatenate([np.zeros((3, 0), np.uint8), *parts], axis=1)
        return np.ascontiguousarray(seen.T[None])


def _corner(window: Window) -> tuple[int, int]:
    return window[0].start, window[1].start

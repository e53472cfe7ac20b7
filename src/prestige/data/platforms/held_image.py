"""An image that a table holds (``uns["spatial"][...]["images"]``), as scanpy and squidpy store it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from prestige.data.slides.alpha import on_white
from prestige.data.slides.images import Image
from prestige.data.slides.slide import checked_image
from prestige.errors import DataError, reading

EXPECTED = "an H&E image of a table: rows x columns x 3 or 4, 8 bit or numbers from 0 to 1"


class HeldImage(Image):
    """An image in memory, read from the table in a file.

    Parameters
    ----------
    path
        The file of the table.
    pixels
        What :func:`read_image` gave.
    notes
        What is to be said of it.
    """

    def __init__(
        self, path: Path, pixels: UInt8[np.ndarray, "height width 3"], notes: tuple[str, ...]
    ) -> None:
        self._path, self._pixels, self._notes = path, pixels, notes

    @property
    def path(self) -> Path:
        """The file of the table."""
        return self._path

    @property
    def height_px(self) -> int:
        """Number of rows of pixels."""
        return int(self._pixels.shape[0])

    @property
    def width_px(self) -> int:
        """Number of columns of pixels."""
        return int(self._pixels.shape[1])

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of it."""
        return self._notes

    def stated_um(self) -> dict[str, float]:
        """Return nothing: such an image does not state the width of a pixel."""
        return {}

    def _part(self, level: int, x: int, y: int, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
        return self._pixels[y : y + height, x : x + width]


def read_image(file: Any, name: str, *, where: str) -> UInt8[np.ndarray, "height width 3"]:
    """Return an image that an open table holds, as bytes; what is transparent is laid on white.

    Raises
    ------
    DataError
        When it is not there, or no such image.
    """
    with reading(where, part=f"the element '{name}'", expected=EXPECTED):
        element = file.get(name)
        shape = tuple(getattr(element, "shape", ()))
        kind = getattr(element, "dtype", np.dtype("V1"))
    if len(shape) != 3 or shape[2] not in (3, 4) or np.dtype(kind).kind not in "uf":
        raise DataError(
            f"the element '{name}' is no image" if shape else f"has no '{name}'",
            where=where,
            expected=EXPECTED,
            remedy="name an image file (image:)",
        )
    with reading(where, part=f"the element '{name}'", expected=EXPECTED):
        values = np.asarray(element[...])
    if values.dtype.kind == "f":
        inside = bool(np.isfinite(values).all()) and values.min(initial=0) >= 0 and values.max(initial=0) <= 1
        if not inside:
            raise DataError(
                f"'{name}' has values outside 0 to 1", where=where, expected=EXPECTED,
                remedy="name an image file (image:)",
            )  # fmt: skip
        values = np.rint(values * 255).astype(np.uint8)
    checked_image(values[..., :3].shape, values.dtype, where=f"{where}, {name}")
    return on_white(values) if shape[2] == 4 else values

"""The colours of an image by its own ICC profile, in sRGB: applied when asked, never by itself.

Encoders were trained on pixels as scanners store them, and most tools show them so.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from prestige.data.slides.images import Image, Level
from prestige.errors import DataError, of_library, reading

_EXPECTED = "an ICC profile of red, green and blue"


def in_srgb(image: Image) -> Image:
    """Return an image whose pixels are those of another, taken from its own profile to sRGB.

    The rendering intent is the one that the profile names.

    Raises
    ------
    DataError
        When it brings no profile, or one that is damaged or of other colours.
    """
    profile = image.icc_profile()
    if not profile:
        raise DataError(
            "brings no ICC profile",
            where=image.path,
            expected="the profile that icc: true is to apply",
            remedy="take the line icc: true away",
        )
    return _InSrgb(image, profile)


class _InSrgb(Image):
    """An image whose colours were converted; all else is that of the image itself."""

    def __init__(self, image: Image, profile: bytes) -> None:
        self._image, self._profile = image, profile
        self._own = threading.local()
        self._name, _ = self._made()

    @property
    def path(self) -> Path:
        return self._image.path

    @property
    def files(self) -> Mapping[str, Path]:
        return self._image.files

    @property
    def height_px(self) -> int:
        return self._image.height_px

    @property
    def width_px(self) -> int:
        return self._image.width_px

    @property
    def levels(self) -> tuple[Level, ...]:
        return self._image.levels

    @property
    def notes(self) -> tuple[str, ...]:
        return (
            *self._image.notes,
            f"the colours of {self.path.name} were taken to sRGB by its profile {self._name}",
        )

    def stated_um(self) -> dict[str, float]:
        return self._image.stated_um()

    def on_no_pixels(self, xy_px: Float[np.ndarray, "n 2"]) -> tuple[Int[np.ndarray, " m"], str]:
        return self._image.on_no_pixels(xy_px)

    def close(self) -> None:
        self._image.close()

    def _part(self, level: int, x: int, y: int, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
        from PIL import Image as Pillow
        from PIL import ImageCms

        if not hasattr(self._own, "transform"):
            self._own.transform = self._made()[1]
        part = Pillow.fromarray(self._image.read(level, x, y, width, height))
        with reading(self.path, part="its ICC profile", expected=_EXPECTED), of_library():
            return np.asarray(ImageCms.applyTransform(part, self._own.transform))

    def _made(self) -> tuple[str, Any]:
        """Return the name of the profile, and what applies it; each thread has one of its own."""
        from PIL import ImageCms

        with reading(self.path, part="its ICC profile", expected=_EXPECTED), of_library():
            own = ImageCms.ImageCmsProfile(io.BytesIO(self._profile))
            described: Any = own.profile
            if described.xcolor_space.strip() != "RGB":
                raise ValueError(f"is of {described.xcolor_space.strip()}")
            name = ImageCms.getProfileDescription(own).strip() or "without a name"
            intent = ImageCms.Intent(ImageCms.getDefaultIntent(own))
            target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
            return name, ImageCms.buildTransform(own, target, "RGB", "RGB", intent)

"""A TIFF as the image of a sample."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from prestige.data.slides.images import Image
from prestige.data.slides.pixel_size import tagged_um
from prestige.data.slides.tiff.pages import Level0, level0
from prestige.data.slides.tiff.tiles import notes_on_tiles, on_no_pixels, opened_tiff, write_slide


@dataclass(frozen=True)
class TiffImage(Image):
    """The slide in a TIFF; see :class:`prestige.data.slides.images.Image`."""

    level: Level0

    @classmethod
    def of(cls, path: Path) -> TiffImage:
        """Find the slide in a TIFF.

        Raises
        ------
        DataError
            When the file is damaged, or holds no one page that is an H&E slide.
        """
        return cls(level0(path))

    @property
    def path(self) -> Path:
        """The file."""
        return self.level.image

    @property
    def height_px(self) -> int:
        """Number of rows of pixels."""
        return self.level.page.height

    @property
    def width_px(self) -> int:
        """Number of columns of pixels."""
        return self.level.page.width

    @property
    def notes(self) -> tuple[str, ...]:
        """What was chosen in the file, and what in it was not obeyed or not stored."""
        with opened_tiff(self.path) as tiles:
            return (*notes_on_tiles(tiles), *self.level.notes())

    def stated_um(self) -> dict[str, float]:
        """Return the widths of a pixel that the file states, by what states them."""
        return tagged_um(self.level)

    def on_no_pixels(self, xy_px: Float[np.ndarray, "n 2"]) -> tuple[Int[np.ndarray, " m"], str]:
        """Return which places lie on tiles that are not stored, and how many of the tiles are not."""
        with opened_tiff(self.path) as tiles:
            words = f"{int((~tiles.stored).sum()):,} of {len(tiles):,} {tiles.level.segments} are not stored"
            return on_no_pixels(tiles, xy_px), words

    def write(self, target: Path) -> None:
        """Decode it into a new slide file."""
        write_slide(self.path, target)

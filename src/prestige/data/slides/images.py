"""The H&E image of a sample, whatever its format: one door for all readers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from jaxtyping import Float, Int
from numpy import ndarray

from prestige.inputs import plain_file

EXPECTED = "an H&E image: 8 bit RGB"


class Image(ABC):
    """The slide in an image file, found by what the file says of itself; nothing is decoded yet."""

    @property
    @abstractmethod
    def path(self) -> Path:
        """The file, or the folder of a format that is one."""

    @property
    @abstractmethod
    def height_px(self) -> int:
        """Number of rows of pixels of the largest level, in which all places are given."""

    @property
    @abstractmethod
    def width_px(self) -> int:
        """Number of columns of pixels of that level."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What was chosen in the file, and what in it was not obeyed or not stored, a sentence each."""

    @abstractmethod
    def stated_um(self) -> dict[str, float]:
        """Return the widths of a pixel in micrometres that the file states, by what states them.

        Raises
        ------
        DataError
            When it states pixels that are not square.
        """

    @abstractmethod
    def on_no_pixels(self, xy_px: Float[ndarray, "n 2"]) -> tuple[Int[ndarray, " m"], str]:
        """Return which places lie where the file stores no pixels, and how much of it is not stored."""

    @abstractmethod
    def write(self, target: Path) -> None:
        """Decode it into a new slide file.

        Raises
        ------
        DataError
            When it is damaged.
        """


def image_of(path: Path) -> Image:
    """Return the slide in an image file.

    Raises
    ------
    DataError
        When there is no such file, or no slide of 8 bit RGB in it.
    """
    from prestige.data.slides.tiff.image import TiffImage

    return TiffImage.of(plain_file(path, expected=EXPECTED))

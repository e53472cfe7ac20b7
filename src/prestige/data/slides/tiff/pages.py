"""Which page of a TIFF is the slide, and whether it can be read: one rule for every file.

The slide is the page with the most pixels, over all pages and SubIFDs, that does not call itself a label, a
macro photograph or a mask.  Whatever makes that a guess is refused: several such pages, a page that is
flagged as the smaller copy of another, a part that lies in another file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from prestige.data.slides.orientation import check_orientation
from prestige.data.slides.tiff import directories as tags
from prestige.data.slides.tiff.checks import (
    APERIO_RGB,
    APERIO_YCBCR,
    JPEG,
    RGB,
    STORED,
    WEBP,
    YCBCR,
    check_colours,
    check_layout,
)
from prestige.data.slides.tiff.directories import WHOLE, Directory, read_directories
from prestige.data.slides.tiff.ome import check_in_one_file, sizes_beside
from prestige.data.slides.tiff.planes import colours_of, named_after
from prestige.errors import DataError

_REDUCED, _MASK = 1, 4
_BESIDE = re.compile(r"\W*(label|macro|thumbnail|overview|probability|mask)([\s_-]*(image|photo))?\b", re.I)
_APERIO_BESIDE = re.compile(r"^(label|macro)\b", re.I | re.M)
_QPI_BESIDE = re.compile(r"<ImageType>\s*(Thumbnail|Overview|Label)\s*</ImageType>")
_LONGEST_NAME, _LONGEST_HEAD = 60, 1024


@dataclass(frozen=True)
class Level0:
    """The page of a TIFF that is the slide, and how its pixels are stored.

    Parameters
    ----------
    page
        What it says of itself.
    pages
        All pages of the file.
    image
        The file.
    planes
        The pages of red, green and blue, where each has one of its own; ``page`` is the first of them.
    """

    page: Directory
    pages: Sequence[Directory]
    image: Path
    planes: tuple[Directory, ...] = ()

    @property
    def samples(self) -> int:
        """Numbers a pixel: three colours, or four with how opaque it is."""
        return len(self.planes) or self.page.samples

    @property
    def alpha(self) -> int:
        """What the fourth number is: 0 no alpha, 1 one by which the colours were multiplied, 2 one apart."""
        extra = self.page.number(tags.EXTRA_SAMPLES)
        return extra if self.page.samples == 4 and extra in (1, 2) else 0

    @property
    def segment_px(self) -> tuple[int, int]:
        """Rows and columns of a tile, or of a strip."""
        if self.page.is_tiled:
            return self.page.number(tags.TILE_LENGTH), self.page.number(tags.TILE_WIDTH)
        rows = self.page.number(tags.ROWS_PER_STRIP, self.page.height)
        return min(rows, self.page.height), self.page.width

    @property
    def segments(self) -> str:
        """The word for its parts."""
        return "tiles" if self.page.is_tiled else "strips"

    @property
    def n_planes(self) -> int:
        """How many tiles cover each place: 3 where every colour has its own."""
        return self.samples if self.planes or self.page.number(tags.PLANAR, 1) == 2 else 1

    @property
    def is_ycbcr(self) -> bool:
        """Whether it says that its numbers are luma and two differences of colour."""
        if self.compression in (APERIO_RGB, *WEBP):
            return False
        return self.compression == APERIO_YCBCR or self.page.number(tags.PHOTOMETRIC, -1) == YCBCR

    @property
    def compression(self) -> int:
        """The number of its compression."""
        return self.page.number(tags.COMPRESSION, STORED)

    @property
    def is_jpeg(self) -> bool:
        """Whether its tiles are JPEG, whose colours its decoder converts."""
        return self.compression in JPEG

    @property
    def is_converted(self) -> bool:
        """Whether its colours are to be converted here, its decoder not doing so."""
        return self.is_ycbcr and not self.is_jpeg

    @property
    def is_read_anew(self) -> bool:
        """Whether version 2 of the reader read it otherwise: another page, or other colours."""
        return self.page.place != (0,) or self.is_converted

    def notes(self) -> list[str]:
        """Say what was chosen among the pages of the file and what was not obeyed."""
        notes = []
        larger = sizes_beside(self.pages[0].texts.get(tags.DESCRIPTION, ""), self.image)
        larger = {size for size in larger if size[0] * size[1] > self.page.width * self.page.height}
        of_what = " that is no label or macro image" if larger else ""
        if self.page.place != (0,):
            first = self.pages[0]
            notes.append(
                f"{self.page.name} of {self.image.name} ({self.page.width} x {self.page.height} px), the "
                f"largest{of_what}, was read; page 1 has {first.width} x {first.height} px"
            )
        elif larger:
            notes.append(
                f"{self.page.name} of {self.image.name} was read: larger ones are label or macro images, or "
                "do not state the width of a pixel"
            )
        if self.planes:
            names = ", ".join(page.name for page in self.planes)
            notes.append(f"{names} of {self.image.name} were taken as red, green and blue")
        elif self.page.number(tags.PHOTOMETRIC, -1) == 1:
            notes.append(
                f"the three channels of {self.image.name} are tagged MinIsBlack (grey): they were taken as "
                "red, green and blue"
            )
        return notes


def level0(image: Path) -> Level0:
    """Find the slide in a TIFF by what its pages say, without decoding anything.

    Raises
    ------
    DataError
        When the file is damaged, when no page or several could be the slide, or when it is not 8 bit RGB.
    """
    pages = read_directories(image)
    chosen = _chosen(pages, image)
    found = Level0(chosen[0], pages, image, chosen if len(chosen) > 1 else ())
    check_in_one_file(pages[0].texts.get(tags.DESCRIPTION, ""), found.page.width, found.page.height, image)
    check_orientation(found.page.number(tags.ORIENTATION, 1), image)
    check_colours(found)
    for page in chosen:
        check_layout(replace(found, page=page, planes=()))
    return found


def smaller(level: Level0) -> list[Level0]:
    """Return the smaller copies of the slide that its file says it holds, the largest first.

    A page counts where it is flagged as smaller, lies below the slide's page, or is one of a vendor whose
    pyramids need no flag, and where it has the form of the slide.  Those that cannot be read are left out.
    """
    found: dict[tuple[int, int], Level0] = {}
    for page in level.pages:
        below = [_below(page, level, number) for number in range(len(level.planes))]
        if level.planes and page is not below[0]:
            continue
        one = Level0(page, level.pages, level.image, tuple(one for one in below if one is not None))
        if _is_copy(one, level) and (one.page.height, one.page.width) not in found:
            found[one.page.height, one.page.width] = one
    return sorted(found.values(), key=lambda one: -one.page.height * one.page.width)


def _below(page: Directory, level: Level0, number: int) -> Directory | None:
    """Return the page that lies below a plane of the slide as ``page`` does below its first."""
    own = level.planes[0].place
    place = (*level.planes[number].place, *page.place[len(own) :])
    is_below = len(page.place) > len(own) and page.place[: len(own)] == own
    return next((one for one in level.pages if is_below and one.place == place), None)


def _is_copy(one: Level0, level: Level0) -> bool:
    page, slide = one.page, level.page
    if not 0 < page.width < slide.width or not 0 < page.height < slide.height or _is_beside(page):
        return False
    below = page.place[: len(slide.place)] == slide.place
    text = page.texts.get(tags.DESCRIPTION, "")
    vendors = tags.SOURCE_LENS in page.numbers or (text.startswith("Aperio") and page.is_tiled)
    across, down = slide.width / page.width, slide.height / page.height
    alike = abs(across / down - 1) < 0.01 + 1 / min(page.width, page.height)
    if not (alike and (below or vendors or _flags(page) & _REDUCED)) or one.samples != level.samples:
        return False
    try:
        check_colours(one)
        for plane in one.planes or (page,):
            check_layout(replace(one, page=plane, planes=()))
    except DataError:
        return False
    return len(one.planes) == len(level.planes)


def _chosen(pages: Sequence[Directory], image: Path) -> tuple[Directory, ...]:
    """Return the page that is the slide, or the three pages that are."""
    with_pixels = [page for page in pages if page.width > 0 and page.height > 0]
    if not with_pixels:
        raise DataError("the image is empty (no page has pixels)", where=image, expected=WHOLE)
    beside = sizes_beside(pages[0].texts.get(tags.DESCRIPTION, ""), image)
    slides = [
        page for page in with_pixels if not _is_beside(page) and (page.width, page.height) not in beside
    ] or with_pixels
    if pages[0].is_tiled and pages[0].texts.get(tags.DESCRIPTION, "").startswith("Aperio"):
        slides = [page for page in slides if page.is_tiled] or slides  # its thumbnail is a strip
    most = max(page.width * page.height for page in slides)
    largest = [page for page in slides if page.width * page.height == most]
    coloured = [page for page in largest if page.samples > 1] or largest
    if len(coloured) > 1:
        planes = colours_of(coloured, pages, image)
        if planes is None:
            raise _several(coloured, pages, image)
        return planes
    page = coloured[0]
    if _flags(page) & _REDUCED and not all(_flags(other) & _REDUCED for other in slides):
        raise DataError(
            f"{page.name} ({page.width} x {page.height} px) has the most pixels and is flagged as a "
            "smaller copy of another",
            where=image,
            expected="the slide as the largest page",
            remedy="save the slide as a TIFF of its own",
        )
    return (page,)


def _flags(page: Directory) -> int:
    """Return the bits of NewSubfileType; those of the older SubfileType where there is no other."""
    if tags.SUBFILE not in page.numbers:
        return {2: _REDUCED}.get(page.number(tags.OLD_SUBFILE), 0)
    return page.number(tags.SUBFILE)


def _is_beside(page: Directory) -> bool:
    """Whether a page says that it is a label, a macro photograph or a mask beside the slide."""
    if _flags(page) & _MASK or page.number(tags.PHOTOMETRIC, -1) == 4:
        return True
    if tags.SOURCE_LENS in page.numbers and page.numbers[tags.SOURCE_LENS][0] < 0:
        return True  # of Hamamatsu: -1 the macro photograph, -2 a map
    text = page.texts.get(tags.DESCRIPTION, "")
    if text.startswith("Aperio"):
        return bool(_APERIO_BESIDE.search(text))
    if "PerkinElmer-QPI" in text[:_LONGEST_HEAD]:
        return bool(_QPI_BESIDE.search(text))
    said = (text, page.texts.get(tags.PAGE_NAME, ""))
    return any(len(name) <= _LONGEST_NAME and _BESIDE.match(name) for name in said)


def _several(pages: Sequence[Directory], everything: Sequence[Directory], image: Path) -> DataError:
    size = f"{pages[0].width} x {pages[0].height} px"
    if all(page.samples == 1 for page in pages):
        number = {2: "two", 3: "three"}.get(len(pages), f"{len(pages):,}")
        named = named_after(everything, pages[0], image)
        return DataError(
            f"the image lies in {number} pages of one channel ({size} each{named})",
            where=image,
            expected=RGB,
            remedy="save red, green and blue as one page of three channels",
        )
    names = ", ".join(page.name for page in pages[:3]) + (", ..." if len(pages) > 3 else "")
    return DataError(
        f"{len(pages):,} pages have the most pixels, {size} ({names}): focal planes, or several images",
        where=image,
        expected="one page that is the slide",
        remedy="save that page as a TIFF of its own",
    )

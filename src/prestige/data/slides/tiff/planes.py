"""Three pages of one channel that are the red, green and blue of one image: by what the file says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from prestige.data.slides.tiff import directories as tags
from prestige.data.slides.tiff.directories import Directory
from prestige.data.slides.tiff.ome import named, pixels_of
from prestige.errors import one_line, reading

_COLOURS = (("red", "green", "blue"), ("r", "g", "b"))
_NO_NAME = re.compile(r"(channel|c|ch)?[\s:_-]*[\d:\s]*", re.I)
_LONGEST_NAME = 30
_IMAGEJ = re.compile(r"^(channels|slices|frames)=(\d+)\s*$", re.M)


def colours_of(
    largest: Sequence[Directory], pages: Sequence[Directory], image: Path
) -> tuple[Directory, ...] | None:
    """Return the pages of red, green and blue; None where the file does not say that its largest are these.

    OME-XML says it by an image of three channels that are called so, or not called at all; ImageJ by three
    channels of one plane.

    Raises
    ------
    DataError
        When the OME-XML cannot be read.
    """
    if len(largest) != 3 or any(page.samples != 1 for page in largest):
        return None
    text = pages[0].texts.get(tags.DESCRIPTION, "")
    found = _of_ome(text, largest, image)
    if found is None and text.startswith("ImageJ="):
        sizes = {key: int(value[:9]) for key, value in _IMAGEJ.findall(text)}
        one = sizes.get("channels") == 3 and sizes.get("slices", 1) == sizes.get("frames", 1) == 1
        return tuple(largest) if one else None
    return found


def _of_ome(text: str, largest: Sequence[Directory], image: Path) -> tuple[Directory, ...] | None:
    for pixels in pixels_of(text, largest[0].width, largest[0].height, image):
        if tuple(pixels.get(f"Size{axis}", "1") for axis in "CZT") != ("3", "1", "1"):
            continue
        names = _names(pixels)
        order = next((rgb for rgb in _COLOURS if sorted(names) == sorted(rgb)), None)
        if order is None and any(not _NO_NAME.fullmatch(name) for name in names):
            continue
        with reading(image, part="the pages that its OME-XML names"):
            by_channel = _pages_by_channel(pixels, largest)
        places = [names.index(name) for name in order] if order else [0, 1, 2]
        return tuple(by_channel[place] for place in places)
    return None


def _names(pixels: Element) -> list[str]:
    return [(one.get("Name") or "").strip().lower() for one in named(pixels, "Channel")]


def _pages_by_channel(pixels: Element, largest: Sequence[Directory]) -> list[Directory]:
    """Return the page of each channel: by the IFDs that the OME-XML gives, else in order."""
    parts = [one for one in named(pixels, "TiffData") if one.get("IFD") is not None]
    if len(parts) != 3:
        return list(largest)
    by_channel = {int(one.get("FirstC", "0")): (int(one.get("IFD", "0")),) for one in parts}
    by_place = {page.place: page for page in largest}
    return [by_place[by_channel[channel]] for channel in range(3)]


def named_after(pages: Sequence[Directory], page: Directory, image: Path) -> str:
    """Return ", called DAPI, ..." where the OME-XML names the channels of an image; else nothing.

    Raises
    ------
    DataError
        When the OME-XML cannot be read.
    """
    text = pages[0].texts.get(tags.DESCRIPTION, "")
    for pixels in pixels_of(text, page.width, page.height, image):
        names = [one.get("Name") or "" for one in named(pixels, "Channel")]
        if any(names):
            return f", called {', '.join(one_line(name, _LONGEST_NAME) for name in names[:3])}"
    return ""

"""What the OME-XML in a TIFF says: whether the image lies in this file alone, and the size of its pixels.

Source of the names: the OME schema 2016-06 (www.openmicroscopy.org/Schemas/OME/2016-06).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

from prestige.data.columns.units import um_of
from prestige.data.slides.beside import slides_among
from prestige.errors import DataError, reading


def sizes_beside(text: str, image: Path) -> set[tuple[int, int]]:
    """Return widths and heights of the images that OME-XML lists beside the slide, and of none other.

    Raises
    ------
    DataError
        When the OME-XML cannot be read.
    """
    root, _ = _images(text, 0, 0, image)
    listed = [
        (_size_of(pixels), one.get("Name") or "", _stated(pixels) is not None)
        for one in (() if root is None else named(root, "Image"))
        for pixels in named(one, "Pixels")
    ]
    return {size for size, _, _ in listed} - slides_among(listed)


def _size_of(pixels: Element) -> tuple[int, int]:
    width, height = (_number(pixels.get(f"Size{axis}")) or 0 for axis in "XY")
    return int(width), int(height)


def _images(text: str, width: int, height: int, image: Path) -> tuple[Element | None, list[Element]]:
    """Return the root of the OME-XML and the ``Pixels`` of a size; nothing where there is no such text."""
    head = text[:4096]
    if "<OME" not in head and ":OME" not in head:
        return None, []
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DataError("its OME-XML defines entities", where=image, expected="plain OME-XML")
    with reading(image, part="its OME-XML"):
        root = fromstring(text.encode())
    size = (str(width), str(height))
    found = [one for one in named(root, "Pixels") if (one.get("SizeX"), one.get("SizeY")) == size]
    return root, found


def pixels_of(text: str, width: int, height: int, image: Path) -> list[Element]:
    """Return the ``Pixels`` of a size in OME-XML; none where there is no such text.

    Raises
    ------
    DataError
        When the OME-XML cannot be read.
    """
    return _images(text, width, height, image)[1]


def named(parent: Element, name: str) -> Iterator[Element]:
    """Go over all elements of a name below one, in whichever namespace."""
    return (one for one in parent.iter() if isinstance(one.tag, str) and one.tag.rpartition("}")[2] == name)


def check_in_one_file(text: str, width: int, height: int, image: Path) -> None:
    """Refuse an image of which a part lies in another file.

    Raises
    ------
    DataError
        Also when the OME-XML cannot be read.
    """
    root, pixels = _images(text, width, height, image)
    if root is None or not pixels:
        return
    own = root.get("UUID")
    is_set = len({uuid.text for uuid in named(root, "UUID")}) > 1

    def is_apart(uuid: Element) -> bool:
        if own is not None:
            return (uuid.text or own).strip() != own
        return is_set and uuid.get("FileName", image.name) != image.name

    apart = [[uuid for uuid in named(one, "UUID") if is_apart(uuid)] for one in pixels]
    if not all(apart):
        return
    raise DataError(
        f"a part of the image lies in another file ({apart[0][0].get('FileName') or 'of the same set'})",
        where=image,
        expected="the whole image in one file",
        remedy="save the H&E image as one TIFF",
    )


def stated_um(text: str, width: int, height: int, image: Path) -> tuple[float, float] | None:
    """Return the width and height of a pixel in micrometres that the OME-XML states; None where it does not.

    Raises
    ------
    DataError
        When the OME-XML cannot be read.
    """
    found = (_stated(one) for one in _images(text, width, height, image)[1])
    return next((size for size in found if size is not None), None)


def _stated(pixels: Element) -> tuple[float, float] | None:
    sizes = []
    for axis in "XY":
        factor = um_of(pixels.get(f"PhysicalSize{axis}Unit", "um"))
        value = _number(pixels.get(f"PhysicalSize{axis}"))
        if factor is not None and value is not None:
            sizes.append(factor * value)
    return (sizes[0], sizes[1]) if len(sizes) == 2 else None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None

"""An OME-Zarr (0.4, 0.5) as the image of a sample, through the one checked door to zarr stores."""

from __future__ import annotations

import re
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from prestige.data.columns.units import um_of
from prestige.data.slides.alpha import on_white
from prestige.data.slides.beside import slides_among
from prestige.data.slides.images import WHITE, Image, Level, blocks_of
from prestige.data.slides.pixel_size import square_um
from prestige.data.slides.slide import checked_image
from prestige.data.stores.on_disk import StoredChunks, stored_chunks
from prestige.data.stores.pyramids import WHOLE, Pyramid, pyramid_of
from prestige.data.stores.zarrs import group_of
from prestige.errors import AGAIN, DataError, reading

_LEAST_BLOCK_PX = 1024
_MOST_IMAGES = 256
_NUMBER = re.compile(r"\d{1,4}")


@dataclass(frozen=True, eq=False)
class ZarrImage(Image):
    """The slide in an OME-Zarr; see :class:`prestige.data.slides.images.Image`."""

    folder: Path
    pyramid: Pyramid
    name: str
    beside: int
    stored_of: tuple[StoredChunks, ...]

    @classmethod
    def of(cls, folder: Path) -> ZarrImage:
        """Find the slide in an OME-Zarr: the largest image of 8 bit RGB.

        Raises
        ------
        DataError
            When the store is damaged, or holds no such image, or several of the same size.
        """
        names = _images_in(folder)
        found: dict[str, Pyramid] = {}
        faults: list[DataError] = []
        for name in names:
            where = f"{folder}, {name}" if name else str(folder)
            try:
                with group_of(folder / name, where, within=folder) as group:
                    found[name] = _checked(pyramid_of(group, where))
            except DataError as error:
                faults.append(error)
        if not found:
            raise faults[0]
        slides = slides_among([(name, one.name, _has_widths(one)) for name, one in found.items()])
        sizes = {name: one.shape_px[0] * one.shape_px[1] for name, one in found.items() if name in slides}
        most = max(sizes.values())
        largest = [name for name, size in sizes.items() if size == most]
        if len(largest) > 1:
            raise DataError(
                f"{len(largest)} images have the most pixels: {', '.join(largest[:3])}",
                where=folder,
                expected="one image that is the slide",
                remedy=f"name the one that is meant ({folder.name}/{largest[0]})",
            )
        taken, stored = _stored(found[largest[0]], folder / largest[0])
        return cls(folder, taken, largest[0], len(names) - 1, stored)

    @property
    def path(self) -> Path:
        """The folder of the store."""
        return self.folder

    @property
    def stored(self) -> StoredChunks:
        """Which chunks of the largest level are on the disk."""
        return self.stored_of[0]

    @property
    def height_px(self) -> int:
        """Number of rows of pixels."""
        return self.pyramid.shape_px[0]

    @property
    def width_px(self) -> int:
        """Number of columns of pixels."""
        return self.pyramid.shape_px[1]

    @property
    def levels(self) -> tuple[Level, ...]:
        """Its levels; how much smaller each is follows from its shape, whatever its scale says."""
        size = self.height_px, self.width_px
        return tuple(
            Level(height, width, (size[0] / height + size[1] / width) / 2)
            for height, width in self.pyramid.sizes_px
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Which image was chosen, and which chunks are not stored."""
        notes = []
        if self.beside:
            size = f"{self.width_px} x {self.height_px} px"
            notes.append(
                f"image {self.name} of {self.folder.name} ({size}) was read, the largest that is no label or "
                f"macro image; {self.beside} lie beside it"
            )
        if self.stored.lost:
            notes.append(
                f"{self._missing()} of {self.folder.name} are not stored: they were filled with white"
            )
        return tuple(notes)

    def stated_um(self) -> dict[str, float]:
        """Return the width of a pixel by the scale of its largest level, where that has a unit of length."""
        sides = []
        for axis in "xy":
            um, scale = um_of(self.pyramid.units.get(axis)), self.pyramid.scales.get(axis)
            if um is None or scale is None:
                return {}
            sides.append(um * scale)
        return square_um([("scale", sides[0], sides[1])], self.folder)

    def on_no_pixels(self, xy_px: Float[np.ndarray, "n 2"]) -> tuple[Int[np.ndarray, " m"], str]:
        """Return which places lie on chunks that are not stored, and how many of the chunks are not."""
        words = f"{self._missing()} are not stored" if self.stored.lost else ""
        return np.flatnonzero(self.stored.under(xy_px)), words

    def _missing(self) -> str:
        return f"{self.stored.lost:,} of {self.stored.there.size:,} chunks"

    def _part(self, level: int, x: int, y: int, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
        at = slice(y, y + height), slice(x, x + width)
        stored = self.stored_of[level]
        if not stored.of(*at).any():
            # zarr would look for each of its chunks.
            return np.full((height, width, 3), WHITE, dtype=np.uint8)
        out = self.pyramid.read(level, *at)
        if out.shape[2] == 4:
            out = on_white(out)
        return np.ascontiguousarray(stored.on_white(out, *at))

    def _blocks(self) -> list[tuple[int, int, int, int]]:
        rows, columns = (side * -(-_LEAST_BLOCK_PX // side) for side in self.pyramid.file_px)
        return blocks_of(self.height_px, self.width_px, rows, columns)


def _has_widths(pyramid: Pyramid) -> bool:
    return all(um_of(pyramid.units.get(axis)) is not None and axis in pyramid.scales for axis in "xy")


def _images_in(folder: Path) -> list[str]:
    """Return the names of the images of a store, "" for one that is an image itself.

    Raises
    ------
    DataError
        When it is a store of another kind, or lists no image.
    """
    with group_of(folder, str(folder)) as group, ExitStack() as stack:
        stack.enter_context(reading(folder, expected=WHOLE))
        attributes = group.attrs.asdict()
        said = attributes.get("ome", attributes)
        is_image = isinstance(said.get("multiscales"), list)
        is_other = "plate" in said or "spatialdata_attrs" in attributes or (folder / "images").is_dir()
        listed = group["OME"].attrs.asdict() if "OME" in group else {}
        series = listed.get("ome", listed).get("series")
        names = [str(name) for name in series] if isinstance(series, list) else []
        names = names or sorted((name for name in group if _NUMBER.fullmatch(name)), key=int)
    if is_image:
        return [""]
    if is_other or not names:
        images = sorted(f"images/{one.name}" for one in (folder / "images").glob("*") if one.is_dir())
        raise DataError(
            "is a plate of many images" if "plate" in said else "is a store, and no image",
            where=folder,
            expected=WHOLE,
            remedy=f"name the image in it ({', '.join(images[:3])})" if images else "name the image in it",
        )
    if len(names) > _MOST_IMAGES or any(".." in name or name.startswith("/") for name in names):
        raise DataError(f"lists {len(names):,} images", where=folder, expected=WHOLE, remedy=AGAIN)
    return names


def _stored(pyramid: Pyramid, folder: Path) -> tuple[Pyramid, tuple[StoredChunks, ...]]:
    """Return an image with which of its chunks are stored, without smaller levels that lost more than it.

    Raises
    ------
    DataError
        When its largest level declares far more than is stored, or a shard of it is cut off.
    """
    first, *smaller = pyramid.arrays
    arrays, stored = [first], [stored_chunks(first, folder, pyramid.axes, pyramid.where)]
    for array in smaller:
        with suppress(DataError):
            chunks = stored_chunks(array, folder, pyramid.axes, pyramid.where)
            if stored[0].lost or not chunks.lost:
                arrays.append(array)
                stored.append(chunks)
    return replace(pyramid, arrays=tuple(arrays)), tuple(stored)


def _checked(pyramid: Pyramid) -> Pyramid:
    """Return an image that is one plane of 8 bit RGB.

    Raises
    ------
    DataError
        When it is not.
    """
    for axis, words in (("z", "focal planes"), ("t", "points in time")):
        if (number := pyramid.size(axis)) > 1:
            raise DataError(
                f"the image has {number:,} {words}",
                where=pyramid.where,
                expected="one plane of RGB",
                remedy="save the H&E image as one plane",
            )
    channels = 3 if pyramid.is_rgba else pyramid.size("c")
    checked_image((*pyramid.shape_px, channels), pyramid.arrays[0].dtype, where=pyramid.where)
    return pyramid

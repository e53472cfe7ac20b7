"""The image of an export: the full-resolution one that dataset.yaml names, else a picture of its folder.

The image that Space Ranger was given is not in its output; ``tissue_hires_image.png`` is it, made smaller.
Which part of the slide a picture shows is known by its scale factor alone, so that is checked: pictures that
somebody cropped or exchanged match neither each other nor the places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from prestige.data.platforms.space_ranger.folder import HIRES, LOWRES, Folder
from prestige.data.platforms.space_ranger.scales import Scales
from prestige.data.slides.images import Image, image_of
from prestige.data.stores.frames import resized
from prestige.errors import DataError, PrestigeError, raise_all
from prestige.text import format_number

_SLACK_PX = 2.0  # of the smaller picture, by which its size may differ: both sides are rounded
_SHARP_UM = 1.0  # per pixel; beyond it nuclei are a few pixels wide
_NARROW_PX = 32
_FACTORS = "scalefactors_json.json with tissue_hires_scalef and tissue_lowres_scalef"
_OF_RUN = "copy that file from spatial/ of the output of Space Ranger"
_GIVEN = "the image that was given to Space Ranger (--image, --cytaimage)"


@dataclass(frozen=True)
class Picture:
    """The image that is taken.

    Attributes
    ----------
    image
        The image.
    scale
        Its width by that of the full-resolution image, of which places state pixels.
    notes
        What is to be said of the choice.
    """

    image: Image
    scale: float
    notes: tuple[str, ...] = ()

    def xy_px(
        self, full_px: Float[np.ndarray, "n 2"], ids: Sequence[object] | pd.Index, *, where: str
    ) -> Float[np.ndarray, "n 2"]:
        """Return places in pixels of the image.

        Parameters
        ----------
        full_px, ids
            x and y in pixels of the full-resolution image, and the names of the observations.
        where
            The sample, for messages.

        Raises
        ------
        DataError
            When some lie outside of it.
        """
        xy_px = resized(full_px, self.scale)
        size = np.array([self.image.width_px, self.image.height_px])
        outside = np.asarray(((xy_px < -0.5) | (xy_px > size - 0.5)).any(axis=1))
        if outside.any():
            x, y = (f"{axis.min():,.0f} to {axis.max():,.0f}" for axis in xy_px.T)
            rows = np.flatnonzero(outside)
            names = ", ".join([*(str(ids[row]) for row in rows[:3]), *(["..."] if len(rows) > 3 else [])])
            raise DataError(
                f"the image has {size[0]:,} x {size[1]:,} px, and observations lie at x {x}, y {y}: "
                f"{len(rows):,} of {len(outside):,} are outside ({names})",
                where=self.image.path,
                expected="an image that shows the whole section, at the size that the scale factors state",
                remedy=f"it is a crop or of another section: name {_GIVEN} as image: of {where}",
            )
        return xy_px


def named_picture(path: Path, folder: Folder, scales: Scales) -> Picture:
    """Return the full-resolution image that dataset.yaml names, checked against the pictures of the folder.

    Raises
    ------
    DataError
        When it is no H&E image, or not of the size that the folder's pictures say.
    """
    image = image_of(path)
    full = _full_sizes(folder, scales)
    if not full:
        return Picture(
            image, 1.0, ("the folder holds no picture by which the size of the image could be checked",)
        )
    name, (width, height), factor = full[0]
    within = _SLACK_PX / factor
    if max(abs(image.width_px - width), abs(image.height_px - height)) <= within:
        return Picture(image, 1.0)
    raise DataError(
        f"the image has {image.width_px:,} x {image.height_px:,} px, and {name} with its scale factor says "
        f"{width:,.0f} x {height:,.0f}",
        where=path,
        expected=_GIVEN,
        remedy=_remedy(image, folder, width, height, within),
    )


def _remedy(image: Image, folder: Folder, width: float, height: float, within: float) -> str:
    for name in (HIRES, LOWRES):
        picture = _picture(folder, name)
        if picture and (picture.width_px, picture.height_px) == (image.width_px, image.height_px):
            return f"it is as large as {name}: take the line image: away, then that is read as what it is"
    if max(abs(image.width_px - height), abs(image.height_px - width)) <= within:
        return "width and height are exchanged: turn it as it was when Space Ranger was given it"
    ratios = image.width_px / width, image.height_px / height
    if abs(ratios[0] / ratios[1] - 1) < 0.01:
        return f"it is {format_number(ratios[0])} times as large: export it at full resolution"
    return "it is of another section, or a crop: name the image that was given"


def picture_in(
    folder: Folder,
    scales: Scales,
    *,
    places: tuple[pd.Index, Float[np.ndarray, "n 2"]] | None = None,
    where: str = "",
) -> Picture:
    """Return the picture of a folder that is read where no image is named: hires, else lowres.

    Parameters
    ----------
    places
        Names, and x and y in full-resolution pixels, of what has to lie in it, where that is known already.
    where
        The sample, for messages.

    Raises
    ------
    DataError
        When there is none, none is H&E, or they do not match their scale factors.
    """
    _check_alike(folder, _full_sizes(folder, scales))
    faults: list[PrestigeError] = []
    for name, factor in ((HIRES, scales.hires), (LOWRES, scales.lowres)):
        path = folder.find([name], packed=False)
        if path is None:
            continue
        try:
            if factor is None:
                raise DataError(
                    f"states no scale factor of {name}", where=folder.root, expected=_FACTORS, remedy=_OF_RUN
                )
            picture = Picture(image_of(path), factor)
            if places is not None:
                picture.xy_px(places[1], places[0], where=where)
            _check_light(picture.image)
        except PrestigeError as error:
            faults.append(error)
            continue
        told = [f"{one.what} ({Path(one.where or name).name})" for one in faults]
        passed = (f"{'; '.join(told)}: {name} was taken in its place",) if told else ()
        notes = (f"no full-resolution image is named (image:): {name} was taken", *passed)
        return replace(picture, notes=notes)
    raise_all(faults)
    packed = folder.find([HIRES, LOWRES])
    unpacked = f"unpack '{packed.name}' there, or " if packed else ""
    raise DataError(
        f"has no picture, neither {HIRES} nor {LOWRES}",
        where=folder.root,
        expected="an H&E image",
        remedy=f"{unpacked}name {_GIVEN} as image: of the sample",
    )


def notes_on(picture: Picture, stated_um: Sequence[tuple[str, float]]) -> tuple[str, ...]:
    """Say how a picture was chosen and, where it is a coarse one, which patch widths it serves.

    Parameters
    ----------
    stated_um
        Who states the width of its pixels, and the width in micrometres, the one that is taken first.
    """
    um = stated_um[0][1] if stated_um else 0.0
    if um <= _SHARP_UM:
        return picture.notes
    width = format_number(_NARROW_PX * um)
    return (
        *picture.notes,
        f"{format_number(um)} um/px: patches of {_NARROW_PX} px are {width} um wide; below that the network "
        "sees blur",
    )


def _check_light(image: Image) -> None:
    """Refuse a picture of fluorescence, which is small and decoded whole.

    Raises
    ------
    DataError
        When it is dark.
    """
    from prestige.data.slides.brightfield import check_brightfield

    check_brightfield(image.read(0, 0, 0, image.width_px, image.height_px), where=image.path)
    image.close()


def _picture(folder: Folder, name: str) -> Image | None:
    path = folder.find([name], packed=False)
    if path is None:
        return None
    try:
        return image_of(path)
    except PrestigeError:
        return None


def _full_sizes(folder: Folder, scales: Scales) -> list[tuple[str, tuple[float, float], float]]:
    """Return the size of the full-resolution image by each picture: name, (width, height), scale factor."""
    out = []
    for name, factor in ((HIRES, scales.hires), (LOWRES, scales.lowres)):
        image = _picture(folder, name) if factor is not None else None
        if image is not None and factor is not None:
            out.append((name, (image.width_px / factor, image.height_px / factor), factor))
    return out


def _check_alike(folder: Folder, full: list[tuple[str, tuple[float, float], float]]) -> None:
    if len(full) < 2:
        return
    sizes, others = full[0][1], full[1][1]
    if max(abs(a - b) for a, b in zip(sizes, others, strict=True)) > _SLACK_PX / full[1][2]:
        told = " and ".join(f"{size[0]:,.0f} x {size[1]:,.0f} px ({name})" for name, size, _ in full)
        raise DataError(
            f"its pictures are of images of {told}, by their scale factors",
            where=folder.root,
            expected="two sizes of one image",
            remedy=f"copy spatial/ again, or name {_GIVEN} as image: of the sample",
        )

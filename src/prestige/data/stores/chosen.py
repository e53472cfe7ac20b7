"""Which elements of a store make a sample: those that are named, else the only ones possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from prestige.data.stores.annotations import Annotation, annotation_of
from prestige.data.stores.frames import checked_square, through
from prestige.data.stores.images import Picture, is_bright, picture, stored_in
from prestige.data.stores.on_disk import StoredChunks
from prestige.data.stores.shapes import shape_frames
from prestige.data.stores.zarrs import LABEL_AXES, OLD_TABLE, Raster, element, elements_of, level0
from prestige.errors import DataError, PrestigeError, nearest, raise_all
from prestige.text import some

Frames = dict[str, Float[np.ndarray, "3 3"]]


@dataclass(frozen=True)
class Named:
    """Names of elements as dataset.yaml gives them, with or without their folders; None where it does not."""

    table: str | None = None
    region: str | None = None
    image: str | None = None
    system: str | None = None


@dataclass(frozen=True, eq=False)
class Chosen:
    """The elements of a sample, with their folders.

    Parameters
    ----------
    image, table, region
        ``images/HE``, ``tables/table`` (None where the store has none) and ``shapes/cells``.
    raster
        The image's array of full resolution.
    link
        What the table says of its link to the region.
    system, matrix
        The coordinate system through which the region comes to the image, and the matrix from the region's
        coordinates to the image's, in which the first pixel reaches from 0 to 1.
    notes
        What was chosen among several.
    stored
        Which chunks of the image are on the disk.
    """

    image: str
    raster: Raster
    table: str | None
    link: Annotation
    region: str
    system: str
    matrix: Float[np.ndarray, "3 3"]
    notes: tuple[str, ...]
    stored: StoredChunks

    @property
    def region_name(self) -> str:
        """The region as tables name it."""
        return _bare(self.region)

    def stated_um(self) -> list[tuple[str, float]]:
        """Return the widths of the image's pixel by its transformations into systems in micrometres."""
        raster = self.raster
        return [
            (f"its transformation into '{name}'", checked_square(raster.frames[name], name, raster.where))
            for name in raster.in_um
        ]


def choose_table(store: Path, named: Named) -> tuple[str | None, Annotation, tuple[str, ...]]:
    """Return the table of a store, None where it has none, what it says it describes, and notes.

    Raises
    ------
    DataError
        When there is none of that name, or several are possible.
    """
    elements = elements_of(store)
    tables = [name for name in elements if name.startswith("tables/") or name == OLD_TABLE]
    notes: tuple[str, ...] = ()
    if named.table is not None:
        table = _find(store, tables, named.table, "table")
    elif not tables:
        return None, Annotation((), None, None), ()
    elif len(tables) == 1:
        table = tables[0]
    else:
        known = {_bare(name) for name in elements}
        links = {name: _annotation(store, name) for name in tables}
        possible = [name for name in tables if set(links[name].regions) & known]
        if len(possible) != 1:
            words = [
                f"{_bare(name)} (of {', '.join(link.regions) or 'nothing'})" for name, link in links.items()
            ]
            raise _several(store, "tables", words, "table")
        table = possible[0]
        notes = (
            f"{table} was taken, the only one of {len(tables)} tables that describes a region of the store",
        )
    if table == OLD_TABLE:
        notes = (*notes, "an old store: its table lies in 'table', where today's spatialdata does not look")
    return table, _annotation(store, table), notes


def choose(store: Path, named: Named, table: str | None, link: Annotation) -> Chosen:
    """Return the elements of a sample, given its table.

    Raises
    ------
    DataError
        For each of image and region: none of that name, none that can be one, or several; and when they share
        no coordinate system.
    """
    faults: list[PrestigeError] = []
    pictures: list[Picture] = []
    regions: list[str] = []
    try:
        pictures = _pictures(store, named.image)
    except PrestigeError as error:
        faults.extend(error.faults)
    try:
        regions = _regions(store, named.region, link, table)
    except PrestigeError as error:
        faults.extend(error.faults)
    raise_all(faults)
    placed = {name: _region_frames(store, name) for name in regions}
    pairs = [(one, name) for one in pictures for name in regions if _share(one, placed[name])]
    pairs = pairs or [(one, name) for one in pictures for name in regions]
    if len({one.name for one, _ in pairs}) > 1:
        pairs = [pair for pair in pairs if is_bright(store, pair[0].name)] or pairs
    images = list({one.name: one for one, _ in pairs}.values())
    if len(images) > 1:
        raise _several(store, "images that may be H&E", [_bare(one.name) for one in images], "image_element")
    own = [name for _, name in pairs]
    if len(own) > 1:
        raise _several(store, "regions", [_bare(name) for name in own], "region")
    (image, region), notes = pairs[0], []
    raster = image.raster
    assert raster is not None
    where = f"{store}, {region}"
    system, matrix = through(
        placed[region], raster.frames, system=named.system, size_px=raster.size_px, where=where
    )
    checked_square(raster.frames[system], system, raster.where)
    there = [name for name in elements_of(store) if name.startswith("images/")]
    if named.image is None and len(there) > 1:
        notes.append(f"{image.name} was taken, the only one of {len(there)} images that may be its H&E image")
    if named.region is None and len(link.regions) > 1:
        notes.append(f"the rows of {_bare(region)} were taken: it lies on {_bare(image.name)}")
    stored = stored_in(store, image.name, raster)
    return Chosen(image.name, raster, table, link, region, system, matrix, tuple(notes), stored)


def _annotation(store: Path, name: str) -> Annotation:
    with element(store, name, whole=False) as group:
        return annotation_of(group, f"{store}, {name}")


def _share(image: Picture, placed: Frames) -> bool:
    return image.raster is not None and not set(image.raster.frames).isdisjoint(placed)


def _pictures(store: Path, named: str | None) -> list[Picture]:
    """Return the images that may be the H&E image."""
    names = [name for name in elements_of(store) if name.startswith("images/")]
    if named is not None:
        one = picture(store, _find(store, names, named, "image"))
        if one.why_not is not None:
            raise one.why_not
        _check_square(one)
        return [one]
    every = [picture(store, name) for name in names]
    possible = [one for one in every if one.why_not is None]
    if not possible:
        damaged = [one.why_not for one in every if one.raster is None and one.why_not is not None]
        raise_all(damaged)
        raise DataError(
            f"no H&E image: its images are {', '.join(str(one) for one in every)}" if every else "no image",
            where=store,
            expected="an H&E image, 3 channels of uint8, in images",
            remedy="write it into the store with the transformation that aligns it (fluorescence is not H&E)",
        )
    if len(possible) == 1:
        _check_square(possible[0])
    return possible


def _check_square(image: Picture) -> None:
    """Refuse an image whose pixels are square in none of its coordinate systems."""
    assert image.raster is not None
    faults: list[PrestigeError] = []
    for name, matrix in image.raster.frames.items():
        try:
            checked_square(matrix, name, image.raster.where)
        except DataError as error:
            faults.append(error)
    if len(faults) == len(image.raster.frames):
        raise_all(faults[:1])


def _regions(store: Path, named: str | None, link: Annotation, table: str | None) -> list[str]:
    """Return what may be the region: what the table describes, else all shapes and labels."""
    elements = elements_of(store)
    there = [name for name in elements if name.startswith(("shapes/", "labels/", "points/"))]
    described = [name for name in there if _bare(name) in link.regions]
    if link.regions and not described:
        near = nearest(link.regions[0], [_bare(name) for name in there])
        raise DataError(
            f"describes {some(link.regions)}, which the store does not hold",
            where=f"{store}, {table}",
            expected=f"one of {', '.join(map(_bare, there))}" if there else "shapes or labels in the store",
            remedy=f"did you mean '{near}'? mend the table's region"
            if near
            else "write the whole store again",
        )
    if named is not None:
        found = [_find(store, described or there, named, "region")]
    else:
        found = described or [name for name in there if not name.startswith("points/")]
    kept = [name for name in found if not name.startswith("points/")]
    if not kept:
        raise DataError(
            f"{', '.join(found)} are points, which have no shape: molecules, say"
            if found
            else "no shapes and no labels",
            where=store,
            expected="shapes or labels of the cells, spots or bins",
            remedy="a store of the challenge is read by source: challenge"
            if "images/HE_nuc_original" in elements
            else "name another region, or write circles or labels of them into the store",
        )
    return kept


def _region_frames(store: Path, name: str) -> Frames:
    if name.startswith("shapes/"):
        return shape_frames(store, name)
    with element(store, name, whole=False) as group:
        return level0(group, f"{store}, {name}", LABEL_AXES).frames


def _find(store: Path, there: Sequence[str], name: str, what: str) -> str:
    """Return the element of a name, which may be given without its folder."""
    for one in there:
        if name in (one, _bare(one)):
            return one
    bare = [_bare(one) for one in there]
    near = nearest(_bare(name), bare)
    raise DataError(
        f"no {what} '{name}'",
        where=store,
        expected=f"one of {', '.join(bare)}" if bare else f"a {what} in the store",
        remedy=f"did you mean '{near}'?" if near else None,
    )


def _several(store: Path, what: str, names: Sequence[str], key: str) -> DataError:
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return DataError(
        f"{len(names)} {what}: {shown}",
        where=store,
        expected="one, or its name",
        remedy=f"write {key}: with one of them in dataset.yaml",
    )


def _bare(name: str) -> str:
    return name.rpartition("/")[2]

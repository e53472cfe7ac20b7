"""Elements of a SpatialData store, in both on-disk formats, opened one by one and refused where cut off.

This is the one place of the package that opens a zarr store to read it.
"""

from __future__ import annotations

import math
import os
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from prestige.data.stores.frames import frames, systems_in_um
from prestige.data.stores.metadata import WHOLE
from prestige.errors import AGAIN, DataError, nearest, reading
from prestige.inputs import files_below, plain_folder, real_path

OLD_TABLE = "table/table"
IMAGE_AXES, LABEL_AXES = ("c", "y", "x"), ("y", "x")
Window = tuple[slice, slice]
_KINDS = ("images", "labels", "points", "shapes", "tables")
_MOST_LEVELS = 64
_COLOURS = ({"r": 0, "g": 1, "b": 2}, {"red": 0, "green": 1, "blue": 2})
_SHOWN = {"FF0000": "r", "00FF00": "g", "0000FF": "b"}


def elements_of(store: Path) -> list[str]:
    """Return all elements of a store, with their folders: ``images/HE``, ``tables/table``; sorted.

    The oldest stores keep their one table as ``table/table``.

    Raises
    ------
    DataError
        When there is no store, or nothing in it that a SpatialData store holds.
    """
    _check_store(store)
    found = _elements(store)
    if (store / OLD_TABLE).is_dir():
        found.append(OLD_TABLE)
    if not found:
        check_elements(store, ("images",))
    return found


def check_elements(
    store: Path, elements: tuple[str, ...], without: str | None = None, expected: str = WHOLE
) -> None:
    """Refuse a store that lacks one of the elements, naming those missing and the nearest one there.

    Parameters
    ----------
    store
        The folder of the store.
    elements
        What it should hold.
    without
        What is true of a store that lacks the last of them alone, if that is worth a word.
    expected
        What the store should be, for messages.

    Raises
    ------
    DataError
        Also when there is no store at all, and for links that lead out of an element.
    """
    _check_store(store, expected)
    missing = [name for name in elements if not (store / name).is_dir()]
    without = without if missing == [elements[-1]] else None
    if missing:
        there = [name for name in _elements(store) if name not in elements]
        near = nearest(missing[0], there)
        inner = [path.name for path in sorted(store.iterdir()) if _elements(path)]
        remedy = f"did you mean '{near}'?" if near else without or AGAIN
        if not there and inner:
            remedy = f"did you mean the store '{inner[0]}' in it?"
        elif not there and any(_elements(folder) for folder in list(real_path(store).parents)[:2]):
            remedy = "name the folder of the whole store, not one inside it"
        elif not there:
            remedy = _of_other_kind(store) or remedy
        raise DataError(f"missing: {', '.join(missing)}", where=store, expected=expected, remedy=remedy)
    for name in elements:
        files_below(store / name, within=_within(store, name))


def _of_other_kind(store: Path) -> str | None:
    """Say how a store in zarr is named that is a table or an image alone; None for all else."""
    if (store / "obs").is_dir() and (store / "var").is_dir():
        return "it is a table of anndata: write source: anndata, with the image beside it"
    for name in ("zarr.json", ".zattrs"):
        if (store / name).is_file():
            with reading(store / name), (store / name).open("rb") as file:
                said = file.read(1 << 20)
            if b'"multiscales"' in said or b'"bioformats2raw.layout"' in said:
                return (
                    "it is an image of OME-Zarr alone: write source: slide, or name it as image: of a table"
                )
    return None


def _elements(store: Path) -> list[str]:
    """Return what a folder holds as images, labels, tables, ..."""
    if not store.is_dir():
        return []
    kinds = [kind for kind in store.iterdir() if kind.name in _KINDS]
    return sorted(
        f"{kind.name}/{item.name}"
        for kind in kinds
        if kind.is_dir()
        for item in kind.iterdir()
        if item.is_dir()
    )


def other_elements(store: Path, name: str) -> list[str]:
    """Return the names of what a store holds beside one element, without their folders."""
    return [other.partition("/")[2] for other in _elements(store) if other != name]


def _check_store(store: Path, expected: str = WHOLE) -> None:
    """Refuse what is no folder, saying what is there in its place: an archive of the store, say.

    Raises
    ------
    DataError
        Of one line.
    """
    beside = (store, store.with_name(f"{store.name}.zip"))
    packed = [path for path in beside if path.is_file()] if not store.is_dir() else []
    if packed and zipfile.is_zipfile(packed[0]):
        with reading(packed[0], expected=WHOLE), zipfile.ZipFile(packed[0]) as archive:
            first = {name.partition("/")[0] for name in archive.namelist()}
        own = len(first) == 1 and not first & {*_KINDS, "zarr.json"}
        folder = packed[0].with_suffix("") if packed[0].suffix == ".zip" else Path(f"{packed[0]}.unpacked")
        target, made = (packed[0].parent, packed[0].parent / first.pop()) if own else (folder, folder)
        raise DataError(
            "is a zip archive",
            where=packed[0],
            expected="the store as a folder",
            remedy=f"unpack it (unzip '{packed[0]}' -d '{target}') and write path: {made}",
        )
    plain_folder(store, expected=expected, remedy="check path: in dataset.yaml", called="store")


def _within(store: Path, name: str) -> tuple[Path, ...]:
    """Return the folders that links in an element may lead to: the store's, and its own if it is a link."""
    return (Path(os.path.realpath(store)), Path(os.path.realpath(store / name)))


@contextmanager
def element(store: Path, name: str, *, whole: bool = True) -> Iterator[Any]:
    """Give a zarr group of the store, all of whose arrays are of codecs and sizes that are read.

    Parameters
    ----------
    store
        The folder of the store.
    name
        ``images/HE_original``, ``tables/anucleus``, ...
    whole
        Whether its arrays are read at once; False where they are read chunk by chunk.

    Raises
    ------
    DataError
        When it is absent or broken, or names what is not on the lists.
    """
    where = f"{store}, {name}"
    with _group(store / name, where, _within(store, name), whole=whole) as group:
        yield group


@contextmanager
def group_of(folder: Path, where: str, *, within: Path | None = None) -> Iterator[Any]:
    """Give the zarr group in a folder, whose arrays are read chunk by chunk.

    Parameters
    ----------
    within
        The store that it lies in, which links in it may lead to; by default it is one itself.

    Raises
    ------
    DataError
        When it is absent or broken, or names what is not on the lists.
    """
    real = [Path(os.path.realpath(one)) for one in (folder, within or folder)]
    if not folder.is_dir() or not str(real[0]).startswith(str(real[1])):
        raise DataError("is not there", where=where, expected="a folder of the store", remedy=AGAIN)
    with _group(folder, where, tuple(real), whole=False) as group:
        yield group


@contextmanager
def _group(folder: Path, where: str, within: tuple[Path, ...], *, whole: bool) -> Iterator[Any]:
    import zarr

    from prestige.data.stores.checked_store import CheckedStore  # needs zarr

    with warnings.catch_warnings():  # zarr's words on what it leaves aside
        warnings.filterwarnings("ignore", category=UserWarning)
        with reading(where, expected=WHOLE):
            checked = CheckedStore(folder, where, within=within, whole=whole)
            group = _opened(zarr, checked, folder, where)
        yield group


def _opened(zarr: Any, checked: Any, folder: Path, where: str) -> Any:
    if not any((folder / name).is_file() for name in ("zarr.json", ".zgroup")):
        old = (folder / "meta").is_file() or (folder / ".zattrs").is_file() or (folder / "attrs").is_file()
        raise DataError(
            "has no metadata of a zarr group (zarr.json or .zgroup)",
            where=where,
            expected=WHOLE,
            remedy=f"{AGAIN}, or write it again with a zarr of format 2 or 3" if old else AGAIN,
        )
    return zarr.open_group(checked, mode="r", use_consolidated=False)


@dataclass(frozen=True, eq=False)
class Raster:
    """The array of full resolution of an image (c, y, x) or of labels (y, x).

    Parameters
    ----------
    array
        What zarr opened.
    where
        The element, for messages.
    frames
        Matrices from its pixels into the coordinate systems that it names.
    channels
        What its channels are called.
    in_um
        Those of the systems that are in micrometres.
    """

    array: Any
    where: str
    frames: dict[str, Float[np.ndarray, "3 3"]]
    channels: tuple[str, ...]
    in_um: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of c, y and x, or of y and x."""
        return self.array.shape

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.shape[-1], self.shape[-2]

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self.array.dtype

    def __getitem__(self, at: Any) -> np.ndarray:
        """Read a part.

        Raises
        ------
        DataError
            When a chunk of it cannot be decoded.
        """
        with reading(self.where, expected=WHOLE):
            return np.asarray(self.array[at])

    @property
    def rgb(self) -> list[int]:
        """Return which channels are red, green and blue: by their names, else the first three in order."""
        return list(colour_order(self.channels, 3))


def colour_order(channels: Sequence[str], number: int) -> tuple[int, ...]:
    """Return which channels are red, green and blue (and alpha): by their names, else in order.

    Parameters
    ----------
    channels
        What they are called, as far as that is known.
    number
        How many there are.
    """
    names = [name.lower() for name in channels]
    for colours in _COLOURS:
        for wanted in (list(colours), [*colours, "a"], [*colours, "alpha"]):
            if sorted(names) == sorted(wanted):
                return tuple(names.index(colour) for colour in wanted)
    return (0, 1, 2) if number == 3 else tuple(range(min(number, 3)))


def level0(group: Any, where: str, axes: tuple[str, ...] = IMAGE_AXES) -> Raster:
    """Return the array of full resolution, the largest one listed, whose axes have these names.

    Raises
    ------
    DataError
        When the group says nothing of scales, has other axes, or its largest level is not there.
    """
    with reading(where, expected=WHOLE):
        attributes = group.attrs.asdict()
        of_image = attributes.get("ome", attributes)
        listed = of_image.get("multiscales")
        scales = listed[0] if listed else None
    if not scales:
        raise DataError(
            "says nothing of its scales ('multiscales')", where=where, expected=WHOLE, remedy=AGAIN
        )
    with reading(where, expected=WHOLE):
        named = tuple(str(axis["name"]) if isinstance(axis, dict) else str(axis) for axis in scales["axes"])
        array = _largest(group, scales["datasets"])
        dimensions = array.ndim
        channels = channel_names(of_image, attributes)
    if named != axes or dimensions != len(axes):
        kind = "an image" if axes == IMAGE_AXES else "labels"
        raise DataError(
            f"has the axes {', '.join(named)}",
            where=where,
            expected=f"{kind} with the axes {', '.join(axes)}",
            remedy="write it with these axes",
        )
    with reading(where, expected=WHOLE):
        return Raster(array, where, frames(scales, axes, where), channels, systems_in_um(scales))


def _largest(group: Any, datasets: list[dict[str, Any]]) -> Any:
    """Return the level with the most pixels: they stand in any order, the largest first by custom.

    Raises
    ------
    KeyError
        When it is not there, as far as the levels say how wide their pixels are.
    """
    there, missing = [], []
    for number, dataset in enumerate(datasets[:_MOST_LEVELS]):
        if (path := dataset["path"]) in group:
            there.append((group[path], _width(dataset)))
        else:
            missing.append((number, _width(dataset)))
    array, width = max(there, key=lambda level: math.prod(level[0].shape[-2:]), default=(None, None))
    for number, lost in missing:
        finer = number == 0 if width is None or lost is None else lost < width
        if array is None or finer:
            raise KeyError("the level of full resolution is not there")
    if array is None:
        raise KeyError("no level is there")
    return array


def _width(dataset: dict[str, Any]) -> float | None:
    """Return how wide the pixels of a level are; None where it does not say."""
    for one in dataset.get("coordinateTransformations") or []:
        if one.get("type") == "scale":
            return float(one["scale"][-1])
    return None


def channel_names(of_image: dict[str, Any], attributes: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of channels, as OME or, before it, spatialdata writes them.

    Where none is called after a colour, those that are shown as red, green and blue are called so.
    """
    for holder in (of_image.get("omero"), attributes.get("omero"), attributes.get("channels_metadata")):
        if isinstance(holder, dict) and isinstance(holder.get("channels"), list):
            channels = [one if isinstance(one, dict) else {} for one in holder["channels"]]
            names = tuple(str(one.get("label", "")) for one in channels)
            if any(name.lower() in colours for name in names for colours in _COLOURS):
                return names
            shown = [_SHOWN.get(str(one.get("color")).upper(), "") for one in channels]
            return tuple(shown) if sorted(shown) == sorted(_COLOURS[0]) else names
    return ()


def windows_of(array: Any) -> list[Window]:
    """Return the files of an image or of labels, all that are declared, as windows in y and x."""
    (*_, height, width), (*_, rows, columns) = array.shape, array.shards or array.chunks
    return [
        (slice(y, min(y + rows, height)), slice(x, min(x + columns, width)))
        for y in range(0, height, rows)
        for x in range(0, width, columns)
    ]

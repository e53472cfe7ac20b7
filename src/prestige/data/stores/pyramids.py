"""The levels of an OME-Zarr image: axes by their names, sizes by their shapes.

Source of the layout: the OME-NGFF specifications 0.4 and 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from prestige.data.stores.zarrs import channel_names, colour_order
from prestige.errors import AGAIN, DataError, reading

WHOLE = "an OME-Zarr image (0.4 or 0.5)"
_MOST_LEVELS = 64
_AXES = {"t", "c", "z", "y", "x"}
_SQUARE_WITHIN = 0.01


@dataclass(frozen=True, eq=False)
class Pyramid:
    """An image in several sizes.

    Parameters
    ----------
    arrays
        What zarr opened, the largest first.
    axes
        The names of their axes, in order.
    where
        The image, for messages.
    rgb
        Which channels are red, green and blue (and how opaque the pixel is).
    name
        What the image is called, "" for nothing.
    units, scales
        Axis -> unit of length, and width of a pixel of the largest level in it, as far as they are stated.
    """

    arrays: tuple[Any, ...]
    axes: tuple[str, ...]
    where: str
    rgb: tuple[int, ...]
    name: str
    units: dict[str, str]
    scales: dict[str, float]

    def size(self, axis: str) -> int:
        """Return the size of an axis of the largest level; 1 where there is none of that name."""
        return int(self.arrays[0].shape[self.axes.index(axis)]) if axis in self.axes else 1

    @property
    def is_rgba(self) -> bool:
        """Whether a fourth channel says how opaque pixels are."""
        return len(self.rgb) == 4

    @property
    def shape_px(self) -> tuple[int, int]:
        """Rows and columns of pixels of the largest level."""
        return self.size("y"), self.size("x")

    @property
    def sizes_px(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of pixels of each level, the largest first."""
        y, x = self.axes.index("y"), self.axes.index("x")
        return tuple((int(array.shape[y]), int(array.shape[x])) for array in self.arrays)

    @property
    def file_px(self) -> tuple[int, int]:
        """Rows and columns of what one file of the largest level holds: a chunk, or a shard."""
        sizes = self.arrays[0].shards or self.arrays[0].chunks
        return int(sizes[self.axes.index("y")]), int(sizes[self.axes.index("x")])

    def read(self, level: int, rows: slice, columns: slice) -> np.ndarray:
        """Return a part of a level: (rows, columns, colours).

        Raises
        ------
        DataError
            When a chunk of it cannot be decoded.
        """
        at = tuple({"y": rows, "x": columns, "c": slice(None)}.get(axis, 0) for axis in self.axes)
        with reading(self.where, expected=WHOLE):
            part = np.asarray(self.arrays[level][at])
        left = [axis for axis in self.axes if axis in "cyx"]
        part = part.transpose([left.index(axis) for axis in "yxc"])
        return part if self.rgb == (0, 1, 2) == tuple(range(part.shape[2])) else part[..., list(self.rgb)]


def pyramid_of(group: Any, where: str) -> Pyramid:
    """Return the levels of an image.

    Raises
    ------
    DataError
        When its metadata say nothing of its levels, name other axes, or the largest level is not there.
    """
    with reading(where, expected=WHOLE):
        attributes = group.attrs.asdict()
        said = attributes.get("ome", attributes)
        scales = said["multiscales"][0]
        axes = tuple(str(one["name"]) if isinstance(one, dict) else str(one) for one in scales["axes"])
        name = str(scales.get("name") or "")
        units = {
            one["name"]: str(one["unit"])
            for one in scales["axes"]
            if isinstance(one, dict) and one.get("unit")
        }
        datasets = {str(one["path"]): one for one in scales["datasets"][:_MOST_LEVELS]}
        there = {path: group[path] for path in datasets if path in group}
    if not {"c", "y", "x"} <= set(axes) <= _AXES or len(set(axes)) != len(axes):
        raise DataError(f"has the axes {', '.join(axes)}", where=where, expected="the axes t, c, z, y, x")
    if next(iter(datasets), None) not in there:
        raise DataError("its largest level is not there", where=where, expected=WHOLE, remedy=AGAIN)
    if any(len(array.shape) != len(axes) for array in there.values()):
        raise DataError("has levels with other axes than it says", where=where, expected=WHOLE, remedy=AGAIN)
    y, x = axes.index("y"), axes.index("x")
    order = sorted(there, key=lambda path: -there[path].shape[y] * there[path].shape[x])
    largest = there[order[0]]
    arrays = (largest, *(there[path] for path in order[1:] if _is_level(there[path], largest, y, x)))
    channels = int(largest.shape[axes.index("c")])
    with reading(where, expected=WHOLE):
        rgb = colour_order(channel_names(said, attributes), channels)
        widths = _scale(datasets[order[0]], scales, len(axes))
    known = {} if widths is None else dict(zip(axes, widths, strict=True))
    return Pyramid(arrays, axes, where, rgb, name, units, known)


def _is_level(array: Any, largest: Any, y: int, x: int) -> bool:
    """Whether an array shows the same as the largest one: of its type, and smaller by one factor."""
    if array.dtype != largest.dtype or 0 in array.shape or array.ndim != largest.ndim:
        return False
    others = all(array.shape[axis] == largest.shape[axis] for axis in range(array.ndim) if axis not in (y, x))
    down, across = (largest.shape[axis] / array.shape[axis] for axis in (y, x))
    rounded = 1 / min(array.shape[y], array.shape[x])
    return others and across > 1 and abs(down / across - 1) < _SQUARE_WITHIN + rounded


def _scale(dataset: dict[str, Any], scales: dict[str, Any], n_axes: int) -> list[float] | None:
    """Return how wide pixels of a level are along each axis: its own scale, times that of all levels."""
    found = None
    for holder in (dataset, scales):
        for one in holder.get("coordinateTransformations") or []:
            if one.get("type") == "scale":
                values = [float(value) for value in one["scale"]]
                if len(values) != n_axes:
                    raise ValueError(f"a scale of {len(values)} numbers for {n_axes} axes")
                found = values if found is None else [a * b for a, b in zip(found, values, strict=True)]
    return found

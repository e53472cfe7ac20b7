"""Where an image of a SpatialData store lies: its transformations into named coordinate systems.

An image lists one for each system, as OME-NGFF and spatialdata write them: ``identity``, ``scale``,
``translation``, ``affine``, ``rotation``, ``mapAxis`` and ``sequence`` of these.  Two images belong to each
other through a system that both name.  In these systems the first pixel reaches from 0 to 1; in this package
its centre is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from prestige.data.columns.units import is_um
from prestige.errors import DataError, nearest

GLOBAL = "global"
"""The system that spatialdata puts everything into unless told otherwise."""

_SAME_PX = 0.01
_SAME_PLACE_PX = 0.5
_SQUARE_WITHIN = 0.02  # an alignment stretches a section by a few thousandths
_DEEPEST = 8
_REMEDY = "write the transformation as an affine one, or give the labels in the pixels of the image"


def frames(scales: Mapping[str, Any], axes: Sequence[str], where: str) -> dict[str, Float[np.ndarray, "3 3"]]:
    """Return the matrix into each coordinate system that an image names, on (x, y, 1).

    Parameters
    ----------
    scales
        One entry of ``multiscales``.
    axes
        Names of the image's axes.
    where
        The element, for the message.

    Raises
    ------
    DataError
        For a transformation that is none in the plane of the image, or of a kind that is not read.
    """
    out = {}
    for one in scales.get("coordinateTransformations") or []:
        output = one.get("output") if isinstance(one, dict) else None
        name = output.get("name") if isinstance(output, dict) else output
        matrix = _matrix(one, tuple(axes), where)[0]
        out[str(name or GLOBAL)] = matrix
    return out


def systems_in_um(scales: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the coordinate systems of an element that are in micrometres, by their unit or their name."""
    found = []
    for one in scales.get("coordinateTransformations") or []:
        output = one.get("output") if isinstance(one, dict) else None
        system = output if isinstance(output, dict) else {"name": output}
        units = [axis.get("unit") for axis in system.get("axes") or [] if isinstance(axis, dict)]
        name = str(system.get("name") or GLOBAL)
        if any(map(is_um, (name, *units))):
            found.append(name)
    return tuple(found)


def widths(matrix: Float[np.ndarray, "3 3"]) -> tuple[float, float]:
    """Return how wide and how high a pixel is after a matrix: the shorter and the longer side it can have."""
    longer, shorter = np.linalg.svd(matrix[:2, :2], compute_uv=False).tolist()
    return shorter, longer


def checked_square(matrix: Float[np.ndarray, "3 3"], system: str, where: str) -> float:
    """Return the width of an image's pixel in a system.

    Raises
    ------
    DataError
        When it is flat there, or its pixels are not square.
    """
    shorter, longer = widths(matrix)
    if longer * (1 - _SQUARE_WITHIN) > shorter:
        sides = np.linalg.norm(matrix[:2, :2], axis=0).tolist()
        raise DataError(
            f"its pixels are not square: {sides[0]:.4g} wide and {sides[1]:.4g} high in '{system}'",
            where=where,
            expected="square pixels",
            remedy="resample the image to square pixels, or mend its transformation",
        )
    return float(np.sqrt(shorter * longer))


def through(
    element: Mapping[str, Float[np.ndarray, "3 3"]],
    image: Mapping[str, Float[np.ndarray, "3 3"]],
    *,
    system: str | None,
    size_px: tuple[int, int],
    where: str,
) -> tuple[str, Float[np.ndarray, "3 3"]]:
    """Return the system through which an element comes to an image, and the matrix to the image's pixels.

    Parameters
    ----------
    element, image
        The matrices of both into the systems that they name.
    system
        The one to take; None where only one is possible: all that both name say the same.
    size_px
        Width and height of the image.
    where
        The element, for messages.

    Raises
    ------
    DataError
        When they share no system, when several say different things and none is named, and when the image is
        flat or its pixels are not square.
    """
    shared = [name for name in element if name in image]
    if system is not None and system not in shared:
        near = nearest(system, shared)
        raise DataError(
            f"the coordinate system '{system}' is not one that it and the image both name",
            where=where,
            expected=f"one of {', '.join(shared)}" if shared else "a coordinate system that both name",
            remedy=f"did you mean '{near}'? (coordinate_system: in dataset.yaml)" if near else _REMEDY,
        )
    if not shared:
        between(element or {"no coordinate system": np.eye(3)}, image or {"none": np.eye(3)}, where)
    if system is not None:
        shared = [system]
    shared.sort(key=lambda name: (name != GLOBAL, name))
    matrices = {name: between({name: element[name]}, {name: image[name]}, where) for name in shared}
    first = matrices[shared[0]]
    corners = (
        np.linalg.pinv(first) @ np.array([[0, 0, 1], [size_px[0], 0, 1], [0, size_px[1], 1], [*size_px, 1]]).T
    )
    apart = [
        name
        for name, matrix in matrices.items()
        if not np.abs((matrix - first) @ corners).max() <= _SAME_PLACE_PX
    ]
    if apart:
        raise DataError(
            f"lies otherwise on the image by '{apart[0]}' than by '{shared[0]}'",
            where=where,
            expected="one way from it to the image",
            remedy=f"write coordinate_system: with one of {', '.join(shared)} in dataset.yaml",
        )
    return shared[0], first


def between(
    labels: Mapping[str, Float[np.ndarray, "3 3"]], image: Mapping[str, Float[np.ndarray, "3 3"]], where: str
) -> Float[np.ndarray, "3 3"]:
    """Return the matrix from the pixels of the labels to those of the image, in coordinates of a system.

    Raises
    ------
    DataError
        When they share no system, or the image's is flat.
    """
    if not labels or not image:
        return np.eye(3)
    shared = [name for name in labels if name in image]
    if not shared:
        raise DataError(
            f"lies in {', '.join(labels)}, the image in {', '.join(image)}",
            where=where,
            expected="a coordinate system that both name",
            remedy="set the transformation of one of them to a system of the other",
        )
    system = GLOBAL if GLOBAL in shared else sorted(shared)[0]
    if abs(np.linalg.det(image[system])) < 1e-12:
        raise DataError(f"the image is flat in '{system}'", where=where, remedy=_REMEDY)
    return np.asarray(np.linalg.solve(image[system], labels[system]))


def moves(matrix: Float[np.ndarray, "3 3"], width_px: int, height_px: int) -> bool:
    """Return whether a matrix moves any pixel of an image by more than a hundredth of a pixel."""
    corners = np.array([[0, 0, 1], [width_px, 0, 1], [0, height_px, 1], [width_px, height_px, 1]]).T
    return bool(np.abs((matrix - np.eye(3)) @ corners).max() > _SAME_PX)


def moved(xy_px: Float[np.ndarray, "n 2"], matrix: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "n 2"]:
    """Return centres of pixels, whole in both images, after a matrix between their systems."""
    return (xy_px + 0.5) @ matrix[:2, :2].T + matrix[:2, 2] - 0.5


def resized(xy_px: Float[np.ndarray, "n 2"], factor: float) -> Float[np.ndarray, "n 2"]:
    """Return centres of pixels, whole in both images, on the same image made larger or smaller.

    Examples
    --------
    >>> resized(np.array([[4.5, 0.5]]), 0.5)  # between the pixels 4 and 5, which become pixel 2
    array([[2., 0.]])
    """
    return xy_px if factor == 1 else (xy_px + 0.5) * factor - 0.5


def _matrix(
    one: Any, axes: tuple[str, ...], where: str, depth: int = 0
) -> tuple[Float[np.ndarray, "3 3"], tuple[str, ...]]:
    """Return a transformation in the plane as a matrix on (x, y, 1), and the axes that it gives."""
    kind = one.get("type") if isinstance(one, dict) else None
    axes = _axes(one, "input", axes)
    if depth > _DEEPEST or kind not in _KINDS:
        raise _fault(f"a transformation of the kind {kind!r}", where, f"one of {', '.join(_KINDS)}")
    if kind == "sequence":
        total = np.eye(3)
        for part in one["transformations"]:
            matrix, axes = _matrix(part, axes, where, depth + 1)
            total = matrix @ total
        return total, axes
    given = _axes(one, "output", axes)
    full = _KINDS[kind](one, axes, given)
    if full.shape != (len(given), len(axes) + 1) or not np.isfinite(full).all():
        raise _fault(f"a {kind} of {full.shape[0]} axes", where, f"one of {', '.join(given)}")
    return _in_plane(full, axes, given, where), given


def _axes(one: Any, side: str, axes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the axes on one side of a transformation, by default those before it."""
    system = one.get(side) if isinstance(one, dict) else None
    named = system.get("axes") if isinstance(system, dict) else None
    return tuple(str(axis["name"]) for axis in named) if named else axes


def _in_plane(
    full: Float[np.ndarray, "o i"], axes: tuple[str, ...], given: tuple[str, ...], where: str
) -> Float[np.ndarray, "3 3"]:
    """Take x and y out of a matrix: a row for each axis given, a column for each axis, one for the shift."""
    if not {"x", "y"} <= set(axes) & set(given):
        raise _fault(f"a transformation of {', '.join(axes)} to {', '.join(given)}", where, "x and y in both")
    rows, columns = [given.index(name) for name in "xy"], [axes.index(name) for name in "xy"]
    others = [number for number in range(len(axes)) if number not in columns]
    if full[rows][:, others].any():
        raise _fault("a transformation that mixes channels into places", where, "x and y of x and y")
    out = np.eye(3)
    out[:2, :2] = full[np.ix_(rows, columns)]
    out[:2, 2] = full[rows, -1]
    return out


def _scale(one: Mapping[str, Any], axes: tuple[str, ...], given: tuple[str, ...]) -> Float[np.ndarray, "o i"]:
    return np.hstack([np.diag(_numbers(one["scale"])), np.zeros((len(one["scale"]), 1))])


def _translation(
    one: Mapping[str, Any], axes: tuple[str, ...], given: tuple[str, ...]
) -> Float[np.ndarray, "o i"]:
    shift = _numbers(one["translation"])
    return np.hstack([np.eye(len(shift)), shift[:, None]])


def _affine(
    one: Mapping[str, Any], axes: tuple[str, ...], given: tuple[str, ...]
) -> Float[np.ndarray, "o i"]:
    return _numbers(one["affine"])[: len(given)]


def _rotation(
    one: Mapping[str, Any], axes: tuple[str, ...], given: tuple[str, ...]
) -> Float[np.ndarray, "o i"]:
    turned = _numbers(one["rotation"]).reshape(len(given), len(axes))
    return np.hstack([turned, np.zeros((len(given), 1))])


def _map_axis(
    one: Mapping[str, Any], axes: tuple[str, ...], given: tuple[str, ...]
) -> Float[np.ndarray, "o i"]:
    source = one["mapAxis"]
    return np.array([[*(float(source[name] == axis) for axis in axes), 0.0] for name in given])


def _identity(
    one: Mapping[str, Any], axes: tuple[str, ...], given: tuple[str, ...]
) -> Float[np.ndarray, "o i"]:
    return np.array([[*(float(name == axis) for axis in axes), 0.0] for name in given])


def _numbers(values: Any) -> Float[np.ndarray, "..."]:
    return np.asarray(values, dtype=np.float64)


_KINDS: dict[Any, Any] = {
    "identity": _identity,
    "scale": _scale,
    "translation": _translation,
    "affine": _affine,
    "rotation": _rotation,
    "mapAxis": _map_axis,
    "sequence": None,
}


def _fault(what: str, where: str, expected: str) -> DataError:
    return DataError(f"has {what}", where=where, expected=expected, remedy=_REMEDY)

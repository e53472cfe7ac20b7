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

from prestige.errors import DataError

GLOBAL = "global"
"""The system that spatialdata puts everything into unless told otherwise."""

_SAME_PX = 0.01
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

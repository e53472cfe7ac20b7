"""The centres of a store's cells: centroids of their labels in a mask, in pixels of the image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from prestige.compute.progress import Progress
from prestige.data.stores.centroids import Centroids
from prestige.data.stores.frames import between, moved, moves
from prestige.data.stores.images import stored_in
from prestige.data.stores.on_disk import StoredChunks, stored_windows
from prestige.data.stores.zarrs import IMAGE_AXES, LABEL_AXES, WHOLE, Raster, element, level0
from prestige.errors import DataError
from prestige.text import some

_APART = 8.0
"""A nucleus has 1 to 2, one 15 times as long as wide has 8; see :meth:`Centroids.spread`."""


def read_centres(
    store: Path, mask: str, image: str, ids: Int[np.ndarray, "n"], pixels: UInt8[np.ndarray, "height width 3"]
) -> tuple[Float[np.ndarray, "n 2"], list[str]]:
    """Return the centroids of labels in pixels of the image, and what is worth a word about them.

    Parameters
    ----------
    store
        The store.
    mask, image
        Its elements of labels and of the image.
    ids
        The labels wanted.
    pixels
        The decoded image.

    Raises
    ------
    DataError
        For a mask that is none, is of another size or place than the image, or lacks a label.
    """
    where = f"{store}, {mask}"
    with element(store, image, whole=False) as group:
        of_image = level0(group, f"{store}, {image}")
        stored = stored_in(store, image, of_image)
    with element(store, mask, whole=False) as group:
        labels = level0(group, where)
        _check_kind(labels)
        matrix = between(labels.frames, of_image.frames, where)
        elsewhere = moves(matrix, labels.shape[2], labels.shape[1])
        if not elsewhere and labels.shape[1:] != pixels.shape[:2]:
            (_, height, width), (tall, wide, _) = labels.shape, pixels.shape
            raise DataError(
                f"is {width} x {height} px, the image {wide} x {tall}",
                where=where,
                expected="a mask of the image's size, or a transformation that says how it lies on it",
            )
        centroids = _centroids(store, mask, labels, ids)
    xy_px = centroids.xy_px()
    lost = np.asarray(np.isnan(xy_px).any(axis=1))
    if lost.any():
        raise _lost(ids, lost, labels, "a label for every cell of cell_id-group")
    notes = []
    if elsewhere:
        xy_px = moved(xy_px, matrix)
        notes.append(f"{mask} lies in another frame than {image}: its centres were moved by what both state")
    notes += _apart(centroids, ids, mask)
    _check_image(f"{store}, {image}", stored, xy_px, ids)
    return xy_px, notes


def read_labels(
    store: Path, name: str, ids: Int[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "n 2"], list[str]]:
    """Return the centroids of labels in their own pixels (a pixel's centre is whole), and notes.

    Parameters
    ----------
    store, name
        The store, and its element with the axes y and x.
    ids
        The labels wanted.

    Raises
    ------
    DataError
        For labels that are none, or of which one is not there.
    """
    where = f"{store}, {name}"
    with element(store, name, whole=False) as group:
        labels = level0(group, where, LABEL_AXES)
        _check_kind(labels)
        centroids = _centroids(store, name, labels, ids)
    xy_px = centroids.xy_px()
    lost = np.asarray(np.isnan(xy_px).any(axis=1))
    if lost.any():
        raise _lost(ids, lost, labels, "a label for every row of the table")
    return xy_px, _apart(centroids, ids, name)


def labels_in(store: Path, name: str, axes: tuple[str, ...] = LABEL_AXES) -> Int[np.ndarray, "n"]:
    """Return all labels of an element, sorted, without the background.

    Raises
    ------
    DataError
        When these are no labels.
    """
    with element(store, name, whole=False) as group:
        labels = level0(group, f"{store}, {name}", axes)
        _check_kind(labels)
        seen = [np.unique(part) for part, _, _ in _parts(store, name, labels, "looking through")]
        there = np.unique(np.concatenate([np.zeros(0, labels.dtype), *seen])).astype(np.int64)
        return there[there > 0]


def _centroids(store: Path, name: str, labels: Raster, ids: Int[np.ndarray, "n"]) -> Centroids:
    out = Centroids(ids)
    for part in _parts(store, name, labels, "reading"):
        out.add(*part)
    return out


def _parts(store: Path, name: str, labels: Raster, doing: str) -> Iterator[tuple[np.ndarray, int, int]]:
    """Go over what is stored of labels: values, and the row and column they begin at."""
    first, axes = ((), LABEL_AXES) if len(labels.shape) == 2 else ((0,), IMAGE_AXES)
    windows = stored_windows(labels.array, store / name, axes, labels.where)
    with Progress(f"{doing} {name}", len(windows)) as progress:
        for y, x in windows:
            yield labels[(*first, y, x)], y.start, x.start
            progress.advance()


def _apart(centroids: Centroids, ids: Int[np.ndarray, "n"], name: str) -> list[str]:
    apart = centroids.spread() > _APART
    if not apart.any():
        return []
    return [
        f"labels of {name} that lie in two places or are drawn out, so that no nucleus may be at their "
        f"centre: {some(ids[apart].tolist())}"
    ]


def _check_kind(labels: Raster) -> None:
    n_channels, dtype = (1 if len(labels.shape) == 2 else labels.shape[0]), labels.dtype
    if n_channels != 1 or not np.issubdtype(dtype, np.integer):
        raise DataError(
            f"has {n_channels} channel{'s' * (n_channels != 1)} of {dtype}",
            where=labels.where,
            expected="one channel of whole numbers",
            remedy="write the labels as uint32, one channel",
        )


def _lost(ids: Int[np.ndarray, "n"], lost: Bool[np.ndarray, "n"], labels: Raster, expected: str) -> DataError:
    largest = np.iinfo(labels.dtype).max
    remedy = "take these cells off the tables, or copy the store again if it was cut off"
    if (ids[lost] > largest).any():
        remedy = f"write the mask as uint32: labels of {labels.dtype} end at {largest:,} and begin again at 0"
    elif lost.all():
        remedy = "check that the ids of the table are the labels of this mask"
    return DataError(
        f"cells without a label in the mask: {some(ids[lost].tolist())}",
        where=labels.where,
        expected=expected,
        remedy=remedy,
    )


def _check_image(
    where: str, stored: StoredChunks, xy_px: Float[np.ndarray, "n 2"], ids: Int[np.ndarray, "n"]
) -> None:
    """Refuse a chunk that is not on the disk, which reads as black, where it has cells."""
    blank = stored.under(xy_px)
    if blank.any():
        raise DataError(
            f"no pixels under {int(blank.sum()):,} of the cells: {some(ids[blank].tolist())}",
            where=where,
            expected=WHOLE,
            remedy="copy it again: it was cut off",
        )

"""Centres of the labels of a mask: a TIFF of whole numbers, or an array that numpy saved."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import label

from prestige.data.columns.ids import MOST
from prestige.data.slides.orientation import check_orientation
from prestige.data.slides.tiff import directories as tags
from prestige.data.slides.tiff.checks import JPEG, STORED
from prestige.data.slides.tiff.directories import Directory, read_directories
from prestige.data.slides.tiff.tiles import quietly_opened, told
from prestige.data.stores.centroids import Centroids
from prestige.errors import AGAIN, DataError, reading
from prestige.text import some

EXPECTED = "a mask: one whole number a pixel, 0 beside the objects"

_MOST_SEGMENT_BYTES = 1 << 30
_APART = 8.0  # as of the labels of a store
_ROWS = 1024

Part = tuple[np.ndarray, int, int]
"""Labels, and the row and column they begin at."""


def centres_of(
    path: Path, *, is_numpy: bool, height: int, width: int
) -> tuple[Float[np.ndarray, "n 2"], Int[np.ndarray, " n"], tuple[str, ...]]:
    """Return the centroid of every label in pixels, the labels, and notes.

    Parameters
    ----------
    path
        The mask.
    is_numpy
        Whether it is an array of numpy.
    height, width
        The size of the image, which is that of the mask.

    Raises
    ------
    DataError
        When it is damaged, of another size, or holds no whole numbers or no label.
    """
    parts = _of_numpy if is_numpy else _of_tiff
    seen = [np.unique(part) for part, _, _ in parts(path, height, width)]
    found = np.unique(np.concatenate(seen)) if seen else np.zeros(0, np.int64)
    if len(found) and found[-1] > MOST:
        raise DataError(f"holds labels beyond {MOST:,}", where=path, expected=EXPECTED, remedy="number them")
    labels = found.astype(np.int64)
    if (labels < 0).any():
        raise DataError(
            f"holds negative labels: {some(labels[labels < 0].tolist())}", where=path, expected=EXPECTED
        )
    labels = labels[labels > 0]
    if not len(labels):
        raise DataError(
            "holds no label above 0", where=path, expected=EXPECTED, remedy="name the mask of objects"
        )
    centroids = Centroids(labels)
    for part, y, x in parts(path, height, width):
        centroids.add(part, y, x)
    apart = centroids.spread() > _APART
    if len(labels) == 1 and apart.any() and _are_in_pieces(parts(path, height, width), height, width):
        raise DataError(
            f"holds one label ({labels[0]}), in several places: it tells objects from background only",
            where=path,
            expected=EXPECTED,
            remedy="number its parts (skimage.measure.label)",
        )
    notes = (
        f"labels of {path.name} that lie in two places or are drawn out: {some(labels[apart].tolist())}",
    )
    return centroids.xy_px(), labels, notes if apart.any() else ()


def _are_in_pieces(parts: Iterator[Part], height: int, width: int) -> bool:
    """Return whether what is labelled lies in several places: apart within a part, or with a gap between."""
    rows, columns = np.zeros(height, dtype=bool), np.zeros(width, dtype=bool)
    for part, y, x in parts:
        there = part > 0
        if label(there, structure=np.ones((3, 3)))[1] > 1:
            return True
        rows[y : y + there.shape[0]] |= there.any(axis=1)
        columns[x : x + there.shape[1]] |= there.any(axis=0)
    return any(np.ptp(np.flatnonzero(one)) >= one.sum() for one in (rows, columns))


def _check(path: Path, shape: tuple[int, ...], kind: np.dtype, height: int, width: int) -> None:
    if len(shape) != 2 or kind.kind not in "iu":
        sizes = " x ".join(map(str, shape))
        raise DataError(
            f"holds {sizes} values of {kind}",
            where=path,
            expected=EXPECTED,
            remedy="save the labels as one channel of whole numbers",
        )
    if shape != (height, width):
        raise DataError(
            f"is {shape[1]} x {shape[0]} px, the image {width} x {height}",
            where=path,
            expected="a mask of the image's size",
            remedy="make it on the image's largest level",
        )


def _of_numpy(path: Path, height: int, width: int) -> Iterator[Part]:
    with reading(path, expected=EXPECTED), path.open("rb") as file:
        head = file.read(128)
    if b"'descr': '|O'" in head:
        raise DataError(
            "holds Python objects, as cellpose's _seg.npy does",
            where=path,
            expected=EXPECTED,
            remedy="let cellpose save the masks as an image (--save_tif), or save the array of labels alone",
        )
    with reading(path, expected=EXPECTED):
        array: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    _check(path, array.shape, array.dtype, height, width)
    for y in range(0, height, _ROWS):
        with reading(path, expected=EXPECTED):
            part = np.ascontiguousarray(array[y : y + _ROWS])
        yield part, y, 0


def _of_tiff(path: Path, height: int, width: int) -> Iterator[Part]:
    import tifffile

    largest = _largest(path)
    with quietly_opened():
        with _told(path):
            file = tifffile.TiffFile(path, _multifile=False, is_lsm=False, is_scanimage=False)
        with file:
            with _told(path):
                page: Any = file.pages[largest.place[0]]
                for number in largest.place[1:]:
                    page = page.pages[number]
                shape, kind = tuple(page.shape), np.dtype(page.dtype or "V1")
                segment = int(np.prod(page.chunks, dtype=np.float64)) * kind.itemsize
            _check(path, shape, kind, height, width)
            if segment > _MOST_SEGMENT_BYTES:
                raise DataError(
                    f"has tiles of {segment:,} bytes", where=path, expected=EXPECTED, remedy=AGAIN
                )
            segments = page.segments(maxworkers=1)
            while (part := _next(segments, path)) is not None:
                labels, y, x = part
                yield labels[: height - y, : width - x], y, x


def _largest(path: Path) -> Directory:
    """Return the largest page of a TIFF.

    Raises
    ------
    DataError
        When several are as large, when it is stored turned, or with losses that change labels.
    """
    pages = read_directories(path)
    largest = max(pages, key=lambda one: one.width * one.height)
    size = (largest.width, largest.height)
    if (n := sum((one.width, one.height) == size for one in pages)) > 1:
        raise DataError(
            f"holds {n:,} pages of {size[0]} x {size[1]} px",
            where=path,
            expected=EXPECTED,
            remedy="save the page of the labels as a TIFF of its own",
        )
    check_orientation(largest.number(tags.ORIENTATION, 1), path)
    if largest.number(tags.COMPRESSION, STORED) in JPEG:
        raise DataError(
            "is compressed by JPEG, which changes numbers",
            where=path,
            expected=EXPECTED,
            remedy="save the labels again without losses",
        )
    return largest


def _next(segments: Iterator[Any], path: Path) -> Part | None:
    """Return the next tile or strip that is stored, None behind the last."""
    with _told(path):
        for values, place, size in segments:
            if values is not None:
                return values[0, : size[1], : size[2], 0], int(place[2]), int(place[3])
    return None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    with told(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

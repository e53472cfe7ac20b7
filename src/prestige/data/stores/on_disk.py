"""Which chunks of an image are on the disk: files of a store, and what lies in those that are shards.

zarr fills what is not there with the fill value, mostly 0: black, where a cut-off copy lost tissue and where
a writer left out what it never had.  The one rule for every reader stands here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from prestige.data.slides.slide import pixels_under
from prestige.data.stores.chunks import FREE_BYTES, index_bytes
from prestige.data.stores.metadata import Shard
from prestige.data.stores.zarrs import Window, windows_of
from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import files_below

WHITE = 255
_EXPECTED = "a whole image in zarr"
_MOST_CHUNKS = 1 << 26  # a byte each
_FREE_CHUNKS = 1 << 12
_MOST_PER_STORED = 1000  # a needle biopsy on a whole slide stores one chunk in some hundred
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, eq=False)
class StoredChunks:
    """Which chunks of an image are on the disk.

    Parameters
    ----------
    there
        Whether a chunk is, or would not be black without being.
    rows, columns
        Size of a chunk in pixels.
    height, width
        Size of the image in pixels.
    """

    there: Bool[np.ndarray, "down across"]
    rows: int
    columns: int
    height: int
    width: int

    @property
    def lost(self) -> int:
        """How many chunks are not."""
        return int((~self.there).sum())

    def under(self, xy_px: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """Return which places lie in the image, on a chunk that is not stored."""
        blank = np.zeros(len(xy_px), dtype=bool)
        if self.there.all():
            return blank
        inside, x, y = pixels_under(xy_px, self.width, self.height)
        blank[inside] = ~self.there[y // self.rows, x // self.columns]
        return blank

    def of(self, y: slice, x: slice) -> Bool[np.ndarray, "down across"]:
        """Return which of the chunks that a part of the image touches are stored."""
        return self.there[
            y.start // self.rows : -(-y.stop // self.rows),
            x.start // self.columns : -(-x.stop // self.columns),
        ]

    def on_white(self, part: UInt8[np.ndarray, "h w 3"], y: slice, x: slice) -> UInt8[np.ndarray, "h w 3"]:
        """Return a part of the image with white where no chunk is stored."""
        if self.of(y, x).all():
            return part
        down, across = np.arange(y.start, y.stop) // self.rows, np.arange(x.start, x.stop) // self.columns
        return np.where(self.there[down[:, None], across[None, :]][..., None], part, np.uint8(WHITE))


def stored_chunks(array: Any, folder: Path, axes: tuple[str, ...], where: str) -> StoredChunks:
    """Return which chunks of an image are on the disk, as far as one not there would read as black.

    A chunk is stored when it is in every colour that is stored anywhere: a colour of which nothing is stored
    holds its fill value.

    Parameters
    ----------
    array
        What zarr opened.
    folder
        Where it lies.
    axes
        The names of its axes: y, x and others of which t and z have one place each.
    where
        The image, for messages.

    Raises
    ------
    DataError
        For a shard that is cut off, and for absurdly many chunks, also beside what is stored of them.
    """
    y, x = axes.index("y"), axes.index("x")
    sizes = tuple(-(-size // chunk) for size, chunk in zip(array.shape, array.chunks, strict=True))
    stored = np.moveaxis(_stored(array, folder, sizes, where), (y, x), (-2, -1))
    _check_share(array, stored.size, int(stored.sum()), where)
    there = np.ones((sizes[y], sizes[x]), dtype=bool)
    if not _is_filled(array, where):
        colours = stored.reshape(-1, sizes[y], sizes[x])
        seen = colours.any(axis=(1, 2))
        there = np.logical_and.reduce(colours[seen], axis=0) & seen.any()
    return StoredChunks(there, array.chunks[y], array.chunks[x], array.shape[y], array.shape[x])


def _stored(array: Any, folder: Path, sizes: tuple[int, ...], where: str) -> Bool[np.ndarray, "..."]:
    """Return which chunks of an array are stored, along all of its axes; each file is opened once at most."""
    shards = array.shards or array.chunks
    inner = tuple(shard // chunk for shard, chunk in zip(shards, array.chunks, strict=True))
    files = tuple(-(-size // shard) for size, shard in zip(array.shape, shards, strict=True))
    if (number := math.prod(files) * math.prod(inner)) > _MOST_CHUNKS:
        raise DataError(
            f"declares {number:,} chunks", where=where, expected=f"at most {_MOST_CHUNKS:,}", remedy=AGAIN
        )
    stored = np.zeros(tuple(n * per for n, per in zip(files, inner, strict=True)), dtype=bool)
    root = folder / array.path
    with reading(where, expected=_EXPECTED):
        for key, path in _files(array, root, files).items():
            at = tuple(slice(n * per, (n + 1) * per) for n, per in zip(key, inner, strict=True))
            stored[at] = _in_shard(path, array, inner) if array.shards else True
    return stored[tuple(slice(0, size) for size in sizes)]


def stored_windows(array: Any, folder: Path, axes: tuple[str, ...], where: str) -> list[Window]:
    """Return the files of an image or of labels as windows in y and x, without those of 0 alone.

    A file that is not there stands for the fill value, which is mostly 0.

    Their number follows from what lies on the disk, whatever shape is declared.

    Raises
    ------
    DataError
        Where the fill value is not 0, for absurdly many files beside those that are there.
    """
    y, x = axes.index("y"), axes.index("x")
    shards = array.shards or array.chunks
    files = tuple(-(-size // shard) for size, shard in zip(array.shape, shards, strict=True))
    with reading(where, expected=_EXPECTED):
        there = _files(array, folder / array.path, files)
    if _is_filled(array, where):
        _check_share(array, math.prod(files), len(there), where)
        return windows_of(array)
    rows, columns = shards[y], shards[x]
    return [
        (
            slice(down * rows, min((down + 1) * rows, array.shape[y])),
            slice(across * columns, min((across + 1) * columns, array.shape[x])),
        )
        for down, across in sorted({(key[y], key[x]) for key in there})
    ]


def _is_filled(array: Any, where: str) -> bool:
    """Whether what is not stored stands for another value than 0."""
    with reading(where, expected=_EXPECTED):
        return int(array.fill_value or 0) != 0


def _files(array: Any, root: Path, sizes: tuple[int, ...]) -> dict[tuple[int, ...], Path]:
    """Return the files of an array by their places: those that are there, not those that are declared."""
    found = {}
    for path in files_below(root):
        name = path.relative_to(root).as_posix()
        key = tuple(int(number) for number in _NUMBERS.findall(name)[: len(sizes) + 1])
        within = len(key) == len(sizes) and all(n < size for n, size in zip(key, sizes, strict=True))
        if within and array.metadata.encode_chunk_key(key) == name:
            found[key] = path
    return found


def _check_share(array: Any, declared: int, stored: int, where: str) -> None:
    """Refuse a shape out of all proportion to what is stored of it."""
    large = declared > _FREE_CHUNKS or math.prod(array.shape) * array.dtype.itemsize > FREE_BYTES
    if large and stored * _MOST_PER_STORED < declared:
        raise DataError(
            f"declares {' x '.join(f'{size:,}' for size in array.shape)} values, "
            f"but {stored:,} of its {declared:,} chunks are stored",
            where=where,
            expected=_EXPECTED,
            remedy=AGAIN,
        )


def _in_shard(path: Path, array: Any, inner: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
    """Return which chunks a shard holds, by the index at its end."""
    checksum = any(type(one).__name__ == "Crc32cCodec" for one in array.metadata.codecs[0].index_codecs)
    length = index_bytes(Shard(math.prod(inner), "", checksum))
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - length))
        content = file.read(length)
    if len(content) < length:
        raise ValueError("a shard is cut off")
    index = np.frombuffer(content[: 16 * math.prod(inner)], dtype="<u8")
    return (index.reshape(*inner, 2) != np.iinfo(np.uint64).max).any(axis=-1)

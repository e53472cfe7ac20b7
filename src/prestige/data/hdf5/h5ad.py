"""Tables written as AnnData writes them (``.h5ad``): whole, or with X row by row in bounded memory.

HDF5 never touches the disk here.  Met by a full disk it complains once for each open object and then takes
the process down (HDF5 2.0, h5py 3.16: a segmentation fault at the interpreter's end).  So it writes into
memory, and plain writes, which end in an ``OSError``, bring its bytes to the disk.  X, which may be larger
than the memory, goes to its place in the file without passing through HDF5.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from anndata import AnnData


def write_h5ad(table: AnnData, path: Path) -> None:
    """Write a table as ``AnnData.write_h5ad`` does; meanwhile its bytes stand in memory once more.

    Raises
    ------
    OSError
        When the disk is full or refuses; what was written by then is left.
    """
    import anndata
    import h5py

    table.strings_to_categoricals()
    image = _Image()
    with h5py.File(image, "w") as file:
        anndata.io.write_elem(file, "/", table)
    with path.open("wb") as file:
        image.save(file)


@contextmanager
def h5ad_by_rows(table: AnnData, path: Path) -> Iterator[RowWriter]:
    """Write all of a table but X, and give what writes the rows of X, in any order.

    The file is the one that :func:`write_h5ad` writes of the whole, byte for byte.  Its room on the disk is
    claimed first: a disk that is too small is met before hours are spent on the rows.

    Parameters
    ----------
    table
        With an X of the right shape and type, whose values are not read: ``np.broadcast_to`` of a number
        takes no memory.

    Raises
    ------
    OSError
        When the disk is full or refuses; what was written by then is left.
    ValueError
        At the end, when a row was never written.
    """
    image = _image_without_x(table)
    with path.open("wb") as file:
        image.save(file)
        writer = RowWriter(file, image.start, table.shape)
        yield writer
    if not writer.written.all():
        raise ValueError(f"{(~writer.written).sum()} of {table.n_obs} rows of X were never written")


class RowWriter:
    """Writes rows of an (n, g) float32 array to their places in a file.

    Attributes
    ----------
    written
        (n,) whether each row was.
    """

    def __init__(self, file: IO[bytes], start: int, shape: tuple[int, int]) -> None:
        self._file, self._start, self._row_bytes = file, start, 4 * shape[1]
        self.written = np.zeros(shape[0], dtype=bool)

    def __call__(self, rows: Int[np.ndarray, " b"], values: Float[np.ndarray, "b g"]) -> None:
        """Write some rows; those that follow each other in the file are one write.

        Raises
        ------
        OSError
            When the disk is full or refuses.
        """
        if (np.diff(rows) < 0).any():
            order = np.argsort(rows)
            rows, values = rows[order], values[order]
        values = np.ascontiguousarray(values, dtype=np.float32)
        ends = [*(np.flatnonzero(np.diff(rows) != 1) + 1), len(rows)]
        first = 0
        for end in ends:
            self._file.seek(self._start + int(rows[first]) * self._row_bytes)
            self._file.write(values[first:end].data)
            first = end
        self.written[rows] = True


class _Image(io.BytesIO):
    """The file that HDF5 writes, in memory, of which one stretch (the place of X) may be left out.

    Attributes
    ----------
    start, length
        Of that stretch, in bytes of the file; the memory goes on behind it at ``start``.
    """

    start = length = 0
    _size = 0  # of the whole file
    _inside = False

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            return super().seek(offset, whence) + self.length
        self._inside = self.start <= offset < self.start + self.length
        super().seek(offset if offset < self.start + self.length else offset - self.length)
        return offset

    def write(self, data: Any) -> int:
        return len(data) if self._inside else super().write(data)

    def readinto(self, buffer: Any) -> int:
        return 0 if self._inside else super().readinto(buffer)

    def truncate(self, size: int | None = None) -> int:
        self._size = size or 0
        return self._size

    def save(self, file: IO[bytes]) -> None:
        """Write all but the stretch to an empty file on the disk, and claim the room of the whole."""
        file.truncate(self._size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, self._size)
        kept = self.getbuffer()
        file.write(kept[: self.start])
        file.seek(self.start + self.length)
        file.write(kept[self.start :])


def _image_without_x(table: AnnData) -> _Image:
    """Return the file of a table as HDF5 makes it, less the bytes of X."""
    import h5py
    from anndata.experimental import write_dispatched

    image = _Image()

    def write(
        write_func: Any, store: Any, elem_name: str, elem: Any, *, dataset_kwargs: Any, iospec: Any
    ) -> None:
        if elem_name != "/X":
            write_func(store, elem_name, elem, dataset_kwargs=dataset_kwargs)
            return
        x = store.create_dataset("X", shape=elem.shape, dtype=np.float32)
        if x.size:
            x[0, 0] = 0  # only now HDF5 gives X its place; this number waits in a buffer
            image.start, image.length = x.id.get_offset(), x.nbytes
        x.attrs["encoding-type"] = iospec.encoding_type
        x.attrs["encoding-version"] = iospec.encoding_version

    table.strings_to_categoricals()
    with h5py.File(image, "w") as file:
        write_dispatched(file, "/", table, write)
    return image

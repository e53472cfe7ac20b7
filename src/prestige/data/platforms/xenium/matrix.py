"""The matrix of an output folder, in whichever of its forms it is there."""

from __future__ import annotations

import re
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Integer
from scipy.sparse import csc_matrix, csr_matrix

from prestige.data.platforms.matrix import EXPECTED, GENE_TYPE, Matrix, Wanted, matrix_named
from prestige.data.platforms.matrix_10x import matrix_of
from prestige.data.platforms.xenium.named import named
from prestige.data.stores.zarrs import element
from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import plain_file

NAME = "cell_feature_matrix"
_FORMS = (".h5", "", ".tar.gz", ".zarr.zip", ".zarr")
_TEXTS = ("matrix.mtx", "barcodes.tsv", "features.tsv", "genes.tsv")
_ARRAYS = ("indptr", "indices", "data", "cell_id")
_MOST_MEMBERS = 200_000
_FREE_BYTES, _MOST_RATIO = 1 << 28, 100  # what an archive may unpack to, beside its own size
_STEP = 1 << 22


def matrices_in(folder: Path, before: str = "") -> list[Path]:
    """Return the matrices of an output folder, the one that is read first: all hold the same counts.

    A folder that is empty is none.
    """
    there = [path for form in _FORMS if (path := named(folder, before, f"{NAME}{form}")).exists()]
    return [path for path in there if not path.is_dir() or any(path.iterdir())]


@contextmanager
def opened_matrix(path: Path, *, numbered: bool = False) -> Iterator[Matrix]:
    """Give a matrix of an output folder: ``.h5``, texts in a folder or a tar, zarr in a folder or a zip.

    Archives are never unpacked by the names in them: the few parts that are known go into a folder that is
    removed afterwards.

    Parameters
    ----------
    path
        One of :func:`matrices_in`.
    numbered
        Whether the cells are numbered, as before version 1.3: a store keeps numbers and no texts.

    Raises
    ------
    DataError
        When it is damaged, unpacks to more than it may, or holds no genes.
    """
    if path.name.endswith(".zarr"):
        yield _of_zarr(path, path, numbered)
        return
    if not path.name.endswith((".tar.gz", ".zarr.zip")):
        yield matrix_of(path)
        return
    plain_file(path, expected=EXPECTED)
    with tempfile.TemporaryDirectory() as made, _told_of(path, made):
        if path.name.endswith(".zarr.zip"):
            _unpack_zarr(path, Path(made))
            yield _of_zarr(path, Path(made), numbered)
        else:
            _unpack_texts(path, Path(made))
            yield replace(matrix_of(Path(made)), path=path)


@contextmanager
def _told_of(path: Path, made: str) -> Iterator[None]:
    """Name the archive in errors, and not the folder that it was unpacked into."""
    try:
        yield
    except DataError as error:
        if error.where is None or made not in error.where:
            raise
        where = error.where.replace(made, str(path))
        raise DataError(error.what, where=where, expected=error.expected, remedy=error.remedy) from error


def _unpack_texts(path: Path, target: Path) -> None:
    """Write the three texts of a tar archive into a folder."""
    left = _most(path)
    with reading(path, expected=EXPECTED), tarfile.open(path, "r|gz") as archive:
        for number, member in enumerate(archive):
            if number > _MOST_MEMBERS or member.size > left:
                raise DataError("unpacks to more than it may", where=path, expected=EXPECTED, remedy=AGAIN)
            left -= member.size
            name = PurePosixPath(member.name).name
            known = next((one for one in _TEXTS if name in (one, f"{one}.gz")), None)
            stream = archive.extractfile(member) if known and member.isreg() else None
            if known and stream is not None:
                _copy(stream, target / (f"{known}.gz" if name.endswith(".gz") else known), member.size)


def _unpack_zarr(path: Path, target: Path) -> None:
    """Write the arrays of counts of a zipped store into a folder, named by what they are."""
    left = _most(path)
    with reading(path, expected=EXPECTED), zipfile.ZipFile(path) as archive:
        for member in archive.infolist()[:_MOST_MEMBERS]:
            place = _place(member.filename)
            if place is None:
                continue
            left -= member.file_size
            if left < 0:
                raise DataError("unpacks to more than it may", where=path, expected=EXPECTED, remedy=AGAIN)
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as stream:
                _copy(stream, target / place, member.file_size)


def _place(name: str) -> str | None:
    """Return where a member of a zipped store is put; None for what is not read."""
    found = re.fullmatch(
        r"(?:[^/]+/)?cell_features/(?:(\w+)/)?(?:(\.zgroup|\.zattrs|\.zarray|zarr\.json)|((?:c/)?[0-9]+(?:[./][0-9]+)?))",
        name,
    )
    if found is None or (found[1] is None and found[3]) or (found[1] is not None and found[1] not in _ARRAYS):
        return None
    return "/".join(("cell_features", *([found[1]] if found[1] else []), found[2] or found[3]))


def _most(path: Path) -> int:
    return _FREE_BYTES + _MOST_RATIO * path.stat().st_size


def _copy(stream: Any, target: Path, size: int) -> None:
    with target.open("wb") as out:
        while size > 0 and (block := stream.read(min(_STEP, size))):
            out.write(block)
            size -= len(block)


def _of_zarr(path: Path, store: Path, numbered: bool) -> Matrix:
    """Return the matrix of a store of Xenium Explorer: compressed rows of features."""
    where = f"{path}, cell_features"
    if not (store / "cell_features").is_dir():
        raise DataError("holds no 'cell_features'", where=path, expected=EXPECTED, remedy=AGAIN)
    with element(store, "cell_features") as group:
        with reading(where, expected=EXPECTED):
            said = group.attrs.asdict()
            keys, ids, types = (
                [str(one) for one in said[f"feature_{name}"]] for name in ("keys", "ids", "types")
            )
            parts = {name: np.asarray(group[name][...]) for name in _ARRAYS}
            kinds = "".join(parts[name].dtype.kind for name in _ARRAYS)
            sizes = {len(keys), len(ids), len(types), len(parts["indptr"]) - 1}
            whole = len(sizes) == 1 and set(kinds) <= set("iu")
        if not whole:
            raise DataError(
                f"{sorted(sizes)} features by its parts", where=where, expected=EXPECTED, remedy=AGAIN
            )
        with reading(where, expected=EXPECTED):
            cell_ids = parts["cell_id"]
            names = cell_names(cell_ids[:, 0] if numbered and cell_ids.ndim == 2 else cell_ids)
            by_feature = tuple(parts[name].astype(np.int64) for name in ("data", "indices", "indptr"))
            matrix = csr_matrix(by_feature, shape=(len(keys), len(names)))
            matrix.check_format(full_check=True)
    kinds_of = [GENE_TYPE if one == "gene" else one.replace("_", " ").title() for one in types]

    def read(wanted: Wanted) -> csr_matrix:
        rows = matrix if wanted.kept is None else matrix[np.flatnonzero(wanted.kept)]
        return csr_matrix(csc_matrix(rows)[:, np.flatnonzero(wanted.rows)].T)

    return matrix_named(path, names, (ids, keys, kinds_of), {}, read)


def cell_names(stored: Integer[np.ndarray, "n *more"]) -> list[str]:
    """Return ids of cells as the tables write them, from the numbers of a store.

    A prefix and a suffix stand for text: the prefix in 8 hexadecimal digits, of which 0 to f are written a to
    p, then the suffix.  One number a cell is that number.

    Examples
    --------
    >>> cell_names(np.array([[178650478, 1]]))
    ['akkfpngo-1']
    """
    if stored.ndim == 1:
        return [str(number) for number in stored.tolist()]
    letters = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
    return [f"{prefix:08x}".translate(letters) + f"-{suffix}" for prefix, suffix in stored[:, :2].tolist()]

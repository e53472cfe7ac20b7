"""Archives of public data: chosen members, written under names that the registry gives.

Nothing is unpacked by a member's own name: what is wanted is looked for by the end of its path, and an
archive in which any path leads out, or a wanted member is no plain file, is refused.
"""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from prestige.compute.files import whole_file
from prestige.errors import AGAIN, DataError, StorageError, of_library, reading
from prestige.text import some

_EXPECTED = "a zip or tar.gz archive"
_MOST_ABOVE = 3  # folders above a wanted member
_MOST_BYTES = 200 * 10**9
_CHUNK = 1 << 20
_Member = tuple[str, bool, int, Any]
"""Its path, whether it is a plain file, its size, and how the library names it."""


def unpack(archive: Path, folder: Path, needed: Sequence[str], further: Sequence[str] = ()) -> list[str]:
    """Write chosen members of an archive into a folder.

    Parameters
    ----------
    archive
        A zip, or a tar that is packed by gzip.
    folder
        Where to; members lie there under the paths of ``needed`` and ``further``.
    needed, further
        Ends of the members' paths: those that have to be there, and those that are taken where they are.

    Returns
    -------
    The members that were written.

    Raises
    ------
    DataError
        When it is no archive, damaged, lacks a member, holds one twice, or one that leads out of its folder.
    StorageError
        When the disk has no room for them.
    """
    written: dict[str, int] = {}  # and how deep it lay: the one nearest to the top is meant
    total = 0
    with _opened(archive) as members:
        for (name, is_file, size, _), opened in members:
            target = _target(name, (*needed, *further), archive)
            if target is None:
                continue
            depth = name.count("/")
            if depth == written.get(target):
                raise DataError(f"holds '{target}' twice", where=archive, expected="every member once")
            if depth > written.get(target, depth):
                continue
            if not is_file:
                raise DataError(f"'{name}' is no plain file", where=archive, expected="files")
            total += size
            _check_room(total, size, folder, archive)
            with whole_file(folder / target) as partial, partial.open("wb") as file:
                _copy(opened, file, size, f"{archive}, {name}")
            written[target] = depth
    missing = [name for name in needed if name not in written]
    if missing:
        raise DataError(
            f"lacks {some(missing)}",
            where=archive,
            expected=f"an archive with {', '.join(needed)}",
            remedy=AGAIN,
        )
    return list(written)


def _target(name: str, wanted: Sequence[str], archive: Path) -> str | None:
    """Return which of the wanted a member is, if any."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise DataError(
            f"holds '{name}', which leads out of its folder", where=archive, expected="plain names"
        )
    for one in wanted:
        parts = PurePosixPath(one).parts
        if path.parts[-len(parts) :] == parts and len(path.parts) - len(parts) <= _MOST_ABOVE:
            return one
    return None


def _check_room(total: int, size: int, folder: Path, archive: Path) -> None:
    if total > _MOST_BYTES:
        raise DataError(f"unpacks to more than {_MOST_BYTES:,} bytes", where=archive, expected="less")
    near = folder
    while not near.exists():
        near = near.parent
    free = shutil.disk_usage(near).free
    if size > free:
        raise StorageError(
            f"the disk has {free / 1e9:.1f} GB left, and {size / 1e9:.1f} GB are to be unpacked",
            where=folder,
            remedy="free some space and run the same command to go on",
        )


def _copy(opened: Any, file: BinaryIO, size: int, where: str) -> None:
    """Copy one member, no byte more than the archive says it has."""
    left = size
    with reading(where, expected=_EXPECTED):
        source = opened()
    with source:
        while True:
            with reading(where, expected=_EXPECTED), of_library():
                data = source.read(_CHUNK)
            if not data:
                break
            left -= len(data)
            if left < 0:
                break
            file.write(data)
    if left:
        raise DataError(
            "its size is not what the archive says", where=where, expected=_EXPECTED, remedy=AGAIN
        )


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[tuple[_Member, Any]]]:
    """Give the members of an archive, each with what opens it."""
    with reading(archive, expected=_EXPECTED):
        is_zip = zipfile.is_zipfile(archive)
        file: Any = zipfile.ZipFile(archive) if is_zip else tarfile.open(archive, mode="r|gz")  # noqa: SIM115
    with file:
        yield _of_zip(file, archive) if is_zip else _of_tar(file, archive)


def _of_zip(file: zipfile.ZipFile, archive: Path) -> Iterator[tuple[_Member, Any]]:
    for info in file.infolist():
        if info.is_dir():
            continue
        kind = (info.external_attr >> 28) & 0xF  # of the mode that Unix writes: 8 is a file, 0 says nothing
        member = (info.filename, kind in (0, 8), info.file_size, info)
        yield member, lambda info=info: file.open(info)


def _of_tar(file: tarfile.TarFile, archive: Path) -> Iterator[tuple[_Member, Any]]:
    while True:
        with reading(archive, expected=_EXPECTED), of_library():
            info = file.next()
        if info is None:
            return
        if not info.isdir():
            yield (info.name, info.isreg(), info.size, info), lambda info=info: file.extractfile(info)

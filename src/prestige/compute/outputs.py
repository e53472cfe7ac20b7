"""Where a command writes, asked before it works: never over what is read, nor over what is somebody's own."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from prestige.compute.files import probe
from prestige.compute.ownership import files_in, is_marked, not_ours
from prestige.errors import StorageError, raise_all
from prestige.inputs import real_path, status_of

_ELSEWHERE = "name another folder with --out"


def check_folder(
    out: Path, *, inputs: Iterable[Path | None] = (), files: Collection[str] = (), whole: bool = False
) -> None:
    """Refuse a folder in which nothing can be written, or something that is read would be changed.

    Links are followed: a file or folder is the same under whichever name.

    Parameters
    ----------
    inputs
        Files and folders that the command reads: ``out`` may neither be one of them nor lie in one.
    files
        Names of files that will be written there.
    whole
        Whether the folder is replaced as a whole.

    Raises
    ------
    StorageError
        Listing every fault.
    """
    read = {one: path for path in inputs if path is not None and (one := _identity(path)) is not None}
    place = real_path(out)
    for above in (place, *place.parents):
        identity = _identity(above)
        found = None if identity is None else read.get(identity)
        if found is not None:
            what = "is read here" if above == place else f"lies in '{found}', which is read here"
            raise StorageError(f"{what} and would be changed", where=out, remedy=_ELSEWHERE)
    there = status_of(out)
    if there is not None and not stat.S_ISDIR(there.st_mode):
        raise StorageError("is a file", where=out, expected="a folder", remedy=_ELSEWHERE)
    faults = []
    for name in files:
        path = out / name
        if path.is_symlink():
            what = "is a link, and would be replaced by a file"
        elif _identity(path) in read:
            what = "is read here and would be overwritten"
        else:
            continue
        faults.append(StorageError(what, where=path, remedy=f"{_ELSEWHERE}, or move the file away"))
    raise_all(faults)
    if whole:
        within = next((path for path in read.values() if real_path(path).is_relative_to(place)), None)
        if within is not None:
            raise StorageError(f"holds '{within}', which is read here", where=out, remedy=_ELSEWHERE)
        if os.path.ismount(place):
            raise StorageError(
                "is where a disk is mounted, and cannot be replaced as a whole",
                where=out,
                remedy="name a folder in it",
            )
    probe(out.parent if whole else out)


def refuse_foreign(
    out: Path, files: Collection[str], *, ours: Collection[str], known: Callable[[Path], bool], what: str
) -> None:
    """Refuse a folder that is somebody's own, or one in which files of somebody's own would be overwritten.

    Parameters
    ----------
    files
        Names of what will be written, the first of which every folder of this kind holds.
    ours
        Patterns of the names that the command gives.
    known
        Says whether that first file is the command's.
    what
        What the command writes: "inspection".

    Raises
    ------
    StorageError
        Listing every file that would be lost.
    """
    there = files_in(out) if out.is_dir() else []
    if there and not known(out / next(iter(files))) and not any(is_marked(out / name) for name in there):
        raise StorageError(
            f"the folder is not empty and holds no {what}", where=out, remedy="give another folder"
        )
    lost = set(files) & set(not_ours(out, there, ours))
    words = f"was not written by {what} and would be overwritten"
    remedy = f"{_ELSEWHERE}, or move the file away"
    raise_all([StorageError(words, where=out / name, remedy=remedy) for name in sorted(lost)])


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what a file or folder is known by, and ``None`` where nothing is."""
    status = status_of(path)
    return None if status is None else (status.st_dev, status.st_ino)

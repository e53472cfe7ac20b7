"""Whose the files in a folder are: those of the command that made it, or somebody's own, which stay.

Files are known by the names that their command gives, pictures by a mark in them besides.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import stat
from collections.abc import Collection
from pathlib import Path

from prestige.compute.partials import is_partial
from prestige.errors import StorageError, storing
from prestige.inputs import status_of

MARK = "prestige.picture/1"
"""Stands in every picture that is made: PNG's ``Software``, SVG's ``Creator``."""

_PICTURES, _HEAD_BYTES = (".png", ".svg"), 4096

_OF_THE_SYSTEM = (".DS_Store", "._*", "Thumbs.db", "desktop.ini", ".nfs*")  # written by whoever looks


def refuse_others(folder: Path, ours: Collection[str]) -> None:
    """Refuse a folder that holds a file which the command did not make, and a file in its place.

    Parameters
    ----------
    ours
        What the command makes: paths from the folder, ``*`` for any text.

    Raises
    ------
    StorageError
        When something would be lost.
    """
    with storing(folder):
        there = status_of(folder)
        if there is None:
            return
        if not stat.S_ISDIR(there.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        others = not_ours(folder, files_in(folder), ours)
    if others:
        raise StorageError(
            f"holds '{others[0]}', which would be lost",
            where=folder,
            expected="a new folder, or one that the same command wrote before",
            remedy="choose another folder",
        )


def files_in(folder: Path) -> list[str]:
    """Return what lies in a folder and below, as paths from it: files, links, folders without files.

    Left out are what is being written, and what the system puts everywhere.
    """
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_passed_over(name)]
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        within = Path(place).relative_to(folder)
        found += [(within / name).as_posix() for name in (*files, *links) if not is_passed_over(name)]
        if not files and not folders and within.parts:
            found.append(within.as_posix())
    return sorted(found)


def is_passed_over(name: str) -> bool:
    """Return whether a name says that nothing of anybody is lost with it."""
    of_the_system = any(fnmatch.fnmatch(name, pattern) for pattern in _OF_THE_SYSTEM)
    return is_partial(name) or of_the_system


def not_ours(folder: Path, names: Collection[str], ours: Collection[str]) -> list[str]:
    """Return which of some paths from a folder are not ``ours``: other names, and pictures without the mark.

    Where no picture has it, an older version made them.
    """
    named = {name for name in names if any(fnmatch.fnmatchcase(name, one) for one in ours)}
    pictures = {name for name in named if name.endswith(_PICTURES)}
    marked = {name for name in pictures if is_marked(folder / name)}
    return [name for name in names if name not in named or (marked and name in pictures - marked)]


def is_marked(path: Path) -> bool:
    """Return whether a picture is one of ours."""
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False

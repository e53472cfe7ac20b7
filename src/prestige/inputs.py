"""Files that others wrote, opened by one rule: a regular file of a bearable size, or one line."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prestige.errors import DataError, PrestigeError, nearest, reading

MOST_TEXT_BYTES = 1 << 28
"""No settings, card or list of names is larger."""

_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP)

_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
    (stat.S_ISSOCK, "is a socket"),
)


def plain_file(
    path: Path | str,
    *,
    expected: str,
    kind: type[PrestigeError] = DataError,
    remedy: str | None = None,
) -> Path:
    """Return the path of a file that can be read from its beginning to its end.

    Parameters
    ----------
    path
        Links are followed.
    expected
        What the file should be, for the message: "a yaml file".
    kind
        The class of the error.
    remedy
        What to do where there is none; by default the nearest name in its folder.

    Raises
    ------
    PrestigeError
        Of the class ``kind``: there is no such file, it may not be read, or it is a folder, pipe or device.
    """
    path = Path(path)
    try:
        with reading(path, expected=expected, remedy=None, kind=kind):
            mode = path.stat().st_mode
    except PrestigeError as error:
        if not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            raise
        raise kind("no such file", where=path, expected=expected, remedy=remedy or _near(path)) from None
    for is_kind, words in _KINDS:
        if is_kind(mode):
            raise kind(words, where=path, expected=expected, remedy="name a file")
    if not os.access(path, os.R_OK):
        raise kind(
            "cannot be read (permission denied)", where=path, expected=expected, remedy="mend its rights"
        )
    return path


def plain_folder(
    path: Path | str,
    *,
    expected: str,
    kind: type[PrestigeError] = DataError,
    remedy: str | None = None,
    called: str = "folder",
) -> Path:
    """Return the path of a folder that can be looked into.

    Parameters
    ----------
    path
        Links are followed.
    expected
        What the folder should be, for the message.
    kind
        The class of the error.
    remedy
        What to do where there is none, and no name in the folder above it is near.
    called
        The word for such a folder: "store".

    Raises
    ------
    PrestigeError
        Of the class ``kind``: there is no such folder, it may not be read, or it is a file.
    """
    path = Path(path)
    with reading(path, expected=expected, remedy=remedy, kind=kind):
        found = status_of(path)
    if found is None:
        raise kind(f"no such {called}", where=path, expected=expected, remedy=_near(path) or remedy)
    if not stat.S_ISDIR(found.st_mode):
        special = next((words for is_kind, words in _KINDS if is_kind(found.st_mode)), None)
        unpacked = "" if special else ", or unpack it and name that"
        raise kind(
            special or "is a file",
            where=path,
            expected=expected,
            remedy=f"name the folder that it lies in ({path.parent}){unpacked}",
        )
    if not os.access(path, os.R_OK | os.X_OK):
        raise kind(
            "cannot be read (permission denied)", where=path, expected=expected, remedy="mend its rights"
        )
    return path


def real_path(path: Path | str) -> Path:
    """Return an absolute path with links followed as far as they lead; a circle of links is left as it is."""
    return Path(os.path.realpath(path))  # Path.resolve raises where links lead in a circle


def status_of(path: Path | str) -> os.stat_result | None:
    """Return what the system says of a file or folder, links followed, and ``None`` where nothing is.

    One look tells whether it is there and what it is: between two, another process may put it aside.

    Raises
    ------
    OSError
        When the system does not let one look.
    """
    try:
        return os.stat(path)
    except ValueError:  # no name that a file can have
        return None
    except OSError as error:
        if error.errno not in _NOTHING_THERE:
            raise
        return None


def read_text(
    path: Path | str,
    *,
    expected: str,
    kind: type[PrestigeError] = DataError,
    remedy: str | None = "save it as text in UTF-8",
    most_bytes: int = MOST_TEXT_BYTES,
) -> str:
    """Return a text in UTF-8, with or without a byte order mark.

    Raises
    ------
    PrestigeError
        Of the class ``kind``, as of :func:`plain_file`; also when it is no text in UTF-8, or larger than
        ``most_bytes``.
    """
    path = plain_file(path, expected=expected, kind=kind)
    with reading(path, expected=expected, remedy=remedy, kind=kind), path.open("rb") as file:
        content = file.read(
            min(os.fstat(file.fileno()).st_size, most_bytes) + 1
        )  # memory for so many is taken
        text = content.decode("utf-8-sig") if len(content) <= most_bytes else None
    if text is None:
        raise kind(f"is larger than {most_bytes:,} bytes", where=path, expected=expected)
    return text


def read_json_object(
    path: Path | str,
    *,
    expected: str,
    kind: type[PrestigeError] = DataError,
    remedy: str | None = None,
    most_bytes: int = MOST_TEXT_BYTES,
) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises
    ------
    PrestigeError
        Of the class ``kind``, as of :func:`read_text`; also when it is no JSON, or no object.
    """
    text = read_text(path, expected=expected, kind=kind, remedy=remedy, most_bytes=most_bytes)
    with reading(path, expected=expected, remedy=remedy, kind=kind):
        content = json.loads(text)
    if not isinstance(content, dict):
        raise kind("holds no JSON object", where=path, expected=expected, remedy=remedy)
    return content


def files_below(folder: Path, *, within: Sequence[Path] = ()) -> list[Path]:
    """Return the files of a folder and of its folders, sorted, without those that file managers leave.

    Links to files count as files, links to folders are not gone through.

    Parameters
    ----------
    within
        The folders that no link may lead out of; without any, links may lead anywhere.

    Raises
    ------
    DataError
        For a link that leads out, or nowhere, and for what is neither file nor folder.
    """
    files, open_folders = [], [os.fspath(folder)]
    while open_folders:
        with reading(folder), os.scandir(open_folders.pop()) as entries:
            there = list(entries)
        for entry in there:
            if entry.is_dir(follow_symlinks=False):
                open_folders.append(entry.path)
            elif not is_stray(entry.name) and _is_file(entry, within):
                files.append(Path(entry.path))
    return sorted(files)


def inside(path: Path, folders: Sequence[Path]) -> bool:
    """Return whether a path, its links followed, lies in one of some folders."""
    real = os.path.realpath(path)
    return any(real.startswith(os.path.join(os.path.realpath(folder), "")) for folder in folders)


def is_stray(name: str) -> bool:
    """Return whether a file is none of a store's but one that the Finder, Explorer or rsync leaves."""
    return (name.startswith(".") and not name.startswith(".z")) or name in ("Thumbs.db", "desktop.ini")


_NO_FILE = "is no file but a pipe or a device"


def _is_file(entry: os.DirEntry[str], within: Sequence[Path]) -> bool:
    """Return whether an entry that is no folder is a file to be read, and no link to a folder."""
    if entry.is_symlink() and within and not inside(Path(entry.path), within):
        what = "is a link that leads out of the folder"
    elif os.path.isfile(entry.path):  # of a link in a circle, entry.is_file() raises
        return True
    elif os.path.isdir(entry.path):
        return False
    else:
        what = "is a link that leads nowhere" if not os.path.exists(entry.path) else _NO_FILE
    raise DataError(
        what,
        where=entry.path,
        expected="files that lie in the folder",
        remedy="copy the folder with what its links lead to (cp -rL), or take it off",
    )


def _near(path: Path) -> str | None:
    try:
        with os.scandir(path.parent) as entries:
            near = nearest(path.name, [entry.name for entry in entries])
    except OSError:
        return None
    return f"did you mean '{near}'?" if near else None

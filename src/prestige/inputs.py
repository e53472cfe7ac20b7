"""Files that others wrote, opened by one rule: a regular file of a bearable size, or one line."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from prestige.errors import DataError, PrestigeError, nearest, reading

MOST_TEXT_BYTES = 1 << 28
"""No settings, card or list of names is larger."""

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


def _near(path: Path) -> str | None:
    try:
        with os.scandir(path.parent) as entries:
            near = nearest(path.name, [entry.name for entry in entries])
    except OSError:
        return None
    return f"did you mean '{near}'?" if near else None

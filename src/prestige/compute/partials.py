"""What is being written, beside its target: its name, and how what a killed process left goes away."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path

from prestige.compute.processes import TOKEN_DIGITS, has_ended, token

_PARTIAL = re.compile(r"\..+\.([0-9a-f]{12}|[0-9a-f]{32})\.partial", re.DOTALL)
_LONGEST_NAME = 160  # bytes, of the 255 that file systems allow
_STALE_SECONDS, _SOON_SECONDS = 24 * 3600.0, 60.0


def is_partial(name: str) -> bool:
    """Return whether a file or folder of this name is being written, or was when its process was killed."""
    return _PARTIAL.fullmatch(name) is not None


def partial_of(path: Path) -> Path:
    """Return a new name beside ``path`` that says which process writes there."""
    name = path.name if len(os.fsencode(path.name)) <= _LONGEST_NAME else path.name[: _LONGEST_NAME // 4]
    return path.with_name(f".{name}.{token()}{uuid.uuid4().hex[: 32 - TOKEN_DIGITS]}.partial")


def sweep(folder: Path) -> None:
    """Remove what processes left that have ended, or a day ago."""
    with os.scandir(folder) as entries:
        for entry in entries:
            _remove_stale(Path(entry.path), _STALE_SECONDS)


def _remove_stale(path: Path, seconds: float) -> None:
    told = _PARTIAL.fullmatch(path.name)
    if told is None:
        return
    ended = len(told[1]) > TOKEN_DIGITS and has_ended(told[1][:TOKEN_DIGITS])
    with suppress(OSError):  # another process has just removed it
        if ended or time.time() - path.lstat().st_mtime > seconds:
            remove(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; a link itself, not what it points to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def remove_partials(folder: Path) -> None:
    """Remove what killed processes left in a folder and below it, where nobody else writes for long.

    What another machine's process wrote within a minute stays: it is about to find the folder taken.
    """
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _remove_stale(Path(place) / name, _SOON_SECONDS)


def settle(path: Path, mode: int) -> None:
    """Give a written file its mode, and wait until the disk has it."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_mode & 0o7777 != mode and status.st_nlink == 1:  # a link's mode is another file's too
            path.chmod(mode)
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder, where its file system can be asked to."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)

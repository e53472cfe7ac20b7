"""One way to write a file or a folder: whole or not at all, whatever ends the process.

What is being written stands beside its target as ``.<name>.<12 hex digits>.partial``: hidden, of one
process alone, and told from everything else by :func:`is_partial`.  A process that is killed leaves it;
whoever writes into the same folder a day later sweeps it away.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from prestige.errors import StorageError, storage_error, storing

_PARTIAL = re.compile(r"\..+\.[0-9a-f]{12}\.partial", re.DOTALL)
_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)
_STALE_SECONDS, _SOON_SECONDS = 24 * 3600.0, 60.0


def is_partial(name: str) -> bool:
    """Return whether a file or folder of this name is being written, or was when its process was killed."""
    return _PARTIAL.fullmatch(name) is not None


@contextmanager
def whole_file(path: Path, *, keep: bool = False) -> Iterator[Path]:
    """Yield an empty file that takes the place of ``path`` once the block has written it.

    Folders above it are made.  Its mode follows the umask, whatever wrote it.

    Parameters
    ----------
    keep
        Whether a file that is there stays, whoever wrote it, and when.

    Raises
    ------
    StorageError
        When the disk refuses; nothing half-written is left.  What is wrong with another file that the block
        reads stays an ``OSError``.
    """
    with _in_progress(path) as (partial, target):
        with partial.open("xb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o7777
        yield partial
        _settle(partial, mode)
        if keep:
            _link(partial, target)
        else:
            os.replace(partial, target)


def write_text(path: Path, text: str, *, keep: bool = False) -> None:
    """Write a text file in UTF-8, whole or not at all; see :func:`whole_file`."""
    with whole_file(path, keep=keep) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(path: Path, *, ours: Collection[str] | None = (), keep: bool = False) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``path`` once the block has filled it.

    An older one is set aside, and removed when the new one stands.

    Parameters
    ----------
    ours
        Names that a folder of this kind holds: one that holds anything else is left as it is.  None where
        whatever it holds may go.
    keep
        Whether a folder that is there and not empty stays, whoever wrote it, and when.

    Raises
    ------
    StorageError
        When the folder holds other files, or the disk refuses; nothing half-written is left.  What is wrong
        with another file that the block reads stays an ``OSError``.
    """
    if not keep and ours is not None:
        refuse_others(path, ours)
    with _in_progress(path) as (partial, target):
        partial.mkdir()
        yield partial
        mode = partial.stat().st_mode & 0o666
        for written in partial.rglob("*"):
            if written.is_file() and not written.is_symlink():
                _settle(written, mode)
        if keep:
            _rename_unless_there(partial, target)
        else:
            _replace_folder(partial, target)


def refuse_others(folder: Path, ours: Collection[str]) -> None:
    """Refuse a folder that holds anything besides the names in ``ours``, and a file in its place.

    Raises
    ------
    StorageError
        When something would be lost.
    """
    if not folder.exists():
        return
    with storing(folder):
        others = sorted(path.name for path in folder.iterdir() if path.name not in ours)
    if others:
        raise StorageError(
            f"holds '{others[0]}', which would be lost",
            where=folder,
            expected="a new folder, or one that the same command wrote before",
            remedy="choose another folder",
        )


def remove_folder(folder: Path) -> bool:
    """Remove a folder at once, so that nobody opens half of it; False where another process was faster."""
    partial = _partial_of(folder)
    try:
        os.rename(folder, partial)
    except OSError:
        return False
    shutil.rmtree(partial, ignore_errors=True)
    return True


def remove_partials(folder: Path) -> None:
    """Remove what killed processes left in a folder and below it, where nobody else writes for long.

    What is a minute old may be that of a process that is about to find the folder taken, and stays.
    """
    for path in list(folder.rglob(".*.partial")):
        _remove_stale(path, _SOON_SECONDS)


def _partial_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.partial")


@contextmanager
def _in_progress(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a new name beside ``path``, and ``path`` with links followed; nothing of the new one is left."""
    target = Path(path).resolve()
    partial = _partial_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        yield partial, target
    except (OSError, SafetensorError) as error:
        if _concerns_another(error, target.parent):
            raise
        raise storage_error(error, path) from error
    except StorageError as error:  # of something within: it is named as it would have been
        if str(partial) not in (error.where or ""):
            raise
        where = str(error.where).replace(str(partial), str(path))
        raise StorageError(error.what, where=where, expected=error.expected, remedy=error.remedy) from error
    finally:
        _remove(partial)


def _concerns_another(error: Exception, folder: Path) -> bool:
    """Return whether an error names a file that is neither in ``folder`` nor above it."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str | bytes):
        return False
    named = Path(os.fsdecode(name)).resolve()
    return not (named.is_relative_to(folder) or folder.is_relative_to(named))


def _sweep(folder: Path) -> None:
    """Remove what killed processes left a day ago or earlier."""
    with os.scandir(folder) as entries:
        for entry in entries:
            _remove_stale(Path(entry.path), _STALE_SECONDS)


def _remove_stale(path: Path, seconds: float) -> None:
    with suppress(OSError):  # another process has just removed it
        if is_partial(path.name) and time.time() - path.stat().st_mtime > seconds:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _settle(path: Path, mode: int) -> None:
    """Give a written file its mode, and wait until the disk has it."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_mode & 0o7777 != mode and status.st_nlink == 1:  # a link's mode is another file's too
            path.chmod(mode)
        os.fsync(file.fileno())


def _link(partial: Path, target: Path) -> None:
    try:
        os.link(partial, target)
    except OSError as error:
        if not target.exists():  # a file system without hard links
            os.replace(partial, target)
        elif not target.is_file():
            raise error


def _rename_unless_there(partial: Path, target: Path) -> None:
    try:
        os.rename(partial, target)
    except OSError:
        if not target.is_dir():
            raise


def _replace_folder(partial: Path, target: Path) -> None:
    aside = _partial_of(target)
    try:
        while True:  # another process may put its own there meanwhile: the last one stands
            try:
                os.rename(partial, target)  # nothing is there, or an empty folder
                break
            except OSError as error:
                if error.errno not in _NOT_EMPTY:
                    raise
            _remove(aside)
            with suppress(FileNotFoundError):
                os.rename(target, aside)
    except OSError:
        if aside.exists():
            os.rename(aside, target)
        raise
    _remove(aside)

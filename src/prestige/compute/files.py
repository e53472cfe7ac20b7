"""One way to write a file or a folder: whole or not at all, whatever ends the process.

What is being written stands beside its target as ``.<name>.<32 hex digits>.partial``: hidden, of one
process alone, and told from everything else by :func:`~prestige.compute.partials.is_partial`.  A process that
is killed leaves it; whoever writes into the same folder next sweeps it away: at once where it is seen that
the process has ended (the digits name it), else a day later.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from prestige.compute.ownership import refuse_others
from prestige.compute.partials import partial_of, remove, settle, sweep, sync_folder
from prestige.errors import StorageError, storage_error, storing
from prestige.inputs import real_path

_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)


@contextmanager
def whole_file(path: Path, *, keep: bool = False) -> Iterator[Path]:
    """Yield an empty file that takes the place of ``path`` once the block has written it.

    Folders above it are made.  Its mode follows the umask, whatever wrote it.  A link of that name gives way
    to the file: what it points to is somebody else's.  A device or pipe stays what it is.

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
    path = Path(path)
    with _in_progress(path, real_path(path.parent) / path.name) as (partial, target):
        if not _is_file_or_free(target):
            raise StorageError("is no file", where=path, expected="a file, or nothing", remedy="name another")
        with partial.open("xb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o7777
        yield partial
        settle(partial, mode)
        if keep:
            _link(partial, target)
        else:
            os.replace(partial, target)
        sync_folder(target.parent)


def write_text(path: Path, text: str, *, keep: bool = False) -> None:
    """Write a text file in UTF-8, whole or not at all; see :func:`whole_file`."""
    with whole_file(path, keep=keep) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(path: Path, *, ours: Collection[str] = (), keep: bool = False) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``path`` once the block has filled it.

    An older one is set aside, and removed when the new one stands.

    Parameters
    ----------
    ours
        Names that a folder of this kind holds, as of :func:`refuse_others`: one that holds anything else is
        left as it is.
    keep
        Whether a folder that is there and not empty stays, whoever wrote it, and when.

    Raises
    ------
    StorageError
        When the folder holds other files, or the disk refuses; nothing half-written is left.  What is wrong
        with another file that the block reads stays an ``OSError``.
    """
    if not keep:
        refuse_others(path, ours)
    with _in_progress(path, real_path(path)) as (partial, target):
        partial.mkdir()
        yield partial
        mode = partial.stat().st_mode & 0o666
        for written in [*partial.rglob("*"), partial]:
            if written.is_dir():
                sync_folder(written)
            elif written.is_file() and not written.is_symlink():
                settle(written, mode)
        if keep:
            _rename_unless_there(partial, target)
        else:
            refuse_others(path, ours)  # what somebody has put there meanwhile
            _replace_folder(partial, target)
        sync_folder(target.parent)


def remove_folder(folder: Path) -> bool:
    """Remove a folder at once, so that nobody opens half of it; False where another process was faster."""
    partial = partial_of(folder)
    try:
        os.rename(folder, partial)
    except OSError:
        return False
    remove(partial)
    return True


def probe(folder: Path) -> None:
    """Write a little where ``folder`` is or will be, and remove it: it takes a few milliseconds.

    Raises
    ------
    StorageError
        When the disk is full or refuses, or something is in the way.
    """
    with storing(folder):
        place = real_path(folder)
        while not _is_written_into(place):
            place = place.parent


def _is_written_into(folder: Path) -> bool:
    """Write a little into a folder and remove it; False where it is not there, or is put aside meanwhile."""
    partial = partial_of(folder / "probe")
    try:
        with partial.open("xb") as file:
            file.write(b"1")
            file.flush()
            os.fsync(file.fileno())
    except FileNotFoundError:
        if folder.exists():
            raise
        return False
    finally:
        remove(partial)
    return True


@contextmanager
def _in_progress(path: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a new name beside ``target``, and ``target``, called ``path``; nothing of the new one is left."""
    partial = partial_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
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
        remove(partial)


def _is_file_or_free(target: Path) -> bool:
    """Return whether a name is free, or of a file or a link."""
    try:
        mode = target.lstat().st_mode
    except OSError:  # it is not there, or told when it is written
        return True
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)  # a folder is told by the system


def _concerns_another(error: Exception, folder: Path) -> bool:
    """Return whether an error names a file that is neither in ``folder`` nor above it."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str | bytes):
        return False
    named = real_path(os.fsdecode(name))
    return not (named.is_relative_to(folder) or folder.is_relative_to(named))


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
    aside = partial_of(target)
    try:
        while True:  # another process may put its own there meanwhile: the last one stands
            try:
                os.rename(partial, target)  # nothing is there, or an empty folder
                break
            except OSError as error:
                if error.errno not in _NOT_EMPTY:
                    raise
            remove(aside)
            with suppress(FileNotFoundError):
                os.rename(target, aside)
    except OSError:
        if aside.exists():
            os.rename(aside, target)
        raise
    remove(aside)

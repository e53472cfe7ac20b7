"""Who works on a folder: locks that end with the process that holds them, so that a crash leaves none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prestige.errors import StorageError, storing

try:
    import fcntl
except ImportError:  # a system without such locks: there, each folder is one process's own affair
    fcntl = None


class BusyError(StorageError):
    """Another process works on it now."""


@contextmanager
def held(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of a file that exists, for as long as the block lasts.

    The file itself is neither read nor changed.  Machines that share a folder see each other's locks
    where its file system carries them (NFS from version 4 on does).

    Parameters
    ----------
    wait
        Whether to wait for another process that holds it.

    Raises
    ------
    BusyError
        When another process holds it, and waiting was not asked for.
    StorageError
        When the file cannot be opened, or its file system has no locks.
    """
    with storing(path):
        file = path.open("r+b")
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise BusyError(
                    "another process works on it",
                    where=path.parent,
                    remedy="wait for it, or give another folder",
                ) from None
            except OSError as error:  # some networks' file systems have none
                raise StorageError(
                    f"cannot be locked ({error.strerror})",
                    where=path,
                    remedy="choose a folder on a file system with locks",
                ) from error
        yield

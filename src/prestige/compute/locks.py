"""Who works on a folder: locks that end with the process that holds them, so that a crash leaves none.

Where a file system has none (some networks' have not), a file ``<name>.lock`` beside stands for one.  It
says which process holds it, and goes with the next one's attempt once that process is seen to have ended.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prestige.compute.partials import partial_of
from prestige.compute.processes import TOKEN_DIGITS, has_ended, token
from prestige.compute.progress import say
from prestige.errors import StorageError, storing

try:
    import fcntl
except ImportError:  # a system without such locks
    fcntl = None

_PAUSE_SECONDS = 0.2


class _Told:
    """Whether it was said that files stand for locks."""

    once = False


class BusyError(StorageError):
    """Another process works on it now."""


@contextmanager
def held(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of a file that exists, for as long as the block lasts.

    The file itself is neither read nor changed.  Machines that share a folder see each other's locks
    where its file system carries them (NFS from version 4 on does), or has none at all.

    Parameters
    ----------
    wait
        Whether to wait for another process that holds it.

    Raises
    ------
    BusyError
        When another process holds it, and waiting was not asked for.
    StorageError
        When the file cannot be opened.
    """
    with storing(path):
        file = path.open("r+b")
    with file:
        lack = _lock(file.fileno(), path, wait=wait)
        if lack is None:
            yield
            return
    if not _Told.once:
        _Told.once = True
        say(f"note: {path.parent}: its file system has no locks ({lack}): files '*.lock' stand for them")
    with _held_by_file(path.with_name(f"{path.name}.lock"), wait=wait):
        yield


def _lock(number: int, path: Path, *, wait: bool) -> str | None:
    """Lock an open file, or say why its file system cannot."""
    if fcntl is None:
        return "not on this system"
    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise _busy(path, "another process works on it", "wait for it, or give another folder") from None
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


@contextmanager
def _held_by_file(lock: Path, *, wait: bool) -> Iterator[None]:
    while not _make(lock):
        holder = _holder(lock)
        if holder is not None and has_ended(holder.get("process", "0" * TOKEN_DIGITS)):
            _take_away(lock, holder)
        elif not wait:
            words = f"process {holder['number']} on {holder['machine']}" if holder else "another process"
            remedy = f"wait for it; if it has ended, delete {lock}"
            raise _busy(lock, f"{words} works on it", remedy)
        else:
            time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()


def _make(lock: Path) -> bool:
    """Make the file that stands for the lock, whole at once; False where there is one."""
    partial = partial_of(lock)
    says = {"process": token(), "number": os.getpid(), "machine": os.uname().nodename}
    with storing(lock):
        try:
            with partial.open("x", encoding="utf-8") as file:
                json.dump(says, file)
            os.link(partial, lock)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            with suppress(FileExistsError), lock.open("x", encoding="utf-8") as file:
                json.dump(says, file)
                return True
            return False
        finally:
            partial.unlink(missing_ok=True)
    return True


def _holder(lock: Path) -> dict[str, str] | None:
    """Return who holds a lock, None where it is gone or does not say."""
    try:
        said = json.loads(lock.read_text(encoding="utf-8"))
        names = ("process", "number", "machine")
        whole = len(str(said["process"])) == TOKEN_DIGITS and int(str(said["process"]), 16) >= 0
        return {name: str(said[name]) for name in names} if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _take_away(lock: Path, holder: dict[str, str]) -> None:
    """Take a lock away whose holder has ended, unless another process has by now and holds its own."""
    if _holder(lock) == holder:
        with suppress(OSError):
            lock.unlink()


def _busy(path: Path, what: str, remedy: str) -> BusyError:
    return BusyError(what, where=path.parent, remedy=remedy)

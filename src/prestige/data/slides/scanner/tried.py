"""Slides of scanners are tried by a process that may be lost before this one opens them."""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from prestige.data.hdf5.opened import Walker
from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import files_below

_EXPECTED = "a whole slide of a scanner"
_END: dict[int, str] = {
    signal.SIGPROF: "is damaged: openslide does not come to an end with it",
    signal.SIGABRT: "is damaged: openslide gives up over it, or it asks for more memory than any slide does",
    signal.SIGKILL: "asks for more memory than there is",
}

_sound: set[tuple[tuple[int, ...], ...]] = set()  # slides that were tried, by what changes with them
_triers: dict[int, Walker] = {}  # of this process, and of those it was forked from
_lock = Lock()


def check_by_trial(file: Path, parts: Sequence[Path]) -> None:
    """Refuse a slide over which a process ends.

    One that this process met before, unchanged, is not tried again.

    Parameters
    ----------
    file
        What openslide is to open.
    parts
        All files and folders that the slide is made of.

    Raises
    ------
    DataError
        Naming the file.
    """
    with reading(file, expected=_EXPECTED):
        files = [one for part in parts for one in (files_below(part) if part.is_dir() else [part])]
        stats = [one.stat() for one in files]
        state = tuple((s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in stats)
    if state in _sound:
        return
    with _lock:
        trier = _triers.get(os.getpid())
        if trier is None or not trier.alive:
            trier = _triers[os.getpid()] = Walker("prestige.data.slides.scanner.trial")
        found = trier.ask(file)
    if isinstance(found, int):
        ended = _END.get(found, f"ends the process that reads it (signal {found})")
        raise DataError(ended, where=file, expected=_EXPECTED, remedy=AGAIN)
    _sound.add(state)


@atexit.register
def _end() -> None:
    trier = _triers.pop(os.getpid(), None)
    if trier is not None:
        trier.close()

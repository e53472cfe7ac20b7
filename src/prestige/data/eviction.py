"""The cache's size limit: what was used least recently goes first.

A sample was last used when it was last opened: that is the time of its ``sample.json``; features when they
were last read: the time of their folder.  A slide goes with the last sample that is linked to it.  A process
that has a slide mapped keeps it: the system frees the room when it is done.
"""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

from prestige.compute.files import remove_folder
from prestige.compute.partials import is_partial
from prestige.compute.progress import say
from prestige.data.card import CARD
from prestige.data.feature_store import FOLDER
from prestige.errors import ConfigError

VARIABLE, DEFAULT_GB = "PRESTIGE_CACHE_GB", 200.0


def limit_bytes() -> float:
    """Return the most bytes that the cache may hold: ``$PRESTIGE_CACHE_GB``, 200 by default, 0 for no limit.

    Raises
    ------
    ConfigError
        When the variable is no number, or below 0.
    """
    named = os.environ.get(VARIABLE, "")
    try:
        gigabytes = float(named) if named else DEFAULT_GB
    except ValueError:
        gigabytes = math.nan
    if not gigabytes >= 0:
        raise ConfigError(f"'{named}' is no size", where=VARIABLE, expected="gigabytes, or 0 for no limit")
    return gigabytes * 1e9 or math.inf


def touch(sample: Path) -> None:
    """Note that a prepared sample is used now."""
    with contextlib.suppress(OSError):  # another user's cache is read and not written
        os.utime(sample / CARD)


def trim(cache_dir: Path, keep: Path) -> list[Path]:
    """Remove what was used least recently until the cache is within its limit; ``keep`` stays in any case.

    Several processes may do so at once: a folder is renamed before it is emptied, so nobody opens half of it.

    Returns
    -------
    The folders of samples and features that were removed.
    """
    limit, removed = limit_bytes(), []
    samples, slides, features = (cache_dir / name for name in ("samples", "slides", FOLDER))
    folders = [
        folder
        for folder in (*samples.glob("*"), *features.glob("*"))
        if folder.is_dir() and not is_partial(folder.name)
    ]
    order = sorted((used, folder) for folder in folders if (used := _used(folder)) is not None)
    size = _bytes_in([samples, slides, features])
    for _, folder in order:
        if size <= limit:
            break
        if folder == keep or not remove_folder(folder):
            continue
        removed.append(folder)
        for slide in slides.glob("*.npy"):
            with contextlib.suppress(FileNotFoundError):
                if slide.stat().st_nlink == 1:  # no sample is linked to it any more
                    slide.unlink()
        size = _bytes_in([samples, slides, features])
    if removed:
        plural = "entries" if len(removed) > 1 else "entry"
        say(
            f"the cache is kept within {limit / 1e9:g} GB ({VARIABLE}): "
            f"{len(removed)} {plural} used least recently removed"
        )
    return removed


def _used(folder: Path) -> float | None:
    """Return when a sample was last used, None where another process has just removed it."""
    for path in (folder / CARD, folder):
        with contextlib.suppress(OSError):
            return path.stat().st_mtime
    return None


def _bytes_in(folders: list[Path]) -> int:
    """Return the bytes on the disk below some folders; files that are linked twice count once."""
    seen: dict[tuple[int, int], int] = {}
    for place, _, names in (found for folder in folders for found in os.walk(folder)):
        for name in names:  # another process may remove any of them, or a folder, meanwhile
            with contextlib.suppress(OSError):
                stat = os.stat(os.path.join(place, name))
                seen[stat.st_dev, stat.st_ino] = stat.st_size
    return sum(seen.values())

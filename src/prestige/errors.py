"""One error family: what is wrong, where, what was expected, and how to mend it.

Everything a user can get wrong ends in a :class:`PrestigeError`.  The library raises it, the
command line prints ``str(error)`` as one line and exits with ``exit_code``.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class PrestigeError(Exception):
    """A fault that a user can mend.

    Parameters
    ----------
    what
        The fault, as a short clause without a full stop.
    where
        The file, sample, key or element in which it was found.
    expected
        What should have been there.
    remedy
        What to do about it.

    Examples
    --------
    >>> import prestige
    >>> try:
    ...     prestige.read_run("absent.yaml")
    ... except prestige.PrestigeError as error:
    ...     print(error)
    absent.yaml: no such file...
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: str | Path | None = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.expected = expected
        self.remedy = remedy
        self.faults: tuple[PrestigeError, ...] = (self,)
        super().__init__(self._line())

    def _line(self) -> str:
        clauses = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.expected:
            clauses.append(f"expected {self.expected}")
        if self.remedy:
            clauses.append(self.remedy)
        return "; ".join(" ".join(clause.split()) for clause in clauses)


class ConfigError(PrestigeError):
    """A settings file or an argument is wrong."""


class DataError(PrestigeError):
    """A sample, image or table is wrong."""


class SplitError(PrestigeError):
    """A split would be empty, or would let test tissue into training."""


class ModelError(PrestigeError):
    """A model cannot be built, loaded or used on this input."""


class StorageError(PrestigeError):
    """Something could not be written or read back: a full disk, a missing or broken file."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the entry of ``known`` most like ``name``, or None when nothing is near."""
    options = list(known)
    by_lower = {option.lower(): option for option in options}
    matches = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.5)
    return by_lower[matches[0]] if matches else None


def unknown(kind: str, name: str, known: Iterable[str], *, where: str | Path | None = None) -> ConfigError:
    """Build the error for a name that is not among ``known``, naming its nearest neighbour."""
    options = sorted(known)
    near = nearest(name, options)
    return ConfigError(
        f"unknown {kind} '{name}'",
        where=where,
        expected="one of " + ", ".join(options) if options else None,
        remedy=f"did you mean '{near}'?" if near else None,
    )


def raise_all(faults: Sequence[PrestigeError]) -> None:
    """Raise nothing, the one fault, or one error that lists them all at once.

    A fault that is itself such a list counts as its parts, and no fault is told twice.

    Raises
    ------
    PrestigeError
        Of the first fault's class, when ``faults`` is not empty.
    """
    single = list({str(one): one for fault in faults for one in fault.faults}.values())
    if not single:
        return
    if len(single) == 1:
        raise single[0]
    together = type(single[0])(f"{len(single)} faults: " + " | ".join(str(fault) for fault in single))
    together.faults = tuple(single)
    raise together


@contextmanager
def storing(where: str | Path) -> Iterator[None]:
    """Tell what the disk refuses while something is written as a fault of ``where``.

    Raises
    ------
    StorageError
        In place of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, where) from error


def storage_error(error: Exception, where: str | Path) -> StorageError:
    """Return what the disk refused (an ``OSError``, or a writer's own error) as a fault of ``where``."""
    if getattr(error, "errno", None) in NO_SPACE or "No space left" in str(error):
        what, remedy = "the disk is full", "free some disk space and run the same command to go on"
    else:
        what = f"cannot be written ({getattr(error, 'strerror', None) or error})"
        remedy = "choose another folder, or mend its rights"
    return StorageError(what, where=where, remedy=remedy)

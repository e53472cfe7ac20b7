"""One error family: what is wrong, where, what was expected, and how to mend it.

Everything a user can get wrong ends in a :class:`PrestigeError`.  The library raises it, the
command line prints ``str(error)``, one line a fault, and exits with ``exit_code``.

Two contexts turn what libraries raise into it: :func:`reading` around the reading of a named file, and
:func:`storing` around the writing of one.
"""

from __future__ import annotations

import difflib
import errno
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
AGAIN = "copy it again if it was cut off"

_LONGEST_CLAUSE = 2000  # characters; a value from a file may be of any length
_LONGEST_PLACE = 500
_LONGEST_NAME = 80
_LONGEST_WORD = 250  # a name from a file, of which a message may show five
_REASON = 200
_CUT_OFF = (EOFError, zlib.error, gzip.BadGzipFile)  # what is packed is damaged, whatever it should be
_POINTER, _POINTER_BYTES = b"version https://git-lfs.github.com/", 1024
# What no library raises over what stands in a file: defects of this package, and what is no fault of a file.
_NOT_OF_A_FILE = (AssertionError, NameError, ImportError, NotImplementedError, Warning)


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
        what = _clause(self.what)
        clauses = [f"{one_line(self.where, _LONGEST_PLACE)}: {what}" if self.where else what]
        if self.expected:
            clauses.append(f"expected {self.expected}")
        if self.remedy:
            clauses.append(self.remedy)
        return "; ".join([clauses[0], *(_clause(clause) for clause in clauses[1:])])


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


def one_line(text: str, most: int = _LONGEST_CLAUSE) -> str:
    """Return a text as one line of bounded length that a terminal shows and does not obey."""
    text = text if len(text) <= 4 * most else text[: 4 * most]
    words = " ".join(text.split())
    if not words.isprintable():
        words = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in words)
    return words if len(words) <= most else words[: most - 3] + "..."


def _clause(text: str) -> str:
    """Return a part of a message as one line, of every word that is too long its beginning and its end."""
    if len(text) > _LONGEST_WORD:
        half = _LONGEST_WORD * 2 // 5
        words = (
            one if len(one) <= _LONGEST_WORD else f"{one[:half]}...{one[-half:]}" for one in text.split()
        )
        text = " ".join(words)
    return one_line(text)


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
        f"unknown {kind} '{one_line(name, _LONGEST_NAME)}'",
        where=where,
        expected="one of " + ", ".join(options) if options else None,
        remedy=f"did you mean '{near}'?" if near else None,
    )


def raise_all(faults: Sequence[PrestigeError]) -> None:
    """Raise nothing, the one fault, or one error that lists them all at once, one a line.

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
    together = type(single[0])(f"{len(single)} faults")
    together.args = ("\n  ".join([f"{len(single)} faults:", *(str(fault) for fault in single)]),)
    together.faults = tuple(single)
    raise together


@contextmanager
def reading(
    where: str | Path,
    *,
    part: str | None = None,
    expected: str | None = None,
    remedy: str | None = AGAIN,
    kind: type[PrestigeError] = DataError,
) -> Iterator[None]:
    """Tell whatever a library raises while it reads a named file as a fault of that file.

    Libraries raise anything over a damaged file: ``KeyError``, ``ZeroDivisionError``, ``RecursionError``,
    classes of their own.  So the block holds the calls of the library and the conversion of what it gave, and
    nothing else: a defect of this package that is inside would be told as a fault of the file.

    Parameters
    ----------
    where
        The file, as messages name it.
    part
        What of it is read ("the element 'obs'"); the whole file where left out.
    expected, remedy
        As of the error.
    kind
        The class of the error.

    Raises
    ------
    PrestigeError
        Of the class ``kind``, in place of what the library raised.  Errors of this family, a full disk, and
        an ``OSError`` that names another file pass as they are.

    Examples
    --------
    >>> import json
    >>> from prestige.errors import PrestigeError, reading
    >>> try:
    ...     with reading("sample.json", expected="JSON"):
    ...         json.loads("{")
    ... except PrestigeError as error:
    ...     print(error)
    sample.json: cannot be read (Expecting property name...); expected JSON; copy it again if it was cut off
    """
    try:
        yield
    except (PrestigeError, *_NOT_OF_A_FILE):
        raise
    except Exception as error:  # whatever it is, it is told, with its cause
        if isinstance(error, OSError) and _of_another(error, where):
            raise
        if _is_pointer(where):
            told = "is a pointer of Git LFS, not the file that it stands for"
            raise kind(told, where=where, expected=expected, remedy="fetch the file: git lfs pull") from error
        what = f"{part} cannot be read" if part else "cannot be read"
        if isinstance(error, MemoryError):
            reason, remedy = (
                "it asks for more memory than there is",
                "free some memory, or copy the file again",
            )
        elif isinstance(error, OSError) and error.errno is not None and error.errno in _BY_RIGHTS:
            reason, remedy = os.strerror(error.errno).lower(), _BY_RIGHTS[error.errno]
        else:
            reason = one_line(str(error), _REASON) or type(error).__name__
            remedy = AGAIN if isinstance(error, _CUT_OFF) else remedy
        raise kind(f"{what} ({reason})", where=where, expected=expected, remedy=remedy) from error


@contextmanager
def of_library() -> Iterator[None]:
    """Let a library fail as it likes in a block that is its own: within :func:`reading`, all is the file's.

    Raises
    ------
    ValueError
        In place of what is elsewhere taken for a defect of this package.
    """
    try:
        yield
    except NameError:
        raise
    except _NOT_OF_A_FILE as error:
        raise ValueError(str(error) or type(error).__name__) from error


_BY_RIGHTS: dict[int, str] = {
    errno.EACCES: "mend its rights",
    errno.EPERM: "mend its rights",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "name another file",
    errno.ENOENT: "name a file that is there",
    errno.ELOOP: "name the file itself: its links lead in a circle",
    errno.ENAMETOOLONG: "name another file",
    errno.EIO: "look after the disk, or copy the file again",
    errno.EMFILE: "allow more open files: ulimit -n",
}


def _is_pointer(where: str | Path) -> bool:
    """Say whether a file is one of the few lines that Git keeps in place of a large one."""
    try:
        if not os.path.isfile(where) or os.stat(where).st_size > _POINTER_BYTES:
            return False
        with open(where, "rb") as stream:
            return stream.read(len(_POINTER)) == _POINTER
    except (OSError, ValueError):
        return False


def _of_another(error: OSError, where: str | Path) -> bool:
    """Return whether an error is that of the disk, or of a file that is not the one being read."""
    if error.errno in NO_SPACE or "No space left" in str(error):
        return True
    named = error.filename
    return isinstance(named, str | bytes) and not os.path.realpath(os.fsdecode(named)).startswith(
        os.path.realpath(where)
    )


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
        if getattr(error, "errno", None) == errno.EFBIG or "File too large" in str(error):
            remedy = "allow larger files (ulimit -f), or choose another disk"
    return StorageError(what, where=where, remedy=remedy)

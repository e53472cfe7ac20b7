"""The one way in which this package opens an HDF5 file (``.h5ad``, ``.h5`` of 10x) for reading.

HDF5 follows links into other files, loads programs for filters that a file names, loops for ever on some
damaged files and ends the process over others.  So a file is walked first by a process that may be lost
(``walk.py``); a file that this one met before, unchanged, is opened at once.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import IO, Any

from prestige.data.hdf5.foreign import check_is_table, check_not_packed
from prestige.errors import DataError, PrestigeError, reading
from prestige.inputs import plain_file

EXPECTED = "an .h5ad table"
_AGAIN = "copy it again if it was cut off, or write it again"
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.readline()); from {module} import serve; serve()"
)

_sound: set[tuple[int, ...]] = set()  # files that were walked, by what changes with them
_walkers: dict[int, Walker] = {}  # of this process, and of those it was forked from
_lock = Lock()


@contextmanager
def opened_h5ad(
    path: Path, kind: type[PrestigeError] = DataError, *, expected: str = EXPECTED, table: bool = True
) -> Iterator[Any]:
    """Open an ``.h5ad``, or another file of HDF5, for reading.

    Parameters
    ----------
    kind
        The class of the errors.
    expected
        What the file should be, for messages.
    table
        Whether it is to be a table of AnnData: what is known to be of another tool is refused.

    Raises
    ------
    PrestigeError
        Of the class ``kind``: it is missing, no regular file, packed, no HDF5 or no such table; it takes
        values from other files; it declares more than its bytes can hold; HDF5 does not come to an end
        with it.
    """
    import h5py

    path = plain_file(path, expected=expected, kind=kind)
    check_not_packed(path, kind, expected)
    with reading(path, expected=expected, kind=kind):
        stat = path.stat()
        state = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    if state not in _sound:
        _check(path, kind, expected)
        _sound.add(state)
    with reading(path, expected=expected, kind=kind):
        file = h5py.File(path, "r")
    with file:
        if table:
            check_is_table(file, path, kind)
        yield file


def _check(path: Path, kind: type[PrestigeError], expected: str) -> None:
    with _lock:
        walker = _walkers.get(os.getpid())
        if walker is None or not walker.alive:
            walker = _walkers[os.getpid()] = Walker()
        found = walker.ask(path)
    if isinstance(found, int):
        raise kind(_END.get(found, f"ends the process that reads it ({_signal(found)})"), where=path,
                   expected=expected, remedy=_AGAIN)  # fmt: skip
    if found["fault"] is not None:
        element, what, remedy = found["fault"]
        raise kind(
            f"the element '{element}' {what}",
            where=path,
            expected=f"{expected}, whole in itself",
            remedy=remedy or _AGAIN,
        )
    if found["filters"] and "hdf5plugin" not in sys.modules:  # who imported it wants its filters
        number, element = next(iter(found["filters"].items()))
        raise kind(
            f"the element '{element}' is packed by the HDF5 filter {number}, which h5py does not bring",
            where=path,
            expected="values packed by gzip or lzf, or not at all",
            remedy="read it where that filter is installed and write it again with compression='gzip'",
        )


_END: dict[int, str] = {
    signal.SIGPROF: "is damaged: HDF5 does not come to an end with it",
    signal.SIGKILL: "asks for more memory than there is",
}


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Walker:
    """The process that walks through files, one after the other, and ends with this one.

    Parameters
    ----------
    module
        Whose ``serve`` it runs: a line of JSON for each.
    """

    def __init__(self, module: str = "prestige.data.hdf5.walk") -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START.format(module=module)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "HDF5_PLUGIN_PRELOAD": "::"},
            cwd="/",
        )
        self._say([os.path.abspath(entry) for entry in sys.path])

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, path: Path) -> dict[str, Any] | int:
        """Return what :func:`prestige.data.hdf5.walk.walk` returns, or the signal that ended the process.

        Raises
        ------
        RuntimeError
            When the process failed by itself: a defect of this package or its installation.
        """
        try:
            self._say(os.path.abspath(path))
            answer = self._process.stdout.readline()  # type: ignore[union-attr]
            if answer:
                return json.loads(answer)
            ended = self._process.wait()
        except BaseException:  # Ctrl-C above all
            self.close()
            raise
        if ended < 0:
            self.close()
            return -ended
        self._errors.seek(0)
        told = self._errors.read().decode(errors="replace")
        self.close()
        raise RuntimeError(f"the process that walks through HDF5 files failed ({ended}): {told}")

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _say(self, what: Any) -> None:
        with suppress(BrokenPipeError):  # it has ended, which is met where its answer is read
            self._process.stdin.write(json.dumps(what).encode() + b"\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]


@atexit.register
def _end() -> None:
    walker = _walkers.pop(os.getpid(), None)
    if walker is not None:
        walker.close()

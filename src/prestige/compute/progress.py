"""Progress of anything that takes more than two seconds, on standard error.

On a terminal of any width each bar is one line with the time left; elsewhere (a log file, a cluster) a plain
line now and then.  What ends within two seconds prints nothing.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from rich.cells import cell_len, set_cell_size
from rich.console import Console

from prestige.errors import StorageError, one_line, storing

_QUIET_SECONDS = 2.0
_LINE_EVERY_SECONDS = 20.0
_LINE_EVERY_SHARE = 0.1  # of the time spent: ten hours are some seventy lines
_REDRAWN_EVERY_SECONDS = 0.2
_BARS = (24, 10, 0)  # widths of the bar, from the widest terminal to the narrowest


class _Screen:
    """Whose line is the last on the terminal, without its end."""

    drawn_by: Progress | None = None


class Progress:
    """A counter towards ``total``, used as a context manager.

    Parameters
    ----------
    label
        What is being done, a few words; without them nothing is shown.
    total
        The number of units that make the whole.
    """

    def __init__(self, label: str, total: int) -> None:
        self.label = label
        self.total = max(int(total), 1)
        self.done = 0
        self.note = ""
        self._start = time.monotonic()
        self._begun_at = 0
        self._last_line = self._start
        self._shown: int | None = None  # the count that was shown last
        self._terminal = _is_terminal()

    def __enter__(self) -> Progress:
        return self

    def start_at(self, done: int) -> None:
        """Say that ``done`` units stood already (a resumed run), so that the time left is right."""
        self.done = self._begun_at = done

    def advance(self, units: int = 1, note: str = "") -> None:
        """Count ``units`` more as done; ``note`` replaces the words behind the bar."""
        self.done += units
        self.note = note or self.note
        now = time.monotonic()
        if not self.label or now - self._start < _QUIET_SECONDS:
            return
        pause = max(_LINE_EVERY_SECONDS, _LINE_EVERY_SHARE * (now - self._start))
        if now - self._last_line >= (_REDRAWN_EVERY_SECONDS if self._terminal else pause):
            self._last_line = now
            self._show(now)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown is not None:
            if self._shown != self.done or (self._terminal and _Screen.drawn_by is not self):
                self._show(time.monotonic())
            if self._terminal:
                _Screen.drawn_by = None
                _write("\n")

    def _show(self, now: float) -> None:
        self._shown = self.done
        if self._terminal:
            _Screen.drawn_by = self
            _write(f"\r\x1b[2K{self.line(_width() - 1, now)}")  # in the last column some terminals wrap
        else:
            _write(f"{self.line(None, now)}\n")

    def line(self, width: int | None, now: float) -> str:
        """Return the state as a line of at most ``width`` columns, as plain words where it is None."""
        share = min(self.done / self.total, 1.0)
        spent = now - self._start
        new = self.done - self._begun_at
        left = clock(spent * max(self.total - self.done, 0) / new if new else float("nan"))
        times, label, note = f"{clock(spent)} spent, {left} left", one_line(self.label), one_line(self.note)
        if width is None:
            return f"{label}: {share:.0%}, {times}{'  ' + note if note else ''}"
        full, empty = ("█", "░") if _encodes("█░") else ("#", "-")
        bars = [(full * round(n * share)).ljust(n, empty) for n in _BARS]
        ends = [f" {share:4.0%}  {times}", f" {share:4.0%}  {left} left", f" {share:4.0%}"]
        forms = [f"{label} {bar}{end}" for end in ends for bar in bars]
        fits = next((form for form in forms if cell_len(form) <= width), None)
        if fits is None:
            return set_cell_size(f"{share:4.0%} {label}", width)
        room = width - cell_len(fits) - 2
        return f"{fits}  {set_cell_size(note, min(room, cell_len(note)))}" if note and room > 8 else fits


def say(words: str) -> None:
    """Write one line to standard error, where progress goes."""
    if _Screen.drawn_by is not None:
        _Screen.drawn_by = None
        words = f"\r\x1b[2K{words}"
    _write(words + "\n")


def _is_terminal() -> bool:
    """Return whether standard error is a terminal on which a line can be drawn anew."""
    try:
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # closed
        return False


def _width() -> int:
    return max(Console(stderr=True, force_terminal=True).width, 10)


def _encodes(text: str) -> bool:
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _write(text: str) -> None:
    """Write to standard error; one that takes nothing any more is no reason to end the work."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Add what the package logs meanwhile to a text file, a line each, with its time.

    Raises
    ------
    StorageError
        When it cannot be written, or is a link, a pipe or anything but a file.
    """
    log = logging.getLogger("prestige")
    how = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)
    with storing(path):
        number = os.open(path, how, 0o666)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise StorageError("is no file", where=path, expected="a text file", remedy="move it away")
    with open(number, "a", encoding="utf-8") as file:
        handler = logging.StreamHandler(file)
        handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
        level = log.level
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.removeHandler(handler)
            log.setLevel(level)
            handler.close()


def clock(seconds: float) -> str:
    """Return seconds as ``m:ss``, or ``h:mm:ss`` from an hour up; '?' when unknown."""
    if seconds != seconds:
        return "?"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

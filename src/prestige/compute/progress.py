"""Progress of anything that takes more than two seconds, on standard error.

On a terminal it is a bar with the time left; elsewhere (a log file, a cluster) a plain line
now and then.  What ends within two seconds prints nothing.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

_QUIET_SECONDS = 2.0
_LINE_EVERY_SECONDS = 20.0


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
        self._terminal = sys.stderr.isatty()

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
        if now - self._last_line >= (0.2 if self._terminal else _LINE_EVERY_SECONDS):
            self._last_line = now
            self._show(now)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown is not None:
            if self._shown != self.done:
                self._show(time.monotonic())
            if self._terminal:
                sys.stderr.write("\n")
                sys.stderr.flush()

    def _show(self, now: float) -> None:
        share = min(self.done / self.total, 1.0)
        spent = now - self._start
        new = self.done - self._begun_at
        left = spent * max(self.total - self.done, 0) / new if new else float("nan")
        times = f"{clock(spent)} spent, {clock(left)} left"
        if self._terminal:
            bar = ("█" * round(24 * share)).ljust(24, "░")
            sys.stderr.write(f"\r\x1b[2K{self.label} {bar} {share:4.0%}  {times}  {self.note}"[:200])
        else:
            sys.stderr.write(f"{self.label}: {share:.0%}, {times}{'  ' + self.note if self.note else ''}\n")
        sys.stderr.flush()
        self._shown = self.done


def say(words: str) -> None:
    """Write one line to standard error, where progress goes."""
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Add what the package logs meanwhile to a text file, a line each, with its time."""
    log = logging.getLogger("prestige")
    handler = logging.FileHandler(path, encoding="utf-8")
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

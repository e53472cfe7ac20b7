"""Signals that end a process, heard as Ctrl-C is: what is under way is put in order, and one line is said.

Clusters send SIGTERM, or before a time limit SIGUSR1, SIGUSR2 or SIGXCPU; a closed terminal sends SIGHUP.
A second signal ends the process at once.  One that is ignored from the start (``nohup``) stays so.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
_TOGETHER_SECONDS = 0.5  # a process and its group are often sent the same signal
_PATIENCE_SECONDS = 10.0
_SOON_SECONDS = 0.05
_PARENT = "PRESTIGE_PARENT"
_SET_SIGNAL_OF_PARENTS_DEATH = 1  # of prctl (Linux)


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


class _Heard:
    """What was heard so far: the first signal, when, and whether it is heard in the middle of anything."""

    number: int | None = None
    at = 0.0
    deferred = False


def listen() -> None:
    """Hear the signals that end a process, from here on."""
    for name in _ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _hear)
    sys.unraisablehook = _not_lost


def _not_lost(told: Any, otherwise: Any = sys.unraisablehook) -> None:
    """Hear a signal again that came where Python drops what is raised, as while an object is taken away."""
    if not isinstance(told.exc_value, Interrupted):
        otherwise(told)
        return
    signal.signal(signal.SIGALRM, _lose_patience)
    signal.setitimer(signal.ITIMER_REAL, _SOON_SECONDS)


def _hear(number: int, _: FrameType | None) -> None:
    if _Heard.number is not None:
        if time.monotonic() - _Heard.at > _TOGETHER_SECONDS:
            os._exit(128 + number)
        return
    _Heard.number, _Heard.at = number, time.monotonic()
    if not _Heard.deferred:
        raise Interrupted(number)
    signal.signal(signal.SIGALRM, _lose_patience)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE_SECONDS)


def _lose_patience(_: int, __: FrameType | None) -> None:
    raise Interrupted(_Heard.number or signal.SIGINT)


def is_asked_to_end() -> bool:
    """Return whether a signal waits for the end of what must not be cut in the middle."""
    return _Heard.number is not None


class told_first:
    """A context that ends with the signal, where one was heard: torch and h5py make other errors of it."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """End: what was raised stays, or gives way to the signal."""
        if isinstance(error, Exception):
            end_if_asked()


def end_if_asked() -> None:
    """End here if a signal waits.

    Raises
    ------
    Interrupted
        When there is one.
    """
    if _Heard.number is not None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Interrupted(_Heard.number)


@contextmanager
def heard_between_steps() -> Iterator[None]:
    """Let signals wait until the block calls :func:`end_if_asked`, ten seconds at most."""
    before, _Heard.deferred = _Heard.deferred, True
    try:
        yield
    finally:
        _Heard.deferred = before


def for_child() -> dict[str, str]:
    """Return the environment of a process that is to end with this one."""
    return {**os.environ, _PARENT: str(os.getpid())}


def end_with_parent() -> None:
    """Ask the system to end this process with the one that started it, if that said so (Linux alone can).

    Raises
    ------
    Interrupted
        When it has ended by now.
    """
    parent = os.environ.pop(_PARENT, "")
    if not parent:
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_SIGNAL_OF_PARENTS_DEATH, int(signal.SIGTERM))
    if str(os.getppid()) != parent:
        raise Interrupted(signal.SIGTERM)

"""Which process wrote something, and whether it still lives: names that tell."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

TOKEN_DIGITS = 24


def token() -> str:
    """Return 24 hex digits that stand for this process: its machine, its number, when it began."""
    pid = os.getpid()
    return f"{_machine()}{pid & 0xFFFFFFFF:08x}{_began(pid) or 0:08x}"


def has_ended(token: str) -> bool:
    """Return whether the process that a token stands for has ended; False where that cannot be known.

    It is known on the machine where it ran, and in no other container of it.
    """
    machine, pid, began = token[:8], int(token[8:16], 16), int(token[16:24], 16)
    if machine != _machine():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # another user's
        return False
    now = _began(pid)
    return now is None or now != began  # its number may be that of a younger process by now


@cache
def _machine() -> str:
    """Return a name of the machine, and of the container in which process numbers have their meaning."""
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return hashlib.blake2b(f"{os.uname().nodename}\0{space}".encode(), digest_size=4).hexdigest()


def _began(pid: int) -> int | None:
    """Return when a process began, in a unit of the system: 0 where it does not say, None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
    except ProcessLookupError:
        return None
    except OSError:
        return 0
    state, began = fields.split()[0], fields.split()[19]
    return None if state in ("Z", "X") else int(began) & 0xFFFFFFFF

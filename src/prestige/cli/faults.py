"""Faults of a command: one line on standard error, and an exit code.

Every :class:`prestige.errors.PrestigeError` becomes such a line with exit code 2.
"""

from __future__ import annotations

import errno
import os
import re
import signal
from typing import Any, NoReturn

import typer
import typer.core

from prestige import boundary
from prestige.compute import signals
from prestige.compute.progress import say
from prestige.errors import NO_SPACE, PrestigeError, StorageError

CLOSED_PIPE = 128 + 13
_NO_PLACE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
}
_EMPTY = re.compile(r"--[\w-]+=")


class Group(typer.core.TyperGroup):
    """Commands whose help flows: lines of a docstring are as long as the source has them."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, its paragraphs a line each."""
        found = super().get_command(ctx, cmd_name)
        if found is not None and found.help:
            found.help = "\n\n".join(" ".join(one.split()) for one in found.help.split("\n\n"))
        return found


class Commands(Group):
    """The commands, with what a user can mend turned into one line and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse empty arguments: as a path they would be the working folder, which nobody has named."""
        empty = next((place for place, one in enumerate(args) if not one or _EMPTY.fullmatch(one)), None)
        if empty is not None:
            before = args[empty].rstrip("=") or (args[empty - 1] if empty else "prestige")
            ctx.fail(f"Nothing is given {'for' if before.startswith('-') else 'after'} '{before}'.")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            with signals.told_first():
                return super().invoke(ctx)
        except PrestigeError as error:
            _stop(str(error), error.exit_code)
        except KeyboardInterrupt as told:
            _stop(*interrupted(told))
        except BrokenPipeError:  # who reads the output has seen enough
            boundary.drop_output()
            raise typer.Exit(CLOSED_PIPE) from None
        except (OSError, RuntimeError, MemoryError, ImportError) as error:
            # HDF5 and torch tell of a full disk or memory as a RuntimeError, the linker as an ImportError.
            _stop(str(_of_the_machine(error)), StorageError.exit_code)


def _of_the_machine(error: Exception) -> PrestigeError:
    """Return the one line for a disk or memory that does not suffice; anything else is raised again."""
    if (lack := boundary.lack_of_memory(error)) is not None:
        return lack
    code, place = getattr(error, "errno", None), getattr(error, "filename", None)
    if code in NO_SPACE or "No space left on device" in str(error):
        remedy = "free some space and run the same command to go on"
        return StorageError("the disk is full", where=place, remedy=remedy)
    if code in _NO_PLACE:
        return StorageError(os.strerror(code).lower(), where=place, remedy="choose another folder")
    raise error


def interrupted(told: KeyboardInterrupt) -> tuple[str, int]:
    """Return the line and the exit code of what a signal has ended."""
    number = getattr(told, "number", signal.SIGINT)
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    return f"interrupted{by}; run the same command to go on", 128 + number


def _stop(line: str, code: int) -> NoReturn:
    say(f"prestige: {line}")
    raise typer.Exit(code)

"""The command line as a program: streams, signals and other libraries' chatter around the commands."""

from __future__ import annotations

import sys
from typing import Any

import typer

from prestige import boundary
from prestige.cli.commands import app
from prestige.cli.faults import interrupted
from prestige.compute import signals


def main() -> None:
    """Run the command line, of which nothing else is to be heard than what it says itself."""
    boundary.open_streams()
    boundary.silence_others()
    boundary.keep_reserve()
    sys.excepthook = boundary.tell_defect
    signals.listen()
    try:
        signals.end_with_parent()
        app(prog_name="prestige")
    except (KeyboardInterrupt, SystemExit) as ended:  # before or after the command itself
        # There, typer makes an exit of an interrupt, without a word and always with 130.
        told: Any = ended
        if isinstance(ended, SystemExit):
            told = getattr(ended.__context__, "__cause__", None)
        if not isinstance(told, KeyboardInterrupt):
            raise
        line, code = interrupted(told)
        typer.echo(f"prestige: {line}", err=True)
        sys.exit(code)
    finally:
        boundary.end_output()

"""The command line: arguments -> the calls of the library, faults -> one line and an exit code."""

from prestige.cli.commands import app
from prestige.cli.entry import main

__all__ = ["app", "main"]

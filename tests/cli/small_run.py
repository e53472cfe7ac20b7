"""A command run inside a test, and what is asked of its answer."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from prestige.cli import app


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def replace(monkeypatch: pytest.MonkeyPatch, module: str, **names: object) -> None:
    """Put stand-ins for a module's functions where the command will import them from."""
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(**names))


def assert_refused(result: Any, *parts: str) -> None:
    """One line on standard error, nothing on standard output, exit code 2."""
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("prestige: ")
    for part in parts:
        assert part in lines[0]
    assert "Traceback" not in result.output

"""What the tests of commands share."""

from __future__ import annotations

import pytest

from .small_run import replace


@pytest.fixture
def settings_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the check of the yaml pass: what is tested is what comes after it."""
    replace(monkeypatch, "prestige.config", read_bench=lambda path: None, read_run=lambda path: None)

"""Options that several commands share read alike everywhere."""

from __future__ import annotations

import pytest

from .small_run import run


@pytest.mark.parametrize("command", ["bench", "train", "predict"])
def test_the_device_is_one_of_four(command: str) -> None:
    named = ["a"] * (2 if command == "predict" else 1)
    result = run(command, *named, "--out", "o", "--device", "tpu")
    assert result.exit_code == 2
    assert "'tpu' is not one of 'auto', 'cpu', 'cuda', 'mps'" in result.stderr


@pytest.mark.parametrize("command", ["bench", "train", "predict", "biology"])
def test_what_is_written_needs_a_folder(command: str) -> None:
    named = ["a"] * (2 if command in ("predict", "biology") else 1)
    result = run(command, *named)
    assert result.exit_code == 2
    assert "Missing option '--out'" in result.stderr

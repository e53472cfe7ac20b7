"""A fault is one line and an exit code; a mistake in the code stays a traceback."""

from __future__ import annotations

import errno
import re
import signal
from typing import Any

import pytest

from prestige.compute import signals
from prestige.errors import DataError

from .small_run import assert_refused, replace, run


def raising(error: BaseException) -> Any:
    def call(*args: object, **kwargs: object) -> None:
        raise error

    return call


def test_the_help_of_a_command_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for command, ends in (("init", "Patients that no file"), ("data fetch", "A copy in")):
        said = run(*command.split(), "--help").stdout.splitlines()
        first = next(number for number, line in enumerate(said) if ends in line)
        assert len(said[first]) > 50, said[first]
        assert len(said[first + 1]) > 40, said[first + 1]
    assert re.search(r"prestige init \[OPTIONS\] \{?FOLDER\b", run("init", "--help").stdout)


@pytest.mark.usefixtures("settings_are_right")
def test_a_fault_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(
        monkeypatch,
        "prestige.runs.bench",
        run_bench=raising(DataError("no cells", where="S1", remedy="add some")),
    )
    assert_refused(run("bench", "a.yaml", "--out", "out"), "prestige: S1: no cells; add some")


@pytest.mark.usefixtures("settings_are_right")
def test_an_interruption_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "prestige.runs.bench", run_bench=raising(KeyboardInterrupt()))
    result = run("bench", "a.yaml", "--out", "out")
    assert result.exit_code == 130
    assert result.stderr == "prestige: interrupted; run the same command to go on\n"


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "out/x.h5ad"),
            "out/x.h5ad: the disk is full; free",
        ),
        (
            OSError("HDF5 write failed: errno = 28, error message = 'No space left on device'"),
            "the disk is full",
        ),
        (
            RuntimeError("flush failed (errno = 28, error message = 'No space left on device')"),
            "the disk is full",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/out"), "/out: permission denied"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "out/a"), "out/a: not a directory"),
        (FileExistsError(errno.EEXIST, "File exists", "out"), "out: file exists"),
    ],
)
@pytest.mark.usefixtures("settings_are_right")
def test_storage_faults_are_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, part: str) -> None:
    replace(monkeypatch, "prestige.runs.run", train_from_yaml=raising(error))
    assert_refused(run("train", "a.yaml", "--out", "out"), part)


@pytest.mark.usefixtures("settings_are_right")
def test_mistakes_in_the_code_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for mistake in (ZeroDivisionError("a"), RuntimeError("shapes differ"), OSError(errno.EBADF, "closed")):
        replace(monkeypatch, "prestige.runs.bench", run_bench=raising(mistake))
        assert run("bench", "a.yaml", "--out", "out").exception is mistake


@pytest.mark.usefixtures("settings_are_right")
@pytest.mark.parametrize(
    "made", [DataError("cannot be read", where="a.safetensors"), AttributeError("no flush")]
)
def test_what_a_library_makes_of_a_signal_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch, made: Exception
) -> None:
    monkeypatch.setattr(signals._Heard, "number", int(signal.SIGTERM))
    replace(monkeypatch, "prestige.runs.bench", run_bench=raising(made))
    result = run("bench", "a.yaml", "--out", "out")
    assert result.exit_code == 143
    assert result.stderr == "prestige: interrupted by SIGTERM; run the same command to go on\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bench", "a.yaml", "--out", ""), "for '--out'"),
        (("bench", "a.yaml", "--out="), "for '--out'"),
        (("inspect", ""), "after 'inspect'"),
        (("",), "after 'prestige'"),
    ],
)
def test_an_empty_argument_is_no_working_folder(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"Nothing is given {said}" in result.stderr

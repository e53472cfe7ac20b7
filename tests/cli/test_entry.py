"""The command line as a program: what is told of signals outside of a command."""

from __future__ import annotations

import sys

import pytest

from prestige.cli import main
from prestige.compute.signals import Interrupted


def _without_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `main` leave the signals, streams and warnings of the tests as they are."""
    for part in (
        "signals.listen",
        "boundary.silence_others",
        "boundary.open_streams",
        "boundary.keep_reserve",
    ):
        monkeypatch.setattr(f"prestige.cli.entry.{part}", lambda: None)
    monkeypatch.setattr("sys.excepthook", sys.excepthook)
    monkeypatch.setattr("sys.argv", ["prestige", "inspect", "x.yaml"])


@pytest.mark.parametrize("place", ["prestige.cli.entry.app", "prestige.cli.faults.Commands.make_context"])
@pytest.mark.parametrize(
    ("told", "code", "by"), [(KeyboardInterrupt(), 130, ""), (Interrupted(15), 143, " by SIGTERM")]
)
def test_a_signal_outside_of_a_command_is_told_too(
    place: str, told: KeyboardInterrupt, code: int, by: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def heard(*_: object, **__: object) -> None:
        raise told

    monkeypatch.setattr(place, heard)
    _without_surroundings(monkeypatch)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert capsys.readouterr().err == f"prestige: interrupted{by}; run the same command to go on\n"


def test_an_exit_without_a_signal_stays_what_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(*_: object, **__: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr("prestige.cli.entry.app", ends)
    _without_surroundings(monkeypatch)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert capsys.readouterr().err == ""

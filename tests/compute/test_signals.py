"""Signals end a process as Ctrl-C does: in order, and for good the second time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from prestige.compute import signals

PROLOGUE = """
import os, sys, time
from prestige.compute import signals
signals.listen()
def ready(): print("ready", os.getpid(), flush=True)
"""
ENDS = (
    PROLOGUE
    + """
try:
    ready(); time.sleep(60)
except KeyboardInterrupt as told:
    print("in order", flush=True)
    sys.exit(128 + told.number)
"""
)
BETWEEN = (
    PROLOGUE
    + """
try:
    with signals.heard_between_steps():
        ready()
        for step in range(600):
            time.sleep(0.05); time.sleep(0.05)
            if signals.is_asked_to_end(): print("kept", flush=True)
            signals.end_if_asked()
except KeyboardInterrupt as told:
    sys.exit(128 + told.number)
"""
)
STUBBORN = (
    PROLOGUE
    + """
try:
    ready(); time.sleep(60)
finally:
    print("first", flush=True)
    time.sleep(60)
"""
)
IMPATIENT = (
    PROLOGUE.replace("signals.listen()", "signals._PATIENCE_SECONDS = 0.2; signals.listen()")
    + """
try:
    with signals.heard_between_steps():
        ready(); time.sleep(60)
except KeyboardInterrupt as told:
    sys.exit(128 + told.number)
"""
)
DROPPED = (
    PROLOGUE
    + """
import weakref
class Kept: pass
def taken_away(_):
    ready(); time.sleep(60)
try:
    kept = Kept(); watched = weakref.ref(kept, taken_away)
    del kept
    time.sleep(60)
except KeyboardInterrupt as told:
    print("in order", flush=True)
    sys.exit(128 + told.number)
"""
)
IGNORES = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + ENDS
PARENT = (
    PROLOGUE
    + """
import subprocess
command, env = [sys.executable, "-c", sys.argv[1]], signals.for_child()
child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
print(child.stdout.readline(), end="", flush=True)
time.sleep(60)
"""
)
CHILD = PROLOGUE + "signals.end_with_parent()\nready(); time.sleep(60)\n"


def start(code: str, *arguments: str, told: int = subprocess.DEVNULL) -> tuple[subprocess.Popen[str], int]:
    """Start a process; return it when it says that it is ready, with the number that it says."""
    command = [sys.executable, "-c", code, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline().split()[1])


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    said = process.communicate(timeout=30)[0]
    return process.returncode, said


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"])
def test_each_ends_it_in_order_with_its_number(name: str) -> None:
    process, _ = start(ENDS)
    number = getattr(signal, name)
    process.send_signal(number)
    assert end(process) == (128 + number, "in order\n")


def test_one_that_comes_where_python_drops_it_is_heard_again() -> None:
    process, _ = start(DROPPED, told=subprocess.PIPE)
    process.send_signal(signal.SIGHUP)
    said, told = process.communicate(timeout=30)
    assert (process.returncode, said, told) == (129, "in order\n", "")


def test_what_a_library_makes_of_it_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended_by(error: BaseException) -> BaseException:
        with pytest.raises(BaseException) as told, signals.told_first():
            raise error
        return told.value

    error = RuntimeError("could not determine the shape of object")
    assert ended_by(error) is error
    monkeypatch.setattr(signals._Heard, "number", int(signal.SIGTERM))
    found = ended_by(error)
    assert isinstance(found, signals.Interrupted)
    assert found.number == signal.SIGTERM
    for ended in (KeyboardInterrupt(), SystemExit(1)):
        assert ended_by(ended) is ended
    with signals.told_first():  # what ended well did so
        pass


def test_between_steps_it_is_heard_after_one() -> None:
    process, _ = start(BETWEEN)
    process.send_signal(signal.SIGTERM)
    assert end(process) == (143, "kept\n")


def test_a_step_that_takes_too_long_is_cut() -> None:
    process, _ = start(IMPATIENT)
    process.send_signal(signal.SIGTERM)
    assert end(process)[0] == 143


def test_the_second_ends_it_at_once_and_one_sent_twice_is_one() -> None:
    process, _ = start(STUBBORN)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGHUP)
    assert process.stdout is not None
    assert process.stdout.readline() == "first\n"
    assert process.poll() is None
    time.sleep(0.6)
    process.send_signal(signal.SIGTERM)
    assert end(process)[0] == 143


def test_what_is_ignored_from_the_start_stays_so() -> None:
    process, _ = start(IGNORES)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert end(process)[0] == 143


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone tells a child")
def test_a_child_ends_with_its_parent_whatever_ends_it() -> None:
    process, child = start(PARENT, CHILD)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            break
        with suppress(OSError):
            if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                break
        time.sleep(0.02)
    else:
        pytest.fail("the child lives on")
    assert process.stdout is not None
    process.stdout.close()


def test_who_was_not_told_of_a_parent_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRESTIGE_PARENT", raising=False)
    signals.end_with_parent()
    monkeypatch.setenv("PRESTIGE_PARENT", "0")
    monkeypatch.setattr(signals.ctypes, "CDLL", lambda _: None)
    with pytest.raises(signals.Interrupted):
        signals.end_with_parent()
    assert signals.for_child()["PRESTIGE_PARENT"] == str(os.getpid())

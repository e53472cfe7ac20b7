"""Who wrote something is known to live or to have ended, on the machine where it ran."""

import os
import subprocess
import sys

import pytest

from prestige.compute import processes
from prestige.compute.processes import TOKEN_DIGITS, has_ended, token

ASK = "from prestige.compute.processes import token; print(token(), flush=True); input()"


def test_a_process_lives_until_it_has_ended() -> None:
    assert len(token()) == TOKEN_DIGITS
    assert not has_ended(token())
    command = [sys.executable, "-c", ASK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        told = other.stdout.readline().strip()
        assert told != token()
        assert not has_ended(told)
        other.kill()
        other.wait()
    assert has_ended(told)


def test_one_that_has_ended_and_was_not_waited_for_has_ended() -> None:
    if not os.path.exists("/proc/self/stat"):
        pytest.skip("this system does not say")
    with subprocess.Popen(
        [sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        told = other.stdout.readline().strip()
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(told)


def test_a_younger_process_of_the_same_number_is_another() -> None:
    if not os.path.exists("/proc/self/stat"):
        pytest.skip("this system does not say when a process began")
    began = int(token()[16:], 16)
    assert has_ended(f"{token()[:16]}{began ^ 1:08x}")


def test_another_machines_process_is_not_known_to_have_ended() -> None:
    other = "00000000" if token()[:8] != "00000000" else "11111111"
    assert not has_ended(other + token()[8:])
    assert not has_ended("0" * TOKEN_DIGITS)


def test_another_users_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(processes.os, "kill", refuse)
    assert not has_ended(token())

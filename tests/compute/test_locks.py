"""One process at a time, and no lock that outlives the one who held it."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from prestige.compute.locks import BusyError, held
from prestige.errors import StorageError

pytest.importorskip("fcntl", reason="this system has no such locks")

HOLD = """
import sys
from pathlib import Path
from prestige.compute.locks import held
with held(Path(sys.argv[1]), wait=False):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "config.yaml"
    path.parent.mkdir()
    path.write_text("a: 1\n")
    return path


def test_who_comes_second_is_told(path: Path) -> None:
    busy = pytest.raises(BusyError, match="another process works on it")
    with held(path, wait=False), busy as told, held(path, wait=False):
        pass
    assert told.value.where == str(path.parent)
    with held(path, wait=False):
        pass
    assert path.read_text() == "a: 1\n"
    assert [other.name for other in path.parent.iterdir()] == ["config.yaml"]


def test_the_lock_goes_when_the_block_fails(path: Path) -> None:
    with pytest.raises(ValueError, match="wrong"), held(path, wait=False):
        raise ValueError("wrong")
    with held(path, wait=False):
        pass


def test_who_waits_gets_it_afterwards(path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with held(path, wait=True):
            order.append("second")

    with held(path, wait=False):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_process_that_is_killed_holds_nothing(path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BusyError), held(path, wait=False):
            pass
        other.kill()
        other.wait()
    with held(path, wait=False):
        pass


def test_a_file_system_without_locks_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("prestige.compute.locks.fcntl.flock", refuse)
    refused = pytest.raises(StorageError, match=r"config.yaml: cannot be locked \(Function not implemented\)")
    with refused, held(path, wait=True):
        pass


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing"), held(tmp_path / "nothing", wait=False):
        pass

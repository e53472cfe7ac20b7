"""One process at a time, and no lock that outlives the one who held it."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from prestige.compute import locks
from prestige.compute.locks import BusyError, held
from prestige.compute.processes import token
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


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("prestige.compute.locks.fcntl.flock", refuse)
    monkeypatch.setattr(locks._Told, "once", False)


@pytest.mark.usefixtures("no_locks")
def test_where_there_are_no_locks_files_stand_for_them(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = path.with_name("config.yaml.lock")
    for _ in range(2):
        with held(path, wait=False):
            assert json.loads(lock.read_text())["process"] == token()
            with (
                pytest.raises(
                    BusyError, match=r"process \d+ on .* works on it; wait for it; if it has ended"
                ),
                held(path, wait=False),
            ):
                pass
        assert [other.name for other in path.parent.iterdir()] == ["config.yaml"]
    said = capsys.readouterr().err
    assert said.count("has no locks (No locks available)") == 1


@pytest.mark.usefixtures("no_locks")
def test_a_lock_of_a_process_that_has_ended_goes(path: Path) -> None:
    code = "from prestige.compute.processes import token; print(token())"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    lock = path.with_name("config.yaml.lock")
    lock.write_text(json.dumps({"process": ended, "number": 1, "machine": "here"}))
    with held(path, wait=False):
        pass
    for text in ("", "[]", json.dumps({"process": "0" * 24, "number": 1, "machine": "elsewhere"})):
        lock.write_text(text)
        with pytest.raises(BusyError, match=r"delete .*config\.yaml\.lock"), held(path, wait=False):
            pass


@pytest.mark.usefixtures("no_locks")
def test_one_at_a_time_without_locks_too(path: Path) -> None:
    inside = []

    def work() -> None:
        for _ in range(5):
            with held(path, wait=True):
                inside.append(1)
                assert len(inside) == 1
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not inside
    assert [other.name for other in path.parent.iterdir()] == ["config.yaml"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing"), held(tmp_path / "nothing", wait=False):
        pass

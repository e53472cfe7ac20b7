"""Local workers: they do the same, tell a log, and do not outlive a failure."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from prestige.compute.workers import local_workers

WRITE = "import sys, os; print('hello'); open(os.path.join(sys.argv[1], str(os.getpid())), 'w').close()"
SLEEP = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def test_each_does_its_work_and_has_a_log(tmp_path: Path) -> None:
    done, logs = tmp_path / "done", tmp_path / "logs"
    done.mkdir()
    with local_workers(2, [sys.executable, "-c", WRITE, str(done)], logs):
        pass
    assert len(list(done.iterdir())) == 2
    assert [path.name for path in sorted(logs.iterdir())] == ["1.log", "2.log"]
    assert (logs / "1.log").read_text() == (logs / "2.log").read_text() == "hello\n"


def test_none_leaves_nothing_behind(tmp_path: Path) -> None:
    with local_workers(0, ["there is no such command"], tmp_path / "logs"):
        pass
    assert not (tmp_path / "logs").exists()


def test_one_that_fails_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with local_workers(1, [sys.executable, "-c", "raise SystemExit('no data')"], tmp_path):
        pass
    assert f"a worker failed: see {tmp_path / '1.log'}" in capsys.readouterr().err
    assert (tmp_path / "1.log").read_text() == "no data\n"


def test_one_that_is_killed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with local_workers(1, [sys.executable, "-c", code], tmp_path):
        pass
    assert "a worker was killed, by hand or for want of memory (fewer --jobs" in capsys.readouterr().err


def test_they_end_where_the_block_fails(tmp_path: Path) -> None:
    def interrupted() -> None:
        with local_workers(1, [sys.executable, "-c", SLEEP], tmp_path):
            while not (tmp_path / "1.log").read_text().endswith("\n"):
                time.sleep(0.02)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "1.log").read_text()), 0)

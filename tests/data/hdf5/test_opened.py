"""The one way to open an HDF5 file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from anndata import AnnData

from prestige.data.hdf5 import opened
from prestige.data.hdf5.opened import opened_h5ad
from prestige.errors import DataError, StorageError

LOOP = "\nwhile True: pass"
LIMITED = "import signal; signal.setitimer(signal.ITIMER_PROF, 0.2)"
CRASH = "import os, signal, sys; sys.stdin.readline(); os.kill(os.getpid(), signal.SIGSEGV)"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    AnnData(X=np.eye(3, dtype=np.float32)).write_h5ad(tmp_path / "t.h5ad")
    return tmp_path / "t.h5ad"


@pytest.fixture
def other_walker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Put another program in the place of the one that walks."""

    def put(program: str) -> None:
        monkeypatch.setattr(opened, "_START", program)
        monkeypatch.setattr(opened, "_walkers", {})

    yield put
    for walker in opened._walkers.values():
        walker.close()


def refusal(path: Path, kind: Any = DataError) -> str:
    with pytest.raises(kind) as error, opened_h5ad(path, kind=kind):
        pass
    return str(error.value)


def test_a_sound_table_is_walked_once(table: Path) -> None:
    with opened_h5ad(table) as file:
        assert file["X"].shape == (3, 3)
    asked: list[Path] = []
    walker = opened._walkers[os.getpid()]
    walker.ask = asked.append  # type: ignore[method-assign]
    try:
        with opened_h5ad(table):
            assert asked == []
        os.utime(table, ns=(1, 1))
        with pytest.raises(TypeError), opened_h5ad(table):  # the stand-in answers nothing
            pass
        assert asked == [table]
    finally:
        del walker.ask


@pytest.mark.parametrize("kind", [DataError, StorageError])
def test_what_is_no_regular_hdf5_file(tmp_path: Path, kind: Any) -> None:
    (tmp_path / "text.h5ad").write_text("no table")
    (tmp_path / "empty.h5ad").touch()
    os.mkfifo(tmp_path / "pipe.h5ad")
    assert "no such file" in refusal(tmp_path / "none.h5ad", kind)
    assert "is a folder" in refusal(tmp_path, kind)
    assert "is a pipe" in refusal(tmp_path / "pipe.h5ad", kind)
    assert "is a device" in refusal(Path("/dev/zero"), kind)
    for name in ("text.h5ad", "empty.h5ad"):
        assert "cannot be read" in refusal(tmp_path / name, kind)


def test_faults_of_structure_are_one_line(table: Path) -> None:
    with h5py.File(table, "a") as file:
        file["layers/counts"] = h5py.ExternalLink("/other/file.h5", "/X")
    told = refusal(table)
    assert told.startswith(f"{table}: the element '/layers/counts' links to another file; ")
    assert "\n" not in told


def test_no_program_is_loaded_for_a_filter(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(table, "a") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((2,))
        plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        h5py.h5d.create(file.id, b"packed", h5py.h5t.NATIVE_FLOAT, h5py.h5s.create_simple((4,)), plan)
    assert "'/packed' is packed by the HDF5 filter 32015" in refusal(table)
    monkeypatch.setitem(sys.modules, "hdf5plugin", sys)  # who imported it wants its filters
    with opened_h5ad(table) as file:
        assert "packed" in file


def test_a_file_without_end_and_one_that_ends_the_process(table: Path, other_walker: Any) -> None:
    other_walker(LIMITED + LOOP)
    assert "HDF5 does not come to an end with it" in refusal(table)
    other_walker(CRASH)
    assert "ends the process that reads it (SIGSEGV)" in refusal(table)


def test_a_defect_of_the_walk_is_no_fault_of_the_file(table: Path, other_walker: Any) -> None:
    other_walker("import no_such_module")
    with pytest.raises(RuntimeError, match="no_such_module"), opened_h5ad(table):
        pass


def test_ctrl_c_is_heard_while_a_file_is_walked(table: Path, other_walker: Any) -> None:
    other_walker("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)" + LOOP)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt), opened_h5ad(table):
        pass
    timer.join()
    assert not opened._walkers[os.getpid()].alive


def test_the_walker_ends_with_its_process(table: Path) -> None:
    """Also where that is killed."""
    code = (
        "import os, pathlib, sys; from prestige.data.hdf5 import opened\n"
        "with opened.opened_h5ad(pathlib.Path(sys.argv[1])): pass\n"
        "print(opened._walkers[os.getpid()]._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(table)], capture_output=True, check=False)
    pid = int(ended.stdout)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _runs(pid):
        time.sleep(0.02)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_walker_of_a_forked_process_is_its_own(table: Path) -> None:
    with opened_h5ad(table):
        pass
    first = opened._walkers[os.getpid()]
    code = (
        "import os, pathlib, sys; from prestige.data.hdf5 import opened\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "with opened.opened_h5ad(path): pass\n"
        "os.utime(path, ns=(7, 7))\n"
        "if not os.fork():\n"
        "    with opened.opened_h5ad(path): print(len(opened._walkers), flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(table)], capture_output=True, check=True)
    assert ended.stdout.split() == [b"2"]
    assert first.alive

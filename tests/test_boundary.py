"""What surrounds the command line: closed streams, loud libraries, memory that is not there, defects."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from prestige.boundary import lack_of_memory, tell_defect

LOUD = """
import logging, sys, warnings
from prestige import boundary
boundary.open_streams(); boundary.silence_others()
warnings.simplefilter("always")
warnings.warn("a warning")
logging.getLogger("tifffile").error("an error of a library")
logging.getLogger("unheard.of").warning("a warning of a library")
sys.stderr.write("ours\\n")
"""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("could not create a memory object"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("can't start new thread"),
        ImportError("libtorch.so: failed to map segment from shared object"),
    ],
)
def test_a_lack_of_memory_is_one_line_with_what_helps(error: Exception) -> None:
    told = str(lack_of_memory(error))
    assert told.startswith("the memory")
    assert "does not suffice" in told
    assert "smaller `batch_size`" in told
    assert "\n" not in told
    assert ("of the GPU" in told) == ("CUDA" in str(error))


def test_what_a_library_makes_of_a_lack_of_memory_is_one_too() -> None:
    """A loader says that a library cannot be found, because of what the system said."""
    try:
        try:
            raise OSError("libllvm.so: failed to map segment from shared object")
        except OSError:
            raise OSError("Could not find/load shared object file 'libllvm.so'")  # noqa: B904
    except OSError as error:
        told = str(lack_of_memory(error))
    assert "the memory does not suffice (libllvm.so: failed to map segment" in told
    with pytest.raises(KeyError) as caught:
        raise KeyError("x") from RuntimeError("shapes differ")
    assert lack_of_memory(caught.value) is None


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), OSError(errno.EIO, "x"), KeyError("memory")]
)
def test_other_faults_are_none_of_memory(error: Exception) -> None:
    assert lack_of_memory(error) is None


def test_other_libraries_are_not_heard() -> None:
    told = subprocess.run([sys.executable, "-c", LOUD], capture_output=True, text=True, check=True)
    assert (told.stdout, told.stderr) == ("", "ours\n")


def test_a_closed_stream_is_not_taken_by_a_file(tmp_path: Path) -> None:
    code = (
        "import sys; from prestige import boundary; boundary.open_streams();"
        "file = open(sys.argv[1], 'w'); assert file.fileno() > 2;"
        "sys.stderr.write('x'); sys.stdout.write('y')"
    )
    shell = f'{sys.executable} -c "{code}" {tmp_path}/a <&- >&- 2>&-'
    assert subprocess.run(shell, shell=True, check=False).returncode == 0
    assert (tmp_path / "a").read_text() == ""


def test_a_defect_is_told_before_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ZeroDivisionError("a\nb")
    except ZeroDivisionError as error:
        tell_defect(type(error), error, error.__traceback__)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "prestige: a defect of prestige (ZeroDivisionError: a b), no fault of yours:"
    assert lines[2].startswith("Traceback")

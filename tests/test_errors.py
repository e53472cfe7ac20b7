"""One line that says what, where, what was expected and how to mend it."""

from __future__ import annotations

import errno
import gzip
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.errors import (
    ConfigError,
    DataError,
    ModelError,
    PrestigeError,
    SplitError,
    StorageError,
    nearest,
    of_library,
    raise_all,
    reading,
    storage_error,
    storing,
    unknown,
)


def test_the_line_holds_all_four_parts_in_order() -> None:
    error = DataError(
        "3 observations lie outside the image",
        where="sample UC1_I",
        expected="x below 900",
        remedy="check um_per_px",
    )
    line = "sample UC1_I: 3 observations lie outside the image; expected x below 900; check um_per_px"
    assert str(error) == line


def test_parts_that_are_missing_leave_no_trace() -> None:
    assert str(PrestigeError("no such file")) == "no such file"
    assert str(PrestigeError("no such file", remedy="make one")) == "no such file; make one"


@given(st.text(), st.text(), st.text(), st.text())
def test_it_is_always_one_line(what: str, where: str, expected: str, remedy: str) -> None:
    error = PrestigeError(what, where=where, expected=expected, remedy=remedy)
    assert len(str(error).splitlines()) <= 1
    assert str(error).isprintable()


def test_what_a_terminal_would_obey_and_what_has_no_end_is_shown_harmlessly() -> None:
    assert str(DataError("the gene '\x1b[31mA\x07' occurs twice")) == r"the gene '\x1b[31mA\x07' occurs twice"
    assert len(str(DataError("x " * 10_000_000))) == 2000
    begins, ends = "b" * 5_000, "e" * 5_000
    shown = str(
        DataError(f"lacks '{begins}{ends}'", where="a" * 499, remedy=f"'{begins}-1' looks like '{begins}'")
    )
    assert len(shown) < 1200
    assert shown.startswith("a" * 499)
    assert "lacks 'bbb" in shown
    assert "eee';" in shown
    assert "b-1' looks like 'b" in shown


@pytest.mark.parametrize("cls", [ConfigError, DataError, SplitError, ModelError, StorageError])
def test_every_kind_ends_with_exit_code_2(cls: type[PrestigeError]) -> None:
    assert issubclass(cls, PrestigeError)
    assert cls("x").exit_code == 2


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("resnet81", "resnet18"),
        ("RESNET18", "resnet18"),
        ("compact-s", "compact_s"),
        ("zebra", None),
    ],
)
def test_nearest(name: str, found: str | None) -> None:
    assert nearest(name, ["compact_s", "compact_m", "resnet18"]) == found


def test_unknown_lists_what_there_is_and_names_the_nearest() -> None:
    error = unknown("loss", "pearson_mae", ["mse", "pearson_mse"], where="run.yaml")
    assert str(error) == (
        "run.yaml: unknown loss 'pearson_mae'; expected one of mse, pearson_mse; did you mean 'pearson_mse'?"
    )


def test_unknown_without_neighbours_suggests_nothing() -> None:
    assert str(unknown("loss", "zebra", [])) == "unknown loss 'zebra'"


def test_raise_all_of_none_of_one_and_of_many() -> None:
    raise_all([])
    one = DataError("first")
    with pytest.raises(DataError) as caught:
        raise_all([one])
    assert caught.value is one
    with pytest.raises(DataError, match=r"^2 faults:\n  first\n  a\.yaml: second$"):
        raise_all([one, ConfigError("second", where="a.yaml")])


def test_a_list_of_lists_is_one_list_and_tells_nothing_twice() -> None:
    with pytest.raises(DataError) as caught:
        raise_all([DataError("first"), DataError("second")])
    with pytest.raises(DataError) as nested:
        raise_all([caught.value, DataError("third"), DataError("first")])
    assert str(nested.value) == "3 faults:\n  first\n  second\n  third"
    assert [str(fault) for fault in nested.value.faults] == ["first", "second", "third"]
    with pytest.raises(StorageError, match=r"^full$"):
        raise_all([StorageError("full"), StorageError("full")])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "out: the disk is full; free some disk space"),
        (OSError("write failed: No space left on device"), "out: the disk is full; free some disk space"),
        (PermissionError(13, "Permission denied"), "out: cannot be written (Permission denied); choose"),
    ],
)
def test_what_the_disk_refuses_names_the_place(error: OSError, said: str) -> None:
    with pytest.raises(StorageError) as caught, storing("out"):
        raise error
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            KeyError("obs"),
            "a.h5ad: cannot be read ('obs'); expected a table; copy it again if it was cut off",
        ),
        (ZeroDivisionError(), "a.h5ad: cannot be read (ZeroDivisionError)"),
        (RecursionError("maximum recursion depth exceeded"), "a.h5ad: cannot be read (maximum recursion"),
        (type("OfALibrary", (Exception,), {})("two\nlines"), "a.h5ad: cannot be read (two lines)"),
        (MemoryError(), "a.h5ad: cannot be read (it asks for more memory than there is)"),
        (
            PermissionError(13, "Permission denied"),
            "a.h5ad: cannot be read (permission denied); expected a table; mend",
        ),
        (OSError("truncated file"), "a.h5ad: cannot be read (truncated file)"),
    ],
)
def test_whatever_a_library_raises_over_a_file_is_a_fault_of_the_file(raised: Exception, said: str) -> None:
    with pytest.raises(DataError) as caught, reading("a.h5ad", expected="a table"):
        raise raised
    assert str(caught.value).startswith(said)
    assert caught.value.__cause__ is raised


@pytest.mark.parametrize("raised", [EOFError("ended early"), zlib.error("invalid code"), gzip.BadGzipFile()])
def test_what_is_packed_and_damaged_is_to_be_copied_whatever_it_should_be(raised: Exception) -> None:
    told = pytest.raises(DataError, match=r"; copy it again if it was cut off$")
    with told, reading("a.csv.gz", remedy="save it as text in UTF-8"):
        raise raised


def test_a_pointer_of_git_lfs_is_named_whatever_it_should_be(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n")
    told = pytest.raises(DataError, match=r"a.h5: is a pointer of Git LFS, .*; fetch the file: git lfs pull$")
    with told, reading(path, expected="a table"):
        raise OSError("no signature")
    for where in (tmp_path, tmp_path / "none", f"{path}, part", "\0"):
        with pytest.raises(DataError, match="cannot be read"), reading(where):
            raise ValueError("x")


def test_a_fault_says_which_part_of_the_file_cannot_be_read() -> None:
    said = r"^a: the element 'obs' cannot be read \(x\)$"
    of_obs = reading("a", part="the element 'obs'", remedy=None, kind=ModelError)
    with pytest.raises(ModelError, match=said), of_obs:
        raise ValueError("x")


@pytest.mark.parametrize(
    "raised",
    [
        AssertionError(),
        NameError("x"),
        ImportError("x"),
        StorageError("full"),
        OSError(28, "No space left on device"),
        FileNotFoundError(2, "No such file or directory", "/elsewhere/b"),
        KeyboardInterrupt(),
    ],
)
def test_defects_of_ours_full_disks_and_other_files_are_no_faults_of_the_file(raised: BaseException) -> None:
    with pytest.raises(type(raised)) as caught, reading("a.h5ad"):
        raise raised
    assert caught.value is raised


@pytest.mark.parametrize(
    "raised", [AssertionError(), ImportError("awkward is needed"), DeprecationWarning("old")]
)
def test_where_a_library_alone_runs_all_that_it_raises_is_the_file_s(raised: Exception) -> None:
    with pytest.raises(DataError, match=r"a: cannot be read"), reading("a"), of_library():
        raise raised
    with pytest.raises(NameError), reading("a"), of_library():
        raise NameError("a defect of ours")


def test_a_file_that_grows_beyond_what_is_allowed_has_a_remedy_that_works() -> None:
    for error in (
        OSError(errno.EFBIG, "File too large"),
        RuntimeError("I/O error: File too large (os error 27)"),
    ):
        assert "allow larger files (ulimit -f)" in str(storage_error(error, "a.safetensors"))

"""One line that says what, where, what was expected and how to mend it."""

from __future__ import annotations

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
    raise_all,
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
    with pytest.raises(DataError, match=r"^2 faults: first \| a\.yaml: second$"):
        raise_all([one, ConfigError("second", where="a.yaml")])


def test_a_list_of_lists_is_one_list_and_tells_nothing_twice() -> None:
    with pytest.raises(DataError) as caught:
        raise_all([DataError("first"), DataError("second")])
    with pytest.raises(DataError) as nested:
        raise_all([caught.value, DataError("third"), DataError("first")])
    assert str(nested.value) == "3 faults: first | second | third"
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

"""Ids of whole numbers keep every digit, whatever they were stored as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.columns.ids import MOST, whole_ids
from prestige.errors import DataError

BIG = 2**53 + 1  # float64 makes 2^53 of it


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([BIG, 5]),
        pd.Series([BIG, 5], dtype="uint64"),
        pd.Series([BIG, 5], dtype="Int64"),
        pd.Series([str(BIG), "5"]),
        pd.Series([f"{BIG}.0", " 5 "]),
        pd.Series([BIG, "5"], dtype=object),
        pd.Series([BIG, 5]).astype("category"),
        pd.Series([str(BIG), "5"]).astype("category"),
        pd.Index([str(BIG), "+5"]),
        np.array([BIG, 5]),
    ],
    ids=str,
)
def test_every_way_of_storing_them_gives_the_same_ids(values: Any) -> None:
    found = whole_ids(values, where="table")
    assert found.dtype == np.int64
    assert found.tolist() == [BIG, 5]


def test_whole_floats_are_ids_as_far_as_floats_keep_them() -> None:
    assert whole_ids(pd.Series([3.0, float(2**53)]), where="table").tolist() == [3, 2**53]
    with pytest.raises(DataError, match=r"no whole numbers above 0: 1 .*float64 keeps those up to 2\^53"):
        whole_ids(pd.Series([3.0, 2.0**54]), where="table")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (pd.Series([1.5, 2]), "1 (1.5)"),
        (pd.Series([np.nan, 2]), "1 (nan)"),
        (pd.Series([np.inf, 2]), "1 (inf)"),
        (pd.Series([0, 2]), "1 (0)"),
        (pd.Series([-3, 2]), "1 (-3)"),
        (pd.Series([None, 2], dtype="Int64"), "1 (<NA>)"),
        (pd.Series(["aaab-1", "7"]), "1 (aaab-1)"),
        (pd.Series(["", "7"]), "1 ()"),
        (pd.Series(["1e3", "7"]), "1 (1e3)"),
        (pd.Series(["7.5", "7"]), "1 (7.5)"),
        (pd.Series(["٣", "7"]), "1 (٣)"),  # a digit elsewhere
        (pd.Series([True, False]), "2 (True, False)"),
        (pd.Series([2**63, 2], dtype="uint64"), f"1 ({2**63})"),
        (pd.Series([str(2**63), "2"]), f"1 ({2**63})"),
        (pd.Series(["1" * 40, "2"]), "1 (1111"),
        (pd.Series(["a", None]).astype("category"), "2 (a, nan)"),
        (pd.Series(pd.to_datetime(["2020-01-01", "2020-01-02"])), "2 (2020"),
    ],
    ids=str,
)
def test_what_is_no_id_is_named(values: pd.Series, named: str) -> None:
    with pytest.raises(DataError) as caught:
        whole_ids(values, where="cells", what="cell ids")
    assert f"cells: cell ids that are no whole numbers above 0: {named}" in str(caught.value)


def test_one_that_is_there_twice_is_refused() -> None:
    with pytest.raises(DataError, match=r"duplicate ids: 1 \(7\)"):
        whole_ids(pd.Series(["7", "7.0", "8"]), where="table")
    assert whole_ids(pd.Series([7, 7]), where="table", unique=False).tolist() == [7, 7]
    assert whole_ids(pd.Series([0, 7]), where="table", least=0).tolist() == [0, 7]
    assert whole_ids(pd.Series([], dtype=object), where="table").tolist() == []


@given(st.lists(st.integers(1, MOST), unique=True, max_size=20), st.sampled_from(["int64", "str", "Int64"]))
def test_no_digit_is_lost(ids: list[int], kind: str) -> None:
    assert whole_ids(pd.Series(ids, dtype="int64").astype(kind), where="table").tolist() == ids


def test_a_fraction_is_not_told_to_be_too_large() -> None:
    with pytest.raises(DataError, match=r"no whole numbers above 0: 1 \(1\.5\)") as caught:
        whole_ids(pd.Series([1.5, 2.0]), where="cells")
    assert "float64" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "remedy"),
    [
        (pd.Series([0, 1, 2]), "add 1 to all ids where they count from 0"),
        (pd.Series([0.0, 1.0]), "0 is the background"),
        (pd.Series([2**63, 2**63 + 1], dtype="uint64"), "number them below 2^63"),
        (pd.Series([0, -1]), None),
        (pd.Series([0, None], dtype="Int64"), None),
        (pd.Series(["0"]), None),
    ],
    ids=str,
)
def test_what_mends_ids_is_said_where_it_can_be_told(values: pd.Series, remedy: str | None) -> None:
    with pytest.raises(DataError) as caught:
        whole_ids(values, where="cells")
    assert caught.value.remedy is None if remedy is None else remedy in str(caught.value)

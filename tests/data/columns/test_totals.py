"""Totals: the table's own where they can be true, the sums where not, and what is no number is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from prestige.data.columns.totals import as_totals, totals_of
from prestige.errors import DataError

SUMS = np.array([3.0, 4.0, 0.0])


def obs(values: Any = None) -> pd.DataFrame:
    return pd.DataFrame({} if values is None else {"total_counts": values}, index=list("abc"))


@pytest.mark.parametrize("values", [None, [3, 4, 0], pd.array([3, 4, 0], dtype="Int64"), ["3", "4", "0"]])
def test_sums_where_nothing_else_is_said(values: Any) -> None:
    found = totals_of(obs(values), SUMS, where="t", n_genes=2)
    np.testing.assert_array_equal(found.values, SUMS)
    assert (found.note, found.refuted) == (None, False)


def test_more_than_the_sums_is_taken_and_less_is_not() -> None:
    found = totals_of(obs([3, 40.5, 2]), SUMS, where="t", n_genes=2)
    np.testing.assert_array_equal(found.values, [3, 40.5, 2])
    assert "cover more than its 2 genes" in str(found.note)
    found = totals_of(obs([1.38, 40, 2]), SUMS, where="t", n_genes=2)
    np.testing.assert_array_equal(found.values, SUMS)
    assert found.refuted
    assert "below the sum of the counts: the sum over 2 genes was taken" in str(found.note)


def test_rows_that_were_not_measured_may_say_anything() -> None:
    measured = np.array([True, False, False])
    found = totals_of(obs([5, np.nan, -1]), SUMS, where="t", n_genes=2, measured=measured)
    np.testing.assert_array_equal(found.values, [5, 0, 0])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([3, np.nan, 0], "obs['total_counts'] is nan in 1 (b)"),
        ([3, np.inf, 0], "is inf in 1 (b)"),
        ([-3, 4, 0], "is -3 in 1 (a)"),
        ([3, 1e300, 0], "is 1e+300 in 1 (b)"),
        (["3", "many", "0"], "is many in 1 (b)"),
        (pd.array([3, None, 0], dtype="Int64"), "is <NA> in 1 (b)"),
        ([True, True, False], "is True in 3 (a, b, c)"),
        ([3j, 4, 0], "in 3 (a, b, c)"),
        (pd.to_datetime(["2020-01-01"] * 3), "in 3 (a, b, c)"),
    ],
    ids=str,
)
def test_absurd_totals_are_one_line(values: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        totals_of(obs(values), SUMS, where="truth.h5ad", n_genes=2)
    assert str(caught.value).startswith("truth.h5ad: ")
    assert said in str(caught.value)
    with pytest.raises(DataError):
        as_totals(obs(values)["total_counts"], where="truth.h5ad")

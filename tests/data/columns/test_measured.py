"""Who was measured, in every way that tables say it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.data.columns.measured import measured_rows, only_rows, yes_or_no
from prestige.errors import DataError


@pytest.mark.parametrize(
    "values",
    [
        [True, False, True],
        pd.array([True, False, True], dtype="boolean"),
        [1, 0, 1],
        [1.0, 0.0, 1.0],
        pd.array([1, 0, 1], dtype="Int8"),
        ["True", "False", "TRUE"],
        ["yes", "No", " YES "],
        ["1", "0", "1.0"],
        pd.Categorical(["yes", "no", "yes"]),
        pd.Categorical([1, 0, 1]),
        pd.Categorical([True, False, True], categories=[False, True]),
        np.array([True, "no", 1], dtype=object),
    ],
    ids=str,
)
def test_every_way_of_saying_it(values: Any) -> None:
    found = yes_or_no(pd.Series(values), where="t", column="measured")
    assert found.dtype == bool
    assert found.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pd.array([True, None], dtype="boolean"), "obs['measured'] is missing in 1 (b)"),
        ([1.0, np.nan], "is missing in 1 (b)"),
        ([1, 2], "is 2 in 1 (b)"),
        (["yes", "maybe"], "is 'maybe' in 1 (b)"),
        (["", "yes"], "is '' in 1 (a)"),
        ([0.5, 0.7], "is 0.5 in 2 (a, b)"),
        (pd.to_datetime(["2020-01-01", "2021-01-01"]), "in 2 (a, b)"),
    ],
    ids=str,
)
def test_what_is_no_answer_is_one_line(values: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        yes_or_no(pd.Series(values, index=list("ab")), where="truth.h5ad", column="measured")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_spots_beside_the_tissue_are_not_measured_and_counted() -> None:
    obs = pd.DataFrame({"in_tissue": [1, 0, 1, 0]}, index=list("abcd"))
    measured, notes = measured_rows(obs, where="t")
    assert measured.tolist() == [True, False, True, False]
    assert notes == ("2 of 4 observations lie off the tissue by obs['in_tissue']: not measured",)
    measured, notes = measured_rows(obs.assign(measured=[False, True, True, False]), where="t")
    assert measured.tolist() == [False, False, True, False]
    assert "1 of 4" in notes[0]


def test_without_a_word_all_were_measured() -> None:
    obs = pd.DataFrame({"x": [1, 2]})
    assert measured_rows(obs, where="t")[0].all()
    all_inside, notes = measured_rows(obs.assign(in_tissue=[1, 1]), where="t")
    assert (all_inside.all(), notes) == (True, ())
    joined = obs.assign(in_tissue=[np.nan, np.nan])  # joined with tables that have the column
    assert measured_rows(joined, where="t")[0].all()


def test_counts_of_rows_that_were_not_measured_go() -> None:
    counts = csr_matrix(np.array([[1, 2], [3, 0], [0, 4.0]]))
    found = only_rows(counts, np.array([True, False, True]))
    np.testing.assert_array_equal(found.toarray(), [[1, 2], [0, 0], [0, 4]])
    assert only_rows(counts, np.ones(3, bool)) is counts


def test_a_column_that_rules_out_every_row_is_doubted() -> None:
    obs = pd.DataFrame({"in_tissue": [0, 0]}, index=["a", "b"])
    measured, notes = measured_rows(obs, where="t")
    assert not measured.any()
    assert notes[0].endswith("not measured; take the column off the table where it says nothing")

"""Names from files are never formulas of a spreadsheet."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from prestige.report.spreadsheet import for_spreadsheets

NASTY = st.text(st.sampled_from("=+-@\t\r\n'\"|,;A() !$\x1b<>"), max_size=6)


def test_texts_that_begin_like_a_formula_get_an_apostrophe() -> None:
    table = pd.DataFrame(
        {
            "gene": ["=1+1", "@SUM(A1)", "-AS1", "\tx", "MT-CO1", "-", "-0.5", None, "+3e5"],
            "score": [-0.5, 1.0, np.nan, 0, 0, 0, 0, 0, -1],
            "-name": pd.Categorical(list("=abcdefgh")),
        }
    )
    found = for_spreadsheets(table)
    assert list(found["gene"]) == ["'=1+1", "'@SUM(A1)", "'-AS1", "'\tx", "MT-CO1", "-", "-0.5", None, "+3e5"]
    assert list(found.columns) == ["gene", "score", "'-name"]
    pd.testing.assert_series_equal(found["score"], table["score"])
    assert list(table["gene"])[:2] == ["=1+1", "@SUM(A1)"]  # what was given stays


def test_a_table_without_such_texts_is_written_as_before() -> None:
    table = pd.DataFrame({"gene": ["EPCAM", None], "n": [1, -2], "kept": [True, False], "mixed": [1, "x"]})
    assert for_spreadsheets(table).to_csv(index=False) == table.to_csv(index=False)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(NASTY, st.floats(-9, 9)), min_size=1, max_size=5))
def test_no_cell_begins_a_formula(rows: list[tuple[str, float]]) -> None:
    text = for_spreadsheets(pd.DataFrame(rows, columns=pd.Index(["name", "value"]))).to_csv(index=False)
    for name, value in list(csv.reader(io.StringIO(text, newline="")))[1:]:
        assert name in ("", "+", "-") or name[0] not in "=+-@\t\r\n"
        float(value)

"""What is wrong with a table, one fault after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from prestige.data.sample import Table, faults_in, has_counts, unstorable


def sound() -> Table:
    obs = pd.DataFrame({"measured": [True, True, False], "total_counts": [3.0, 4.0, 0.0]}, index=list("abc"))
    counts = csr_matrix(np.array([[1, 2], [4, 0], [0, 0]], dtype=np.float32))
    return Table(obs, np.array([[0.0, 0.0], [9.0, 4.0], [3.0, 3.0]]), counts, ("A", "B"))


def said(table: Table) -> str:
    return " | ".join(str(fault) for fault in faults_in(table, height_px=5, width_px=10, where="sample 's'"))


def test_a_sound_table_has_none() -> None:
    assert said(sound()) == ""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"obs": sound().obs.set_axis(list("aab"))}, "duplicate ids: 1 (a)"),
        ({"genes": ("A", "A")}, "duplicate genes: 1 (A)"),
        ({"genes": ("A",)}, "(3, 2) counts"),
        ({"counts": csr_matrix((3, 0), dtype=np.float32), "genes": ()}, "the table has no genes"),
        ({"obs": sound().obs.assign(measured=False)}, "no observation has counts"),
        ({"obs": sound().obs.assign(measured=[True, False, False])}, "rows that are not measured: 1 (b)"),
        (
            {"counts": csr_matrix(np.array([[1, np.inf], [4, 0], [0, 0]], np.float32))},
            "infinite counts in 1 (a)",
        ),
        ({"counts": csr_matrix(np.array([[1, 2], [-4, 0], [0, 0]], np.float32))}, "negative counts in 1 (b)"),
        (
            {"counts": csr_matrix(np.array([[0.7, 2], [4, 0], [0, 0]], np.float32))},
            "33% of the counts are fractions",
        ),
    ],
)
def test_each_fault_is_found(change: dict, expected: str) -> None:
    found = said(replace(sound(), **change))
    assert expected in found
    assert found.count("sample 's'") >= 1


def test_an_empty_table() -> None:
    obs = sound().obs.iloc[:0]
    assert "no observations" in said(
        Table(obs, np.zeros((0, 2)), csr_matrix((0, 2), dtype=np.float32), ("A", "B"))
    )


@given(st.floats(-3, 12), st.floats(-3, 8))
def test_inside_is_what_rounds_to_a_pixel(x: float, y: float) -> None:
    table = sound()
    table.xy_px[2] = (x, y)
    inside = -0.5 <= x <= 9.5 and -0.5 <= y <= 4.5
    assert ("outside the image of 10 x 5 px: 1 (c)" in said(table)) != inside


@pytest.mark.parametrize(
    "change",
    [
        {"counts": csr_matrix((3, 0), dtype=np.float32), "genes": ()},
        {"counts": csr_matrix((3, 2), dtype=np.float32)},
        {"counts": csr_matrix((3, 2), dtype=np.float32), "obs": sound().obs.assign(measured=False)},
    ],
)
def test_counts_are_needed_unless_they_are_optional(change: dict) -> None:
    table = replace(sound(), **change)
    (fault,) = faults_in(table, height_px=5, width_px=10, where="sample 's'")
    assert "counts; expected counts of at least one observation; leave the sample out" in str(fault)
    assert faults_in(table, height_px=5, width_px=10, where="sample 's'", counts="optional") == []
    assert (has_counts(table), has_counts(sound())) == (False, True)


def test_names_that_no_table_stores_are_found() -> None:
    assert unstorable(["a", "b\0c", 3, "\ud800", "\U0001f9ec"]) == ["b\0c", "\ud800"]
    assert unstorable([]) == []

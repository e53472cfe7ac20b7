"""Numbers as a reader sees them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.text import (
    aligned,
    format_number,
    look_alike,
    number,
    round_length,
    shortened,
    si,
    some,
    written,
)


def test_large_numbers_are_written_shortly() -> None:
    assert [si(value) for value in (7.0, 1234.0, 2.5e6, 1.82e9)] == ["7", "1.23 k", "2.5 M", "1.82 G"]
    assert si(float("nan")) == "–"


def test_widths_have_three_digits_and_no_zeros_at_the_end() -> None:
    assert [format_number(value) for value in (64.0, 64.04, 0.4251, 1234.4)] == ["64", "64", "0.425", "1234"]


def test_what_is_no_number_is_nan() -> None:
    assert number("2.5") == 2.5
    assert all(math.isnan(number(value)) for value in (None, "much", [], {}))


def test_a_dash_stands_where_there_is_no_number() -> None:
    assert [written(value, ",.1f") for value in (1234.56, None, math.inf, "?")] == ["1,234.6", "–", "–", "–"]


def test_of_many_names_the_first_stand_and_how_many_more() -> None:
    assert [shortened(list("abcd"), most) for most in (2, 4)] == ["a, b and 2 more", "a, b, c, d"]


@pytest.mark.parametrize(("length", "expected"), [(300.0, 200.0), (990.0, 500.0), (21.0, 20.0), (0.3, 0.2)])
def test_a_round_length_is_just_below(length: float, expected: float) -> None:
    assert round_length(length) == pytest.approx(expected)


@given(st.floats(1e-3, 1e6))
def test_round_lengths(length: float) -> None:
    found = round_length(length)
    assert found <= length * (1 + 1e-6)
    assert found > length / 2.5 * (1 - 1e-6)
    assert f"{found:e}"[0] in "125"


def test_columns_stand_one_under_another() -> None:
    assert list(aligned([("fold", "n"), ("a long name", "12"), ("b", "")])) == [
        "fold         n",
        "a long name  12",
        "b",
    ]


def test_some_names() -> None:
    assert some(list("ab")) == "2 (a, b)"
    assert some([f"n{i}" for i in range(1234)]) == "1,234 (n0, n1, n2, ...)"


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["P1", "P2", "P1"], []),
        (["P1", "p1", "P1 "], [("P1", "p1"), ("P1", "P1 ")]),
        (["a b", "a  b", "ab"], [("a b", "a  b")]),
        (["a b", "a\u00a0b"], [("a b", "a\u00a0b")]),  # a blank that does not break
        (["M\u00fcller", "Mu\u0308ller"], [("M\u00fcller", "Mu\u0308ller")]),  # the accent on its own
        (["P1", "P\u200b1"], [("P1", "P\u200b1")]),  # a blank of no width
        (["1", "1.0", "01"], []),
    ],
)
def test_names_that_a_reader_takes_for_one(names: list[str], pairs: list[tuple[str, str]]) -> None:
    assert look_alike(names) == pairs


@given(st.lists(st.text(max_size=5)))
def test_names_that_look_alike_are_different_ones(names: list[str]) -> None:
    assert all(one != other and {one, other} <= set(names) for one, other in look_alike(names))
    assert look_alike(names + names) == look_alike(names)


def test_a_table_of_strange_names_is_lines_that_a_terminal_does_not_obey() -> None:
    rows = [("name", "n"), ("\x1b[2J\x07evil\nname", "1"), ("$a$ [red]", "2")]
    assert list(aligned(rows)) == [
        "name                  n",
        r"\x1b[2J\x07evil name  1",
        "$a$ [red]             2",
    ]

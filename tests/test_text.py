"""Numbers as a reader sees them."""

import math

from prestige.text import format_number, number, si


def test_large_numbers_are_written_shortly() -> None:
    assert [si(value) for value in (7.0, 1234.0, 2.5e6, 1.82e9)] == ["7", "1.23 k", "2.5 M", "1.82 G"]
    assert si(float("nan")) == "–"


def test_widths_have_three_digits_and_no_zeros_at_the_end() -> None:
    assert [format_number(value) for value in (64.0, 64.04, 0.4251, 1234.4)] == ["64", "64", "0.425", "1234"]


def test_what_is_no_number_is_nan() -> None:
    assert number("2.5") == 2.5
    assert all(math.isnan(number(value)) for value in (None, "much", [], {}))

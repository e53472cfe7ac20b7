"""What text without quotes means to a setting: numbers only where numbers are taken."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from prestige.errors import ConfigError
from prestige.settings import Settings, build, parse
from prestige.settings.document import Plain
from prestige.settings.meaning import Wanted, meaning, typed, wanted


class Part(Settings):
    name: str = ""


class Every(Settings):
    text: str = ""
    path: Path = Path()
    whole: int = 0
    number: float = 0.0
    switch: bool = False
    words: dict[str, str] = Field(default_factory=dict)
    values: tuple[int | str, ...] | None = None
    numbers: tuple[Annotated[float, Field(gt=0)], ...] = ()
    folds: int | Literal["all"] | None = None
    above: Literal["otsu"] | float | None = None
    anything: dict[str, Any] = Field(default_factory=dict)
    parts: tuple[Part, ...] = ()


def made(text: str) -> Every:
    return build(Every, parse(text, where="a.yaml"), where="a.yaml")


@pytest.mark.parametrize(
    "name", ["1_1", "010", "1.0", "1", "NO", "on", "true", "2024-01-02", "1e3", "12:30", ".5"]
)
def test_names_are_taken_as_they_are_written(name: str) -> None:
    found = made(f"text: {name}\npath: {name}\nwords: {{{name}: {name}}}\nparts: [{{name: {name}}}]\n")
    assert (found.text, found.path, found.words) == (name, Path(name), {name: name})
    assert found.parts[0].name == name
    assert type(found.text) is str


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("'5'", 5),
        ("+5", 5),
        ("-5", -5),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0b101", 5),
        ("1e3", 1000),
        ("5.0", 5),
        ("0", 0),
    ],
)
def test_whole_numbers(text: str, value: int) -> None:
    found = made(f"whole: {text}\nnumber: {text}\nfolds: {text}\n")
    assert (found.whole, found.number, found.folds) == (value, value, value)
    assert type(found.whole) is int


@pytest.mark.parametrize(("text", "value"), [("1e-3", 0.001), (".5", 0.5), ("1.", 1.0), ("3.0E+2", 300.0)])
def test_numbers(text: str, value: float) -> None:
    found = made(f"number: {text}\nabove: {text}\nnumbers: [{text}]\n")
    assert (found.number, found.above, found.numbers) == (value, value, (value,))


@pytest.mark.parametrize(
    ("text", "value"), [("yes", True), ("On", True), ("TRUE", True), ("no", False), ("off", False)]
)
def test_switches(text: str, value: bool) -> None:
    assert made(f"switch: {text}").switch is value


def test_values_of_a_column_are_whole_numbers_only_where_they_are_written_as_such() -> None:
    found = made("values: [0, 7, '7', 1_1, 010, NO, x, 1e3, -3]")
    assert found.values == (0, 7, "7", "1_1", "010", "NO", "x", "1e3", -3)
    assert made("values: [true, false]").values == (1, 0)  # as it always was


def test_what_a_library_takes_is_what_yaml_1_2_means() -> None:
    found = made("anything: {a: 1, b: [x, 2.5, true, ~], c: {d: 1e-6}, e: '1', f: no}").anything
    assert found == {"a": 1, "b": ["x", 2.5, True, None], "c": {"d": 1e-6}, "e": "1", "f": "no"}
    assert [type(one) for one in found["b"]] == [str, float, bool, type(None)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "whole: 010",
            "a.yaml, line 1: 'whole' is '010': a number that begins with 0 can be read in two ways",
        ),
        ("whole: 010", "write 10 if that is meant"),
        ("numbers: [1, 007]", "line 1: 'numbers': a number that begins with 0"),
        ("whole: " + "1" * 5000, "has 5,000 digits"),
        ("whole: 9223372036854775808", "expected a whole number below 9.2e+18"),
        ("number: 12:30", "'number' is '12:30'; expected a number"),
        ("number: .nan", "'number' is nan; expected a finite number"),
        ("number: nan", "expected a finite number"),
        ("number: 1e999", "'number' is inf; expected a finite number"),
        ("whole: 1.5", "'whole' is 1.5; expected a whole number"),
        ("switch: maybe", "'switch' is 'maybe'; expected true or false"),
        ("text: ~", "'text' is empty; expected text"),
        ("folds: some", "'folds' is 'some'; expected a whole number or 'all'"),
        ("above: some", "'above' is 'some'; expected 'otsu' or a number"),
    ],
)
def test_what_is_no_such_value_is_told(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(text)
    assert line in str(caught.value)
    assert len(str(caught.value)) < 200


def test_what_a_setting_takes_is_read_from_its_annotation() -> None:
    assert wanted(int | None) == Wanted(frozenset({int}))
    assert wanted(tuple[Annotated[float, Field(gt=0)], ...] | None).item == Wanted(frozenset({float}))
    assert wanted(dict[str, Part]).value == Wanted(frozenset({Part}))
    assert wanted(Literal["a"] | int).kinds == {Literal, int}


def test_values_from_python_stay_as_they_are() -> None:
    assert Every(text="1", whole=3, values=(1, "a")).values == (1, "a")
    assert typed("5", wanted(int)) == "5"


@given(st.integers(-(10**18), 10**18))
def test_whole_numbers_come_back(value: int) -> None:
    assert meaning(str(value)) == value
    assert typed(Plain(str(value)), wanted(int | str)) == value


@given(st.floats(allow_infinity=False, allow_nan=False))
def test_numbers_come_back(value: float) -> None:
    assert meaning(repr(value)) == value


@given(st.text(max_size=20))
def test_a_meaning_is_a_number_or_the_text(text: str) -> None:
    found = meaning(text)
    assert not isinstance(found, str) or found == text
    if isinstance(found, float) and not math.isnan(found):
        assert not math.isfinite(found) or float(text.replace("_", "")) == found

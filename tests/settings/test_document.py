"""Yaml as it is written: what is read, which line a fault names, and what is bounded before it is made."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from prestige.errors import ConfigError
from prestige.settings.document import MOST_BYTES, Plain, at_line, parse, read_yaml


def told(text: str) -> list[str]:
    """Return the faults of a yaml text, a line each."""
    with pytest.raises(ConfigError) as caught:
        parse(text, where="a.yaml")
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1_1", "1_1"),
        ("a: 010", "010"),
        ("a: 1.0", "1.0"),
        ("a: NO", "NO"),
        ("a: yes", "yes"),
        ("a: 2024-01-02", "2024-01-02"),
        ("a: 12:30", "12:30"),
        ("a: 1e3", "1e3"),
        ("a: !!str 5", "5"),
        ("a: 'null'", "null"),
        ("a: ~", None),
        ("a:", None),
        ("a: Null", None),
        ("a: [1, x, ~]", ["1", "x", None]),
        ("a: {b: c}", {"b": "c"}),
        ("a: |\n  b\n  c\n", "b\nc\n"),
        ("\ufeff".encode().decode("utf-8-sig") + "a: 1\r\n", "1"),
    ],
)
def test_values_are_text_as_it_is_written(text: str, value: Any) -> None:
    assert parse(text, where="a.yaml") == {"a": value}


def test_text_without_quotes_can_be_told_from_text_with_them() -> None:
    raw = parse("a: 1\nb: '1'\nc: !!str 1\nd: !!int 1\n", where="a.yaml")
    assert [isinstance(raw[key], Plain) for key in "abcd"] == [True, False, False, True]


def test_keys_are_text_too() -> None:
    assert parse("{1: a, NO: b, 010: c}", where="a.yaml") == {"1": "a", "NO": "b", "010": "c"}


def test_every_value_knows_its_line() -> None:
    raw = parse("a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n", where="a.yaml")
    assert at_line("a.yaml", raw, ("a",)) == "a.yaml, line 1"
    assert at_line("a.yaml", raw, ("b", 0)) == "a.yaml, line 3"
    assert at_line("a.yaml", raw, ("b", 1, "d")) == "a.yaml, line 5"
    assert at_line("a.yaml", raw, ("b", 1, "absent")) == "a.yaml, line 4"
    assert at_line("a.yaml", raw, ("absent",)) == "a.yaml"
    raw["e"] = 1
    assert at_line("a.yaml", raw, ("e",)) == "a.yaml"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1, 2\n", "a.yaml, line 3: is not valid yaml ("),
        ("a: 1\n\tb: 1\n", "a.yaml, line 2: is not valid yaml ("),
        ("a: 1\nb: \x01\n", "a.yaml, line 2: is not valid yaml ("),
        (
            "a: 1\nb: !!python/object/apply:os.system ['true']\n",
            "a.yaml, line 2: is not valid yaml here (the tag",
        ),
        ("a: 1\nb: !!binary abcd\n", "a.yaml, line 2: is not valid yaml here (the tag"),
        ("a: 1\nb: 2\na: 3\n", "a.yaml, line 3: the key 'a' stands in line 1 too; expected every key once"),
        ("1: a\n'1': b\n", "a.yaml, line 2: the key '1' stands in line 1 too"),
        ("? [a]\n: 1\n", "a.yaml, line 1: a key is a list or a mapping; expected text as a key"),
        ("~: 1\n", "a.yaml, line 1: a key is empty"),
        ("a: 1\n---\nb: 2\n", "a.yaml, line 2: a second document begins; expected one yaml document a file"),
        ("a: 1\nb: *c\n", "a.yaml, line 2: the alias '*c' names nothing above it"),
        ("a: &c [1, *c]\n", "a.yaml, line 1: the alias '*c' stands in what it names"),
        ("a: &c 1\nb:\n  <<: *c\n", "a.yaml, line 3: `<<` names no mapping"),
        ('a: "b\\0c"\n', "a.yaml, line 1: a text holds the character '\\x00'"),
        ("a: " + "[" * 3000 + "]" * 3000, "a.yaml, line 1: is nested more than 50 deep; expected settings"),
        ("", "a.yaml: holds no settings; expected a yaml mapping of keys to values"),
        ("- a\n- b\n", "a.yaml: holds no settings"),
        ("%YAML 9.1\n---\na: 1", "is not valid yaml ("),
    ],
)
def test_a_fault_is_one_line_and_names_its_own(text: str, line: str) -> None:
    (fault,) = told(text)
    assert line in fault
    assert "\n" not in fault
    assert len(fault) < 300


def test_a_lone_surrogate_is_refused() -> None:
    (fault,) = told('a: "\\ud800"\n')
    assert fault.startswith("a.yaml, line 1: ")


def test_faults_of_several_lines_come_at_once_and_are_counted_when_they_are_many() -> None:
    assert len(told("a: 1\nb: 1\na: 2\nb: 2\n")) == 2
    many = told("a: 1\n" * 60)
    assert many[-1] == "a.yaml: 39 further lines are wrong"
    assert len(many) == 21


def test_aliases_and_merged_keys_are_read() -> None:
    raw = parse("a: &x {k: 1, l: 2}\nb: *x\nc: {<<: *x, l: 3}\nd: {<<: [*x, {k: 4, m: 5}]}\n", where="a.yaml")
    assert raw["b"] == {"k": "1", "l": "2"}
    assert raw["c"] == {"k": "1", "l": "3"}
    assert raw["d"] == {"k": "1", "l": "2", "m": "5"}


@pytest.mark.parametrize("levels", [5, 9, 30])
def test_aliases_that_explode_are_refused_before_anything_is_made(levels: int) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    started = time.perf_counter()
    (fault,) = told("\n".join(lines))
    assert "its aliases stand for more than 100,000 values" in fault
    assert time.perf_counter() - started < 5


def test_merged_mappings_that_explode_are_refused() -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{i}: x" for i in range(500)) + "}"]
    lines += [f"a{i}: {{<<: [{', '.join(['*a0'] * 20)}]}}" for i in range(1, 20)]
    (fault,) = told("\n".join(lines))
    assert "aliases stand for more than" in fault


def test_variables_stand_for_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTIGE_TEST_A", "x: 1\nevil: {y: 2} # no")
    monkeypatch.setenv("PRESTIGE_TEST_N", "7")
    monkeypatch.delenv("PRESTIGE_TEST_O", raising=False)
    raw = parse(
        "a: ${PRESTIGE_TEST_A}\nb: [${PRESTIGE_TEST_N}, '${PRESTIGE_TEST_N}']  # ${PRESTIGE_TEST_O}\n"
        'c: "${PRESTIGE_TEST_O:-p}/q"\n${PRESTIGE_TEST_N}: d\ne: ${PRESTIGE_TEST_O:-}\n',
        where="a.yaml",
    )
    assert raw == {"a": "x: 1\nevil: {y: 2} # no", "b": ["7", "7"], "c": "p/q", "7": "d", "e": None}
    assert [isinstance(one, Plain) for one in raw["b"]] == [True, False]


def test_a_variable_alone_may_stand_for_a_list_and_for_nothing_around_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PRESTIGE_TEST_L", "[0, {a: 1}]")
    text = "seeds: ${PRESTIGE_TEST_L}\nmore: ${PRESTIGE_TEST_O:-[1,\n  2]}\nlast: 3\nlast: 4\n"
    with pytest.raises(ConfigError, match=r"line 5: the key 'last' stands in line 4 too"):
        parse(text, where="a.yaml")
    raw = parse(text.replace("last: 4\n", ""), where="a.yaml")
    assert raw == {"seeds": ["0", {"a": "1"}], "more": ["1", "2"], "last": "3"}
    assert parse("a: '${PRESTIGE_TEST_L}'", where="a.yaml") == {"a": "[0, {a: 1}]"}
    monkeypatch.setenv("PRESTIGE_TEST_L", "[0]\nevil: 1")
    (fault,) = told("a: 1\nseeds: ${PRESTIGE_TEST_L}\n")
    assert fault.startswith("a.yaml, line 2: is not valid yaml")


def test_every_variable_that_is_not_set_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRESTIGE_TEST_O", raising=False)
    faults = told("a: ${PRESTIGE_TEST_O}\nb: 1\nc: [${PRESTIGE_TEST_O}]\n")
    assert [fault.split(":")[0] for fault in faults] == ["a.yaml, line 1", "a.yaml, line 3"]
    assert "export PRESTIGE_TEST_O=... or write ${PRESTIGE_TEST_O:-default}" in faults[0]


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a device; expected a yaml file"):
        read_yaml("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is a pipe"):
        read_yaml(tmp_path / "pipe")
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(ConfigError, match="is larger than"):
        read_yaml(tmp_path / "large.yaml")
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_yaml(tmp_path / "bom.yaml") == {"a": "1", "b": "2"}
    (tmp_path / "utf16.yaml").write_bytes("a: 1".encode("utf-16"))
    with pytest.raises(ConfigError, match="save it as text in UTF-8"):
        read_yaml(tmp_path / "utf16.yaml")


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0$", exclude_categories=["Cc", "Cs", "Co"]))
TREES = st.recursive(
    WORDS | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS.filter(len), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(WORDS.filter(len), TREES, min_size=1, max_size=4), st.booleans())
def test_trees_come_back_as_they_were_written(tree: dict[str, Any], flow: bool) -> None:
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True)
    assert parse(text, where="a.yaml") == tree


@given(st.text(max_size=80))
def test_any_text_is_a_mapping_or_lines(text: str) -> None:
    faults: tuple[Exception, ...] = ()
    try:
        assert isinstance(parse(text.replace("${", "$"), where="a.yaml"), dict)
    except ConfigError as error:
        faults = error.faults
    assert all("\n" not in str(fault) for fault in faults)

"""What is wrong with settings: one line a fault, in plain words, for every key of every settings class."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import model_validator

from prestige.biology.settings import BiologyConfig
from prestige.config import BenchConfig, RunConfig
from prestige.data.phantom.settings import PhantomConfig
from prestige.data.spec import DatasetConfig
from prestige.errors import PrestigeError
from prestige.settings import Misfits, Settings, build, parse
from prestige.settings.wrong import _EXPECTED, settings_in, shown

SPLIT = {"by": "patient", "buffer_um": 8}
TRAIN = {"budget": {"steps": 2}}
SOUND: dict[type[Settings], dict[str, Any]] = {
    DatasetConfig: {"name": "d", "samples": [{"id": "S", "source": "hest", "path": "p", "patient": "P"}]},
    BenchConfig: {
        "name": "b",
        "dataset": "d.yaml",
        "split": SPLIT,
        "patches": [{"patch_um": 8}],
        "encoders": ["compact_xs"],
        "train": TRAIN,
    },
    RunConfig: {
        "dataset": "d.yaml",
        "split": SPLIT,
        "patch": {"patch_um": 8},
        "model": {"encoder": "compact_xs"},
        "train": TRAIN,
    },
    PhantomConfig: {},
    BiologyConfig: {},
}
WRONG = ("text", ["a", None], -1, math.nan, None, {"odd": {"very": "x" * 5000}}, "x" * 5000, True, [], {})


def keys(cls: type[Settings], raw: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return every key of a settings class and of those inside it, with the entries of lists as 0."""
    found: list[tuple[Any, ...]] = []
    for name, field in cls.model_fields.items():
        found.append((name,))
        inside = settings_in(field.annotation)
        if inside is not None and issubclass(inside, Settings):
            several = "tuple" in str(field.annotation)
            found += [(name, 0, *key) if several else (name, *key) for key in keys(inside, {})]
    return found


def changed(raw: Any, key: tuple[Any, ...], value: Any) -> Any:
    """Return the same settings with another value at a key, the mappings and lists above it made."""
    if not key:
        return value
    if key[0] == 0:
        rest = list(raw) if isinstance(raw, list) else []
        return [changed(rest[0] if rest else {}, key[1:], value), *rest[1:]]
    kept = dict(raw) if isinstance(raw, dict) else {}
    return {**kept, key[0]: changed(kept.get(key[0]), key[1:], value)}


@pytest.mark.parametrize(
    ("cls", "key"),
    [(cls, key) for cls, raw in SOUND.items() for key in keys(cls, raw)],
    ids=lambda one: one.__name__ if isinstance(one, type) else ".".join(map(str, one)),
)
def test_a_wrong_value_of_any_key_is_told_in_lines(cls: type[Settings], key: tuple[Any, ...]) -> None:
    for value in WRONG:
        raw = changed(SOUND[cls], key, value)
        try:
            build(cls, raw, where="a.yaml")
        except PrestigeError as error:
            for fault in map(str, error.faults):
                assert fault.startswith("a.yaml")
                assert "\n" not in fault
                assert len(fault) < 400, fault
                assert "Input should" not in fault
                assert "after validation" not in fault


@pytest.mark.parametrize("cls", SOUND, ids=lambda cls: cls.__name__)
def test_sound_settings_are_sound(cls: type[Settings]) -> None:
    build(cls, SOUND[cls], where="a.yaml")


@pytest.mark.parametrize(
    ("cls", "key", "value", "line"),
    [
        (BenchConfig, ("patches",), [], "a.yaml: 'patches' is []; expected a list of 1 or more"),
        (BenchConfig, ("patches",), 3, "a.yaml: 'patches' is 3; expected a list"),
        (
            BenchConfig,
            ("patches",),
            [{"patch_um": 0}],
            "a.yaml: 'patches.0.patch_um' is 0; expected a number above 0",
        ),
        (
            BenchConfig,
            ("encoders",),
            [None],
            "a.yaml: 'encoders.0' is empty; expected a mapping of keys to values",
        ),
        (BenchConfig, ("split", "by"), "x", "'split.by' is 'x'; expected 'patient', 'column' or 'blocks'"),
        (BenchConfig, ("split", "buffer_um"), -1, "'split.buffer_um' is -1; expected a number of 0 or more"),
        (BenchConfig, ("split", "validation_share"), 1, "expected a number below 1"),
        (BenchConfig, ("split", "within_section"), "x", "expected true or false"),
        (BenchConfig, ("seeds",), [1.5], "'seeds.0' is 1.5; expected a whole number"),
        (
            BenchConfig,
            ("panel", "genes"),
            3,
            "'panel.genes' is 3; expected 'all', 'most_expressed' or 'most_variable'",
        ),
        (BenchConfig, ("panel", "genes"), 3, "or a list or a path"),
        (BenchConfig, ("panel", "genes"), ["A", None], "'panel.genes.1' is empty; expected text"),
        (
            BenchConfig,
            ("evaluation", "margin"),
            -0.1,
            "'evaluation.margin' is -0.1; expected a number of 0 or more",
        ),
        (BenchConfig, ("name",), "../../evil", "'name' is '../../evil': expected a name without /"),
        (BenchConfig, ("name",), "/x", "expected a name without /"),
        (BenchConfig, ("name",), ".hidden", "does not begin with '.'"),
        (
            BenchConfig,
            ("train", "budget"),
            {"steps": "many"},
            "'train.budget.steps' is 'many'; expected a whole number",
        ),
        (BenchConfig, ("dataset",), None, "'dataset' is empty; expected a path"),
        (DatasetConfig, ("samples",), [], "a.yaml: 'samples' is []; expected a list of 1 or more"),
        (
            DatasetConfig,
            ("samples", 0, "covariates"),
            3,
            "'samples.0.covariates' is 3; expected a mapping of keys",
        ),
        (
            DatasetConfig,
            ("samples", 0, "table"),
            "../x",
            "'samples.0.table' is '../x': expected a name below the sample's path",
        ),
        (
            DatasetConfig,
            ("samples", 0, "patient"),
            " ",
            "'samples.0.patient' is ' ': expected 1 to 200 characters",
        ),
        (DatasetConfig, ("name",), "a/b", "'name' is 'a/b': expected letters, digits"),
        (PhantomConfig, ("name",), "../evil", "'name' is '../evil': expected letters, digits"),
        (
            BiologyConfig,
            ("region",),
            {"genes": ["A"], "within_um": 0},
            "'region.within_um' is 0; expected a number above 0",
        ),
    ],
)
def test_the_one_line_of_a_fault(cls: type[Settings], key: tuple[Any, ...], value: Any, line: str) -> None:
    with pytest.raises(PrestigeError) as caught:
        build(cls, changed(SOUND[cls], key, value), where="a.yaml")
    assert line in str(caught.value)
    assert len(caught.value.faults) == 1


def test_what_follows_from_a_fault_is_no_second_one() -> None:
    with pytest.raises(PrestigeError) as caught:
        build(
            DatasetConfig, {"name": "d", "samples": [{"id": "S", "source": "x", "path": "p"}]}, where="a.yaml"
        )
    assert str(caught.value) == "a.yaml: the key 'samples.0.patient' is missing"


class Pair(Settings):
    first: int = 0
    second: int = 0

    @model_validator(mode="after")
    def _differ(self) -> Pair:
        if self.first == self.second:
            raise Misfits([(("first",), "is the second"), (("second",), "is the first")])
        return self


class Holder(Settings):
    pairs: tuple[Pair, ...]


def test_what_does_not_fit_together_is_told_where_it_stands() -> None:
    raw = parse("pairs:\n- {first: 1}\n- first: 2\n  second: 2\n", where="a.yaml")
    with pytest.raises(PrestigeError) as caught:
        build(Holder, raw, where="a.yaml")
    assert [str(one) for one in caught.value.faults] == [
        "a.yaml, line 3: 'pairs.1.first': is the second",
        "a.yaml, line 4: 'pairs.1.second': is the first",
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "empty"),
        ("a b", "'a b'"),
        (" a ", "' a '"),
        ("", "''"),
        ("x" * 10**6, "'" + "x" * 57 + "...'"),
        ({}, "{}"),
        ({"a": "x" * 10**6}, "a mapping"),
        (["x"] * 10**6, "a list"),
        (1.5, "1.5"),
        (10**300, "a number of 2"),
        (Path("a"), "PosixPath('a')"),
    ],
)
def test_a_value_is_shown_shortly(value: Any, words: str) -> None:
    assert shown(value).startswith(words)
    assert len(shown(value)) <= 62


def test_every_word_can_be_filled() -> None:
    numbers = {
        "gt": 1.0,
        "ge": 1.0,
        "lt": 1.0,
        "le": 1.0,
        "min_length": 1,
        "max_length": 1,
        "expected": "'a'",
    }
    assert all(words.format(**numbers) for words in _EXPECTED.values())

"""Yaml in, frozen settings out; every fault named at once, with the key that was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from prestige.errors import ConfigError, PrestigeError
from prestige.settings import Settings, build, read_yaml, resolve_path


class Inner(Settings):
    width: int = 1
    height: int = 1


class Outer(Settings):
    name: str
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    inner: Inner = Inner()
    several: tuple[Inner, ...] = ()
    perhaps: Inner | None = None


def write(folder: Path, text: str) -> Path:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_good_settings_are_built_and_frozen() -> None:
    outer = build(Outer, {"name": "a", "several": [{"width": 2}]}, where="a.yaml")
    assert outer.several == (Inner(width=2, height=1),)
    with pytest.raises(ValidationError):
        outer.name = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ({}, "the key 'name' is missing"),
        ({"name": "a", "shar": 0.1}, "unknown key 'shar'; expected one of"),
        ({"name": "a", "shar": 0.1}, "did you mean 'share'?"),
        (
            {"name": "a", "inner": {"widht": 2}},
            "unknown key 'inner.widht'; expected one of height, width; did you",
        ),
        ({"name": "a", "several": [{}, {"heigth": 2}]}, "unknown key 'several.1.heigth'"),
        ({"name": "a", "several": [{}, {"heigth": 2}]}, "did you mean 'height'?"),
        ({"name": "a", "perhaps": {"with": 2}}, "did you mean 'width'?"),
        ({"name": "a", "share": 2}, "'share' is 2; expected a number below 1"),
        ({"name": "a", "inner": {"width": "two"}}, "'inner.width' is 'two'; expected a whole number"),
    ],
)
def test_faults_name_the_key_and_its_neighbour(raw: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(Outer, raw, where="a.yaml")
    assert line in str(caught.value)
    assert "a.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_is_one_fault_and_not_a_missing_one_too() -> None:
    with pytest.raises(ConfigError) as caught:
        build(Outer, {"nam": "a"}, where="a.yaml")
    assert str(caught.value).startswith("a.yaml: unknown key 'nam'; expected one of")
    assert str(caught.value).endswith("did you mean 'name'?")


def test_all_faults_come_at_once() -> None:
    with pytest.raises(PrestigeError, match="3 faults") as caught:
        build(Outer, {"share": 0, "inner": {"depth": 1}}, where="a.yaml")
    for part in ("'name'", "'share'", "'inner.depth'"):
        assert part in str(caught.value)


def test_read_yaml_replaces_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTIGE_TEST_PLACE", "here")
    monkeypatch.delenv("PRESTIGE_TEST_OTHER", raising=False)
    path = write(tmp_path, "a: ${PRESTIGE_TEST_PLACE}/x\nb: ${PRESTIGE_TEST_OTHER:-there}/y\nc: 3\n")
    assert read_yaml(path) == {"a": "here/x", "b": "there/y", "c": "3"}


def test_a_variable_that_is_not_set_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRESTIGE_TEST_OTHER", raising=False)
    with pytest.raises(
        ConfigError, match=r"\$\{PRESTIGE_TEST_OTHER\} is not set.*export PRESTIGE_TEST_OTHER"
    ):
        read_yaml(write(tmp_path, "a: ${PRESTIGE_TEST_OTHER}\n"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "holds no settings"),
        ("- a\n- b\n", "holds no settings"),
        ("a: [1, 2\n", "is not valid yaml"),
        ("a: !!python/object/apply:os.system ['true']\n", "is not valid yaml"),
    ],
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        read_yaml(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="is a folder; expected a yaml file"):
        read_yaml(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path / "binary.yaml")


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    assert resolve_path(Path("a/b.tif"), tmp_path) == tmp_path.resolve() / "a" / "b.tif"
    assert resolve_path(tmp_path / "c.tif", Path("/elsewhere")) == tmp_path / "c.tif"
    assert resolve_path(Path("~/d.tif"), tmp_path) == Path.home() / "d.tif"


@pytest.mark.parametrize("path", ["~nobody-of-that-name/x", "a\0b"])
def test_paths_that_cannot_be_are_one_line(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match="the path cannot be read"):
        resolve_path(Path(path), tmp_path)


def test_faults_of_a_yaml_name_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "name: a\nshare: 2\ninner:\n  widht: 1\nseveral:\n  - {}\n  - {width: x}\n")
    with pytest.raises(ConfigError, match="3 faults") as caught:
        build(Outer, read_yaml(path), where=path)
    assert [str(fault).partition(": ")[0].rpartition(", ")[2] for fault in caught.value.faults] == [
        "line 2",
        "line 4",
        "line 7",
    ]

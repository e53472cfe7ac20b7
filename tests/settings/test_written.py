"""Text and paths in a yaml that we write: whoever reads it finds what was written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from prestige.settings import parse
from prestige.settings.written import scalar, short_path

ANY = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)
TRICKY = st.text(
    st.sampled_from("${}:-#\"\\'&*!|>%@` \n\t,[]?~yYnoN01.\x7f\x85\u2028\ufeff\U0001f600"), max_size=12
)


@given(ANY | TRICKY)
@example("no")
@example("Null")
@example("y")
@example("1_1")
@example("${HOME}")
@example("\\${HOME:-x}")
@example("\U0001f600 \x85")
@example("")
def test_every_text_comes_back_by_itself_in_a_list_and_in_a_mapping(text: str) -> None:
    written = scalar(text)
    whole = f"a: {written}\nb: [{written}, x]\nc: {{d: {written}}}\n"
    for read in (parse(whole, where="d.yaml"), yaml.safe_load(whole)):
        assert read == {"a": text, "b": [text, "x"], "c": {"d": text}}
    assert "\n" not in written


@pytest.mark.parametrize("text", ["P1", "UC1_NI.zarr", "/data/a-b/c.h5ad", "mouse-1"])
def test_plain_names_stand_without_quotes(text: str) -> None:
    assert scalar(text) == text


@pytest.mark.parametrize(
    "text", ["no", "Null", "y", "TRUE", "nan", "1_1", "010", "-a", "a b", "Z\u00fcrich", "?"]
)
def test_what_could_be_something_else_stands_in_quotes(text: str) -> None:
    assert scalar(text) == f'"{text}"'


def test_paths_are_short_below_the_yaml_and_whole_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sets" / "in").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "sets" / "S1")
    monkeypatch.chdir(tmp_path)
    base = tmp_path / "sets"
    assert short_path(Path("sets/in/x.zarr"), base) == "in/x.zarr"
    assert short_path(base, base) == "."
    assert short_path(base / "S1", Path("sets")) == "S1"  # a link keeps its name
    assert short_path(Path("elsewhere"), base) == os.path.realpath(tmp_path / "elsewhere")

"""Names of samples that were found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.spec import SampleSpec
from prestige.start.found import Found, as_id, renamed, stem_of


@pytest.mark.parametrize(
    ("name", "stem"),
    [("S1.ome.tif", "S1"), ("S1.tsv.gz", "S1"), ("a.b.2.tiff", "a.b.2"), ("x", "x"), (".tif", ".tif"),
     ("S1.zarr", "S1"), ("UC1_I.ome.zarr", "UC1_I")],
)  # fmt: skip
def test_a_name_without_what_says_its_format(name: str, stem: str) -> None:
    assert stem_of(Path(name)) == stem


@given(st.text(max_size=300))
def test_any_text_becomes_a_name_that_a_sample_may_have(text: str) -> None:
    SampleSpec(id=as_id(text), source="hest", path=Path("x"), patient="P")


def test_equal_names_are_numbered() -> None:
    found = [Found(name, "slide", Path(name), "") for name in ("a", "A", "b", "a")]
    assert [one.id for one in renamed(found)] == ["a", "A_2", "b", "a_3"]

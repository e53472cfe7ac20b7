"""Label, macro and thumbnail images of an OME file lie beside its slide."""

from __future__ import annotations

import pytest

from prestige.data.slides.beside import slides_among


@pytest.mark.parametrize(
    ("name", "lies_beside"),
    [
        ("label image", True),
        ("macro image", True),
        ("Macro", True),
        ("CMU-1.svs [thumbnail]", True),
        ("S1.svs - overview image", True),
        ("", False),
        ("labelled section", False),
        ("macrophages.svs", False),
        ("Series 1", False),
    ],
)
def test_names_tell_what_lies_beside(name: str, lies_beside: bool) -> None:
    assert slides_among([(1, name, True), (2, "", True)]) == ({2} if lies_beside else {1, 2})


def test_what_is_measured_goes_before_what_is_not() -> None:
    assert slides_among([(1, "", False), (2, "", True), (3, "label", True)]) == {2}
    assert slides_among([(1, "", False), (2, "label", True)]) == {1}
    assert slides_among([(1, "macro", False), (2, "label", True)]) == {1, 2}
    assert slides_among([]) == set()

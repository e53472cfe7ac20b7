"""Bins of Visium HD: their places by barcode, their rows among the positions, larger ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.platforms.space_ranger.bins import (
    binned,
    folders_of,
    is_binned,
    name_of,
    places_of,
    rows_of,
)
from prestige.data.platforms.space_ranger.positions import Positions
from prestige.errors import DataError

PLACES = st.lists(
    st.tuples(st.integers(0, 99_999), st.integers(0, 99_999)), min_size=1, max_size=20, unique=True
)


@given(PLACES, st.sampled_from([2, 8, 16]))
def test_places_stand_in_the_barcodes(places: list[tuple[int, int]], width: int) -> None:
    names = [name_of(width, *place) for place in places]
    for form in (np.array(names, dtype="S"), np.array(names, dtype=object), np.array(names, dtype="S30")):
        assert places_of(form, width, Path("m")).tolist() == [list(place) for place in places]


@pytest.mark.parametrize(
    "name", ["s_008um_00001_00002-1", "s_002um_0000a_00002-1", "AAAC-1", "s_002um_00001_00002_1"]
)
def test_other_names_are_refused(name: str) -> None:
    for form in ("S", object):
        with pytest.raises(DataError, match="barcodes that are not those of bins of 2 um: 1 "):
            places_of(np.array([name, "s_002um_00001_00003-1"], dtype=form), 2, Path("m"))


@given(PLACES, PLACES, st.randoms())
def test_rows_are_found_in_any_order(
    known: list[tuple[int, int]], asked: list[tuple[int, int]], random: object
) -> None:
    array = np.array(known)
    positions = Positions(None, np.ones(len(array), dtype=bool), array, array.astype(float))
    expected = [known.index(place) if place in known else -1 for place in asked]
    assert rows_of(np.array(asked), positions).tolist() == expected


def test_folders_are_found_where_people_point(tmp_path: Path) -> None:
    for width in (2, 8):
        (tmp_path / "outs" / "binned_outputs" / f"square_{width:03d}um").mkdir(parents=True)
    below = tmp_path / "outs" / "binned_outputs"
    for path in (tmp_path, tmp_path / "outs", below):
        assert folders_of(path) == {2: below / "square_002um", 8: below / "square_008um"}
    assert folders_of(below / "square_008um") == {8: below / "square_008um"}
    below = below.rename(tmp_path / "outs" / "Visium_HD_Brain_binned_outputs")
    assert folders_of(tmp_path) == {2: below / "square_002um", 8: below / "square_008um"}
    assert is_binned(tmp_path / "outs")
    found = folders_of(tmp_path)
    assert [binned(found, one, tmp_path).of_um for one in (None, 2, 8, 24, 6)] == [8, 2, 8, 8, 2]
    assert binned({2: below}, None, tmp_path).bin_um == 8
    assert binned({16: below}, None, tmp_path).bin_um == 16
    with pytest.raises(DataError, match=r"has no bins of 7 um, .*; write bin_um: 8"):
        binned(found, 7, tmp_path)

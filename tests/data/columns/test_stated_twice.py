"""Places that obs states too, under names that say what they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.columns.stated_twice import columns_of_places, said_of_places
from prestige.errors import DataError

XY = np.array([[10.0, 200.0], [30.0, 40.0], [55.0, 7.5]])


def obs(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns, index=pd.Index(["a", "b", "c"]))


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ("x_centroid", "y_centroid", "micrometres, by their names; .* divide them by the width of a pixel"),
        ("Centroid X \N{MICRO SIGN}m", "Centroid Y \N{MICRO SIGN}m", "micrometres"),
        ("center_x", "center_y", "micrometres"),
        ("array_col", "array_row", "places on the array"),
        ("CenterX_local_px", "CenterY_local_px", "places within a field of view"),
        ("pxl_col_in_lowres", "pxl_row_in_lowres", "pixels of a smaller picture"),
    ],
)
def test_places_that_are_no_pixels_by_the_names_of_the_same_numbers_are_refused(
    x: str, y: str, words: str
) -> None:
    table = obs(**{y: XY[:, 1], x: XY[:, 0].astype(np.float32), "total_counts": 1})
    with pytest.raises(DataError, match=words):
        said_of_places(table, XY, where="t")
    assert said_of_places(table, XY * 2, where="t") == ()
    both = table.assign(x_px=XY[:, 0], y_px=XY[:, 1])
    assert said_of_places(both, XY, where="t") == ()


def test_pixels_that_differ_are_told() -> None:
    table = obs(pxl_row_in_fullres=XY[:, 1], pxl_col_in_fullres=XY[:, 0])
    assert said_of_places(table, XY, where="t") == ()
    names = "obs['pxl_col_in_fullres'] and obs['pxl_row_in_fullres'] give other places than obsm['spatial']"
    assert said_of_places(table, XY[:, ::-1], where="t") == (
        f"{names}, which was taken: x and y are swapped",
    )
    assert said_of_places(table, XY / 2, where="t") == (f"{names}, which was taken",)


def test_columns_are_named_where_obsm_has_no_places() -> None:
    assert columns_of_places(obs(total_counts=1, group="x")) is None
    assert columns_of_places(obs(y=XY[:, 1], x=XY[:, 0])) == ("x", "y", "")
    um = obs(x_um=XY[:, 0], y_um=XY[:, 1])
    assert columns_of_places(um) == ("x_um", "y_um", "um")
    assert columns_of_places(um.assign(y_px=1, x_px=2)) == ("x_px", "y_px", "px")
    assert columns_of_places(obs(array_row=[1, 2, 3], array_col=[1, 2, 3])) is None
    assert columns_of_places(obs(x=["a", "b", "c"], y=["a", "b", "c"])) is None


@given(st.lists(st.text(max_size=14), max_size=5, unique=True))
def test_any_names_are_looked_at(names: list[str]) -> None:
    table = pd.DataFrame(np.ones((3, len(names))), columns=pd.Index(names, dtype=object))
    columns_of_places(table)
    assert len(said_of_places(table, XY, where="t")) <= 1

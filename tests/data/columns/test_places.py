"""Places: x and y by what their columns are called, and one line where that cannot be told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from prestige.data.columns.places import read_places, turned
from prestige.errors import DataError

XY = np.array([[34.0, 76.0], [50.0, 20.5]])
IDS = pd.Index(["a", "b"])


def frame(*names: str, order: str = "xy") -> pd.DataFrame:
    columns = {"x": XY[:, 0], "y": XY[:, 1], "0": np.arange(2.0) + 900}
    return pd.DataFrame({name: columns[key] for name, key in zip(names, order, strict=True)}, index=IDS)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("x", "y"), "xy"),
        (("y", "x"), "yx"),
        (("Y", "X"), "yx"),
        (("row", "col"), "yx"),
        (("pxl_row_in_fullres", "pxl_col_in_fullres"), "yx"),
        (("pxl_col_in_fullres", "pxl_row_in_fullres"), "xy"),
        (("imagerow", "imagecol"), "yx"),
        (("array_row", "array_col", "imagerow", "imagecol"), "00yx"),
        (("in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"), "000yx"),
        (("tissue", "row", "col", "imagerow", "imagecol"), "000yx"),
        (("pixel_y", "pixel_x"), "yx"),
        (("y_px", "x_px", "z_px"), "yx0"),
        (("CenterY_global_px", "CenterX_global_px", "CenterX_local_px"), "yx0"),
        (("x_um", "y_um", "x_px", "y_px"), "00xy"),
        (("ycoord", "xcoord"), "yx"),
        (("spatial1", "spatial2"), "xy"),
        (("0", "1"), "xy"),
        (("X_spatial-0", "X_spatial-1", "X_spatial-2"), "xy0"),
    ],
)
def test_a_frame_says_which_column_is_which(names: tuple[str, ...], order: str) -> None:
    given_frame = frame(*names, order=order)
    np.testing.assert_array_equal(read_places(given_frame, IDS, where="t"), XY)
    np.testing.assert_array_equal(read_places(given_frame.astype(str), IDS, where="t"), XY)
    as_records: Any = given_frame.to_records(index=False)
    np.testing.assert_array_equal(read_places(np.asarray(as_records), IDS, where="t"), XY)
    assert turned(list(names)) == (not order.startswith("xy"))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("x_um", "y_um"), "micrometres, by their names"),
        (("x (µm)", "y (µm)"), "micrometres"),
        (("x_micron", "y_micron"), "micrometres"),
        (("x_centroid", "y_centroid"), "micrometres"),
        (("center_x", "center_y"), "micrometres"),
        (("array_row", "array_col"), "no pixels of the full image"),
        (("x_lowres", "y_lowres"), "no pixels of the full image"),
        (("x", "z"), "no pixels"),
        (("PC_a", "PC_b"), "has the columns 'PC_a', 'PC_b'"),
        (("x", "y", "x_px", "col"), "which are x and y?"),
        (("centroid-0", "centroid-1"), "which are x and y?"),  # row and column, as image libraries count
        (("axis-0", "axis-1"), "which are x and y?"),
    ],
)
def test_other_names_are_refused_in_a_line(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_places(frame(*names, order="xy00"[: len(names)]), IDS, where="table")
    assert said in str(caught.value)
    assert str(caught.value).startswith("table: obsm['spatial'] ")
    assert turned(list(names))


@pytest.mark.parametrize(
    "spatial",
    [
        XY,
        XY.astype(np.float16),
        np.c_[XY, [0, 0]],
        XY.astype(str),
        XY.astype(object),
        XY.tolist(),
    ],
)
def test_an_array_has_x_and_y_first(spatial: Any) -> None:
    np.testing.assert_array_equal(read_places(spatial, IDS, where="t"), XY)


def test_numbers_that_are_missing_are_told_with_the_other_faults() -> None:
    found = read_places(np.array([[1, None], ["3", np.nan]], dtype=object), IDS, where="t")
    np.testing.assert_array_equal(found, [[1, np.nan], [3, np.nan]])


@pytest.mark.parametrize(
    ("spatial", "said"),
    [
        (np.array([["NA", "NA"], ["3", "4"]]), "holds 'NA' in 1 (a)"),
        (np.array([["1", "2"], ["3", "4 px"]], dtype=object), "holds '4 px' in 1 (b)"),
        (csr_matrix(XY), "is a sparse matrix"),
        (XY[:, :1], "has shape (2, 1)"),
        (XY[:, 0], "has shape (2,)"),
        (np.ones((2, 5)), "has shape (2, 5)"),
        (XY.astype(complex), "holds complex128"),
        (XY > 40, "holds bool"),
    ],
    ids=str,
)
def test_what_is_no_place_is_one_line(spatial: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_places(spatial, IDS, where="table")
    assert said in str(caught.value)


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4, unique=True))
def test_any_names_are_places_or_a_line(names: list[str]) -> None:
    try:
        found = read_places(pd.DataFrame(np.ones((2, len(names))), columns=pd.Index(names)), IDS, where="t")
    except DataError:
        return
    assert found.shape == (2, 2)


def test_records_are_read_by_their_names_however_they_lie() -> None:
    """AnnData makes a column of records, each of which may hold anything."""
    records = np.array([(40.0, 1.0), (50.0, 2.0)], dtype=[("y", "f8"), ("x", "f8")])
    for form in (records, records[:, None]):
        np.testing.assert_array_equal(read_places(form, IDS, where="t"), [[1, 40], [2, 50]])
    with pytest.raises(DataError, match="has the columns 'a'"):
        read_places(np.zeros((2, 1), dtype=[("a", "i4"), ("b", "f8")]), IDS, where="t")
    with pytest.raises(DataError):
        read_places(np.zeros((2, 1), dtype=[("x", "f8", (2,)), ("y", "f8")]), IDS, where="t")

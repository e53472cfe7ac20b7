"""Files of places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.data.points.files import kind_of_file, read_points
from prestige.errors import DataError


def written(folder: Path, text: str) -> Path:
    path = folder / "places.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "names", "in_um"),
    [
        ("x,y\n1,2\n3,4\n", ["1", "2"], False),
        ("\tid\ty\tx\n0\ta\t2\t1\n1\tb\t4\t3\n", ["a", "b"], False),
        ("cell_id,x_centroid,y_centroid\na,1,2\nb,3,4\n", ["a", "b"], True),
        ("Y (um);X (um);Name\n2;1;a\n4;3;b\n", ["a", "b"], True),
        ("name|x|y\na|1|2\nb|3|4\n", ["a", "b"], False),
        ("x_um,y_um,x_px,y_px\n9,9,1,2\n9,9,3,4\n", ["1", "2"], False),
        ("barcode,pxl_row_in_fullres,pxl_col_in_fullres\na,2,1\nb,4,3\n", ["a", "b"], False),
        ("id,x,y\na,1,2\na,3,4\n", ["1", "2"], False),
    ],
)
def test_places_are_read_by_the_names_of_their_columns(
    tmp_path: Path, text: str, names: list[str], in_um: bool
) -> None:
    found = read_points(written(tmp_path, text))
    assert (list(found.names), found.in_um) == (names, in_um)
    np.testing.assert_array_equal(found.xy, [[1, 2], [3, 4]])


def test_parquet_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"cell_id": [b"a", b"b"], "x": np.float32([1, 3]), "y": np.int16([2, 4])})
    frame.to_parquet(tmp_path / "a.parquet")
    found = read_points(tmp_path / "a.parquet")
    assert found.names == ("a", "b")
    np.testing.assert_array_equal(found.xy, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("x,y\n1,2\n", "um", True),
        ("x_centroid,y_centroid\n1,2\n", "px", False),
        ("x_um,y_um,x_px,y_px\n1,2,9,9\n", "um", True),
    ],
)
def test_a_unit_that_is_stated_holds(tmp_path: Path, text: str, unit: str, expected: bool) -> None:
    found = read_points(written(tmp_path, text), unit)  # type: ignore[arg-type]
    assert found.in_um == expected
    np.testing.assert_array_equal(found.xy, [[1, 2]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "has the columns 'a', 'b'; expected columns x and y; name them x and y"),
        ("x,x2,y\n1,2,3\n", "which are x and y"),
        ("x_mm,y_mm\n1,2\n", "micrometres"),
        ("id x y\n1 2 3\n", "has the column 'id x y': x and y in one; .*put commas or tabs between"),
        ("x;y\n1,5;2,25\n", "holds '1,5' in row 1; .*with a decimal point"),
        ("x;y\n1.234,5;2\n", "holds '1.234,5' in row 1; .*nothing between thousands"),
    ],
)
def test_columns_that_do_not_say_it_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_points(written(tmp_path, text))


def test_kinds_are_told_by_content(tmp_path: Path) -> None:
    contents = {
        b"II*\0": "tiff",
        b"MM\0*": "tiff",
        b"MM\0+": "tiff",
        b"\x93NUMPY": "numpy",
        b'\xef\xbb\xbf {"': "geojson",
        b"[": "geojson",
        b"x,y": "table",
        b"": "table",
    }
    for content, kind in contents.items():
        (tmp_path / "a").write_bytes(content)
        assert kind_of_file(tmp_path / "a") == kind


def test_other_kinds_are_called_what_they_are(tmp_path: Path) -> None:
    for content, words in {
        b"\x89PNG\r\n": "is a PNG image",
        b"\xff\xd8\xff": "is a JPEG image",
        b"PK\3\4": "is a zip archive",
        b"\x89HDF\r\n": "is an HDF5 file",
    }.items():
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(DataError, match=f"{words}.*save places as csv, labels as .tif or .npy"):
            read_points(tmp_path / "a")

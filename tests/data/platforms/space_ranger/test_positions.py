"""Positions of all versions: with a header or without, whole or float pixels, csv or parquet."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.data.platforms.space_ranger.positions import read_positions
from prestige.errors import DataError

HEAD = "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\n"
ROWS = "AAAC-1,1,0,2,7,11\nAAAG-1,0,1,3,-5.5,12.25\n"


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        HEAD + ROWS,
        "\ufeff" + HEAD.replace("\n", "\r\n") + ROWS.replace("\n", "\r\n"),
        HEAD + "\n".join(f'"{row[:6]}"{row[6:]}' for row in ROWS.splitlines()),
        HEAD.replace(",", "\t") + ROWS.replace(",", "\t"),
        HEAD.replace(",", ";") + ROWS.replace(",", ";"),
        '"","tissue","row","col","imagerow","imagecol"\n' + ROWS,
        "," + HEAD + "".join(f"{row},{line}\n" for row, line in enumerate(ROWS.splitlines())),
        "barcode,pxl_col_in_fullres,pxl_row_in_fullres,in_tissue,array_row,array_col\n"
        "AAAC-1,11,7,1,0,2\nAAAG-1,12.25,-5.5,0,1,3\n",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_texts_of_all_writers(tmp_path: Path, text: str, packed: bool) -> None:
    path = tmp_path / "tissue_positions.csv"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    found = read_positions(path)
    assert found.barcodes is not None
    assert found.barcodes.tolist() == ["AAAC-1", "AAAG-1"]
    assert found.in_tissue.tolist() == [True, False]
    assert found.array.tolist() == [[0, 2], [1, 3]]
    assert found.xy_px.tolist() == [[11, 7], [12.25, -5.5]]


@pytest.mark.parametrize("barcodes", [True, False])
def test_parquet(tmp_path: Path, barcodes: bool) -> None:
    frame = pd.DataFrame([row.split(",") for row in ROWS.split()], columns=HEAD.strip().split(","))
    frame = frame.astype(dict.fromkeys(frame.columns[1:4], int) | dict.fromkeys(frame.columns[4:], float))
    frame.to_parquet(tmp_path / "tissue_positions.parquet")
    found = read_positions(tmp_path / "tissue_positions.parquet", barcodes=barcodes)
    assert (found.barcodes is not None) == barcodes
    np.testing.assert_array_equal(found.xy_px, [[11, 7], [12.25, -5.5]])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no positions"),
        (HEAD, "holds no positions"),
        (HEAD.replace("array_row,", "") + ROWS, "has no column array_row, only barcode, in_tissue"),
        (ROWS + "AAAT-1,1,0\n", r"another number of fields than 6 in the lines 1 \(3\)"),
        (ROWS + "AAAC-1,1,4,4,4,4\n", r"holds barcodes twice: 1 \(AAAC-1\)"),
        (ROWS + "AAAT-1,1,4,4,x,4\n", r"the column 'pxl_row_in_fullres' holds 'x' in 1 \(AAAT-1\)"),
        (ROWS + "AAAT-1,1,4,4,inf,4\n", "holds 'inf'"),
        (ROWS + "AAAT-1,1,4.5,4,4,4\n", "rows or columns of the array that are not whole"),
        (ROWS + "AAAT-1,,4,4,4,4\n", r"obs\['in_tissue'\] is '' in 1 \(AAAT-1\)"),
    ],
)
def test_what_is_no_table_of_positions_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "tissue_positions_list.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=told) as error:
        read_positions(path)
    assert "\n" not in str(error.value)

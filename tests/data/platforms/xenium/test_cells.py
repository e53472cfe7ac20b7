"""The table of cells, of every version and form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.data.platforms.xenium.cells import needed_table, read_cells, table_named
from prestige.errors import DataError

FRAME = pd.DataFrame(
    {
        "cell_id": ["aaaaficg-1", "aaabbaka-1", "aaabbjoo-1"],
        "x_centroid": [10.5, 20.0, 30.25],
        "y_centroid": [1.0, 2.0, 3.0],
        "transcript_counts": [5, 0, 7],
        "nucleus_area": [12.0, np.nan, 8.0],
    }
)


def test_parquet_and_csv_with_the_row_names_of_r(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "cells.parquet", index=False)
    FRAME.to_csv(tmp_path / "cells.csv.gz")  # its first column has no name
    for name in ("cells.parquet", "cells.csv.gz"):
        cells = read_cells(tmp_path / name)
        assert cells.ids.tolist() == FRAME["cell_id"].tolist()
        np.testing.assert_array_equal(cells.xy_um, [[10.5, 1], [20, 2], [30.25, 3]])
        assert cells.transcript_counts is not None
        assert cells.transcript_counts.tolist() == [5, 0, 7]
        assert cells.has_nucleus.tolist() == [True, False, True]
    assert table_named(tmp_path, "cells") == tmp_path / "cells.parquet"


def test_whole_numbers_and_bytes_as_ids(tmp_path: Path) -> None:
    FRAME.assign(cell_id=[1, 2, 10]).to_parquet(tmp_path / "a.parquet")
    assert read_cells(tmp_path / "a.parquet").ids.tolist() == ["1", "2", "10"]
    FRAME.assign(cell_id=[b"a-1", b"b-1", b"c-1"]).to_parquet(tmp_path / "b.parquet")
    assert read_cells(tmp_path / "b.parquet").ids.tolist() == ["a-1", "b-1", "c-1"]


def test_without_counts_and_nuclei(tmp_path: Path) -> None:
    FRAME[["cell_id", "x_centroid", "y_centroid"]].to_csv(tmp_path / "cells.csv", index=False)
    cells = read_cells(tmp_path / "cells.csv")
    assert cells.transcript_counts is None
    assert cells.has_nucleus.all()
    assert cells.obs.columns.tolist() == []


def test_what_is_no_table_of_cells(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither cells\.parquet nor cells\.csv\.gz is there"):
        needed_table(tmp_path, "cells", "")
    (tmp_path / "cells.zarr.zip").touch()
    with pytest.raises(DataError, match=r"; its .zarr.zip is not read: copy it from the output folder"):
        needed_table(tmp_path, "cells", "")
    FRAME.drop(columns="x_centroid").to_parquet(tmp_path / "cells.parquet")
    with pytest.raises(DataError, match="x_centroid"):
        read_cells(tmp_path / "cells.parquet")
    FRAME.assign(cell_id="a").to_parquet(tmp_path / "cells.parquet")
    with pytest.raises(DataError, match="cells that are there twice"):
        read_cells(tmp_path / "cells.parquet")
    (tmp_path / "cells.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"cells\.parquet"):
        read_cells(tmp_path / "cells.parquet")

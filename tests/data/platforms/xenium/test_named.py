"""Names of files with and without that of a data set before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.data.platforms.xenium.named import named, prefix_of, prefixes_in
from prestige.errors import DataError


def test_what_stands_before_the_table_of_cells_stands_before_all(tmp_path: Path) -> None:
    assert prefixes_in(tmp_path) == []
    assert prefix_of(tmp_path, "S1") == ""
    for name in ("S1_cells.parquet", "S1_cells.csv.gz", "S10-cells.csv", "mycells.csv", "._S2_cells.csv"):
        (tmp_path / name).touch()
    assert prefixes_in(tmp_path) == ["S10-", "S1_"]
    assert [prefix_of(tmp_path, one) for one in ("S1", "S10")] == ["S1_", "S10-"]
    with pytest.raises(DataError, match=r"has several tables of cells: S10-cells, S1_cells; .* the id that"):
        prefix_of(tmp_path, "S")
    assert named(tmp_path, "S1_", "cells.parquet") == tmp_path / "S1_cells.parquet"
    assert named(tmp_path, "S1_", "experiment.xenium") == tmp_path / "experiment.xenium"
    (tmp_path / "cells.csv").touch()
    assert prefix_of(tmp_path, "S2") == ""

"""Which files an output folder is read from; what of it is refused is tested with the reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.data.platforms.xenium.folder import opened_folder
from prestige.errors import DataError

from ....small_xenium import XeniumFolder


def test_files_by_their_roles(tmp_path: Path) -> None:
    path = XeniumFolder().write(tmp_path / "outs")
    for one in path.iterdir():
        one.rename(path / f"S1_{one.name}")
    how = {"um_per_px": None, "counts": "needed", "centre_of": "nucleus"}
    found, manifest = opened_folder(path, counts_of="nucleus", sample="other", **how)
    assert found.files == {
        "cells": path / "S1_cells.parquet",
        "matrix": path / "S1_cell_feature_matrix.h5",
        "manifest": path / "S1_experiment.xenium",
        "transcripts": path / "S1_transcripts.parquet",
        "outlines": path / "S1_nucleus_boundaries.parquet",
    }
    assert manifest.n_cells == 30
    found.files["manifest"].unlink()
    with pytest.raises(DataError, match=r"experiment.xenium is missing"):
        opened_folder(path, counts_of="cell", **how)
    assert "manifest" not in opened_folder(path, counts_of="cell", **{**how, "um_per_px": 0.2})[0].files

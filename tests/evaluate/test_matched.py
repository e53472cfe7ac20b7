"""Two files read together: the rows of the truth, in its order, with all that the predictions say of them."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.errors import ConfigError
from prestige.evaluate.matched import read_matched

COUNTS = np.array([[4, 0, 1, 5], [0, 0, 0, 0], [1, 2, 3, 4], [0, 8, 0, 2]], dtype=np.float32)


def write(folder: Path, *, ours: bool = True, placed: bool = True) -> tuple[Path, Path]:
    pred = anndata.AnnData(
        np.array([[3.0, 1.0], [2.0, 0.5], [9.0, 9.0]], dtype=np.float32),
        obs=pd.DataFrame(index=["d", "a", "c"]),
        var=pd.DataFrame({"train_mean": [1.0, 2.0], "train_std": [0.5, 0.25]}, index=["B", "A"]),
    )
    if ours:
        pred.uns["prestige"] = {
            "schema": "prestige.prediction/1",
            "normalisation": {"total": 50.0, "log1p": True},
        }
    truth = anndata.AnnData(
        csr_matrix(COUNTS),
        obs=pd.DataFrame({"sample": ["s", "s", "t", "t"], "layer": [1, 2, 3, 4]}, index=list("abcd")),
        var=pd.DataFrame(index=list("ABCD")),
    )
    if placed:
        truth.obsm["spatial"] = np.arange(8.0).reshape(4, 2)
        truth.uns["um_per_px"] = 0.5
    pred.write_h5ad(folder / "pred.h5ad")
    truth.write_h5ad(folder / "truth.h5ad")
    return folder / "pred.h5ad", folder / "truth.h5ad"


def test_rows_and_genes_are_those_of_both_files(tmp_path: Path) -> None:
    files = read_matched(*write(tmp_path))
    assert files.genes == ("B", "A")
    np.testing.assert_array_equal(files.predicted, [[2.0, 0.5], [9.0, 9.0], [3.0, 1.0]])
    np.testing.assert_array_equal(files.counts.toarray(), [[0, 4], [2, 1], [8, 0]])
    np.testing.assert_array_equal(files.totals, [10, 10, 10])
    np.testing.assert_array_equal(files.xy_um, [[0, 0.5], [2, 2.5], [3, 3.5]])
    assert list(files.sample_of) == ["s", "t", "t"]
    assert list(files.obs["layer"]) == [1, 3, 4]
    assert files.no_positions is None
    assert files.counted["scored"] == 3
    assert files.counted["truth_without_counts"] == 1
    np.testing.assert_array_equal(files.train_mean, [1.0, 2.0])
    np.testing.assert_array_equal(files.train_std, [0.5, 0.25])
    np.testing.assert_allclose(files.expected(), np.log1p([[0, 20], [10, 5], [40, 0]]), rtol=1e-6)


def test_other_tools_files_carry_no_training_values(tmp_path: Path) -> None:
    paths = write(tmp_path, ours=False, placed=False)
    with pytest.raises(ConfigError, match="--scale"):
        read_matched(*paths)
    files = read_matched(*paths, scale="counts")
    assert files.train_mean is None
    assert files.train_std is None
    assert "um_per_px" in str(files.no_positions)
    np.testing.assert_array_equal(files.xy_um, np.zeros((3, 2)))
    np.testing.assert_array_equal(files.expected(), files.counts.toarray())

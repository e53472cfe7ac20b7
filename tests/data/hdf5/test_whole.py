"""A file as AnnData, part by part."""

from __future__ import annotations

from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csc_matrix, csr_matrix

from prestige.data.hdf5.whole import read_anndata
from prestige.errors import DataError, StorageError

COUNTS = np.array([[0, 2, 0], [1, 0, 3]], dtype=np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table = AnnData(
        X=csr_matrix(COUNTS),
        obs=pd.DataFrame({"total_counts": [2.0, 4.0], "kind": ["a", "b"]}, index=["c1", "c2"]),
        var=pd.DataFrame({"train_mean": [0.0, 1.0, 2.0]}, index=list("ABC")),
        obsm={"spatial": np.ones((2, 2)), "pca": np.ones((2, 5))},
        layers={"counts": csc_matrix(COUNTS), "log": COUNTS},
        uns={"um_per_px": 0.5, "other": {"deep": 1}, "prestige": {"schema": "x", "model": {"a": 1}}},
    )
    table.raw = table.copy()
    table.write_h5ad(tmp_path / "t.h5ad")
    return tmp_path / "t.h5ad"


def test_it_is_what_anndata_reads(path: Path) -> None:
    found, whole = read_anndata(path), anndata.read_h5ad(path)
    pd.testing.assert_frame_equal(found.obs, whole.obs)
    pd.testing.assert_frame_equal(found.var, whole.var)
    assert type(found.X) is type(whole.X)
    assert found.X.dtype == whole.X.dtype
    np.testing.assert_array_equal(found.X.toarray(), COUNTS)
    assert sorted(found.layers) == ["counts", "log"]
    np.testing.assert_array_equal(found.raw.X.toarray(), COUNTS)
    np.testing.assert_array_equal(found.obsm["spatial"], whole.obsm["spatial"])
    assert found.uns["um_per_px"] == 0.5
    assert found.uns["prestige"] == whole.uns["prestige"]


@pytest.mark.parametrize("name", ["obsm/pca", "uns/other", "layers/log", "raw/X", "obs/kind"])
def test_what_nobody_asks_for_may_be_broken(path: Path, name: str) -> None:
    with h5py.File(path, "a") as file:
        file[name].attrs["encoding-type"] = "of the next year"
    found = read_anndata(path)
    np.testing.assert_array_equal(found.X.toarray(), COUNTS)


@pytest.mark.parametrize(
    "name", ["X", "layers/counts", "obs/total_counts", "obsm/spatial", "uns/um_per_px", "var"]
)
def test_what_is_used_is_named_where_it_is_broken(path: Path, name: str) -> None:
    with h5py.File(path, "a") as file:
        file[name].attrs["encoding-type"] = "of the next year"
    with pytest.raises(DataError, match=name.rpartition("/")[2]):
        read_anndata(path)


@pytest.mark.parametrize("name", ["X", "layers/counts"])
@pytest.mark.parametrize(
    ("part", "value"),
    [("indices", 3), ("indices", 10**9), ("indices", -5), ("indptr", 10**9), ("indptr", -1), ("indptr", 2)],
)
def test_sparse_parts_that_lead_nowhere(path: Path, name: str, part: str, value: int) -> None:
    with h5py.File(path, "a") as file:
        file[f"{name}/{part}"][-1] = value
    with pytest.raises(DataError, match=name):
        read_anndata(path)


def test_parts_of_unequal_length(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["obsm/spatial"]
        anndata.io.write_elem(file, "obsm/spatial", np.ones((3, 2)))
    with pytest.raises(DataError, match=r"t\.h5ad: cannot be read"):
        read_anndata(path)


def test_a_file_that_cannot_be_opened_is_of_the_given_kind(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        read_anndata(tmp_path / "none.h5ad", kind=StorageError)


def test_names_that_occur_twice_are_read_without_a_word(tmp_path: Path) -> None:
    table = anndata.AnnData(np.ones((2, 2), np.float32))
    table.write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        file["obs/_index"][...] = "same"
    assert list(read_anndata(tmp_path / "a.h5ad").obs_names) == ["same", "same"]  # a warning is an error here

"""Parts of AnnData tables."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csc_matrix, csr_matrix

from prestige.data.tables import (
    as_numbers,
    canonical,
    opened_h5ad,
    place_rows,
    read_counts,
    read_genes,
    write_h5ad,
)
from prestige.errors import DataError

COUNTS = np.array([[0, 2, 0], [1, 0, 3]], dtype=np.float32)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix, csc_matrix])
@pytest.mark.parametrize("layer", [False, True])
def test_counts_are_found_in_any_form(tmp_path: Path, form: type, layer: bool) -> None:
    matrix = form(COUNTS)
    layers = {"counts": matrix} if layer else {}
    AnnData(X=np.ones((2, 3), np.float32) if layer else matrix, layers=layers).write_h5ad(tmp_path / "t.h5ad")
    with opened_h5ad(tmp_path / "t.h5ad") as file:
        found = read_counts(file, where="t")
    np.testing.assert_array_equal(found.toarray(), COUNTS)
    assert (found.dtype, found.nnz, found.has_canonical_format) == (np.float32, 3, True)


def test_genes_are_symbols(tmp_path: Path) -> None:
    var = pd.DataFrame({"gene_symbols": list("ABC")}, index=["E1", "E2", "E3"])
    AnnData(X=COUNTS, var=var).write_h5ad(tmp_path / "t.h5ad")
    with opened_h5ad(tmp_path / "t.h5ad") as file:
        assert read_genes(file, where="t") == ("A", "B", "C")


def test_broken_matrices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file"), opened_h5ad(tmp_path / "no.h5ad"):
        pass
    AnnData(X=csr_matrix(COUNTS)).write_h5ad(tmp_path / "t.h5ad")
    with h5py.File(tmp_path / "t.h5ad", "a") as file:
        file["X/indices"][...] = 7
    with opened_h5ad(tmp_path / "t.h5ad") as file, pytest.raises(DataError, match=r"'X'"):
        read_counts(file, where="t")
    twice = csr_matrix((np.ones(2), [1, 1], [0, 2, 2]), shape=(2, 3))
    with pytest.raises(DataError, match=r"names a gene twice"):
        canonical(twice, where="t")


@given(st.permutations(range(7)), st.integers(0, 7))
def test_rows_go_where_they_belong(rows: list[int], k: int) -> None:
    chosen = np.array(rows[:k], dtype=np.int64)
    counts = np.random.default_rng(k).poisson(1.0, (k, 4)).astype(np.float32)
    expected = np.zeros((7, 4), np.float32)
    expected[chosen] = counts
    np.testing.assert_array_equal(place_rows(chosen, csr_matrix(counts), 7).toarray(), expected)


def test_numbers() -> None:
    np.testing.assert_array_equal(as_numbers(pd.Series(["1", "x", "2.5"])), [1, np.nan, 2.5])


def table() -> AnnData:
    obs = pd.DataFrame({"kind": list("abcd") * 50}, index=[f"cell-{i}" for i in range(200)])
    counts = csr_matrix(np.random.default_rng(0).poisson(0.5, (200, 40)).astype(np.float32))
    return AnnData(counts, obs=obs, uns={"prestige": {"schema": "x", "log1p": True}})


def test_a_table_is_written_as_anndata_writes_it(tmp_path: Path) -> None:
    write_h5ad(table(), tmp_path / "ours.h5ad")
    table().write_h5ad(tmp_path / "theirs.h5ad")
    ours, theirs = (anndata.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("ours", "theirs"))
    np.testing.assert_array_equal(ours.X.toarray(), theirs.X.toarray())  # type: ignore[union-attr]
    pd.testing.assert_frame_equal(ours.obs, theirs.obs)
    assert dict(ours.uns["prestige"]) == dict(theirs.uns["prestige"])


def test_wherever_the_disk_runs_full_hdf5_never_learns_of_it(tmp_path: Path) -> None:
    """HDF5 itself would answer with a RuntimeError, with noise for each open object, or with a crash."""
    path = tmp_path / "t.h5ad"
    write_h5ad(table(), path)
    size = path.stat().st_size

    class SmallDisk(io.FileIO):
        room = 0

        def write(self, data: Any) -> int:
            fits = SmallDisk.room - self.tell()
            if fits <= 0 and len(data):
                raise OSError(28, "No space left on device")
            return super().write(data[:fits])

    class OnSmallDisk(type(path)):
        def open(self, *_: Any, **__: Any) -> Any:
            return SmallDisk(str(self), "w+")

    for SmallDisk.room in (0, 1, 90, *range(500, size - 1, max(1, size // 12)), size - 1):
        with pytest.raises(OSError, match="No space left on device"):
            write_h5ad(table(), OnSmallDisk(path))
        assert not path.exists()

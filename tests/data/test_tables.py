"""Parts of AnnData tables."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csc_matrix, csr_matrix

from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.tables import (
    as_numbers,
    canonical,
    place_rows,
    read_counts,
    read_genes,
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

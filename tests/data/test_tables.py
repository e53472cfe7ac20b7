"""Parts of AnnData tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    checked_matrix,
    place_rows,
    read_counts,
    read_genes,
    read_part,
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
        assert read_genes(file, where="t").names == ("A", "B", "C")


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


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "float64", "bool"])
def test_sound_matrices_pass_as_they_are(form: type, dtype: str) -> None:
    matrix = form(COUNTS.astype(dtype))
    matrix.indices = matrix.indices.astype(np.int64)
    assert checked_matrix(matrix, where="t") is matrix
    dense = COUNTS.astype(dtype)
    assert checked_matrix(dense, where="t") is dense


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix])
def test_half_precision_is_read(tmp_path: Path, form: type) -> None:
    """Which scipy does not have and files may hold."""
    AnnData(X=form(COUNTS)).write_h5ad(tmp_path / "t.h5ad")
    with h5py.File(tmp_path / "t.h5ad", "a") as file:
        values = file["X/data"][()].astype(np.float16)
        del file["X/data"]
        file["X/data"] = values
    with opened_h5ad(tmp_path / "t.h5ad") as file:
        found = read_counts(file, where="t")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.toarray(), COUNTS)


@pytest.mark.parametrize(
    "matrix",
    [
        np.array([["a", "b"]], dtype=object),
        np.ones(3),
        np.ones((2, 2), dtype=complex),
        np.zeros(2, dtype=[("a", "i4")]),
        {"data": 1},
        None,
        "text",
        h5py.Empty("f4"),
    ],
    ids=str,
)
def test_what_is_no_matrix_of_numbers(matrix: Any) -> None:
    with pytest.raises(DataError, match=r"^t: .*matrix"):
        checked_matrix(matrix, where="t")


@pytest.mark.parametrize(
    ("part", "value"),
    [("indices", 3), ("indices", 10**9), ("indices", -1), ("indptr", 10**9), ("indptr", 0), ("indptr", -1)],
)
def test_sparse_parts_that_lead_nowhere(part: str, value: int) -> None:
    matrix = csr_matrix(COUNTS)
    getattr(matrix, part)[-1] = value
    with pytest.raises(DataError, match=r"^t: the sparse matrix"):
        checked_matrix(matrix, where="t")


def test_places_of_2018_are_a_field(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["obsm"] = np.array([((1.0, 2.0),), ((3.0, 4.0),)], dtype=[("spatial", "f8", (2,))])
        np.testing.assert_array_equal(read_part(file, "obsm/spatial", where="t"), [[1, 2], [3, 4]])
        with pytest.raises(DataError, match="'obsm/pca'"):
            read_part(file, "obsm/pca", where="t")


@pytest.mark.parametrize("fault", ["soft", "encoding", "deep", "library"])
def test_elements_that_cannot_be_read_are_named(tmp_path: Path, fault: str) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        if fault == "soft":
            file["obsm/spatial"] = h5py.SoftLink("/obsm/spatial")
        elif fault == "library":  # which anndata asks for and few have
            file.create_group("obsm/spatial").attrs.update(
                {"encoding-type": "awkward-array", "encoding-version": "0.1.0"}
            )
        elif fault == "encoding":
            file["obsm/spatial"] = [1.0]
            file["obsm/spatial"].attrs["encoding-type"] = "of the next year"
            file["obsm/spatial"].attrs["encoding-version"] = "9"
        else:
            file.create_group("obsm/spatial" + "/a" * 3000)
        with pytest.raises(DataError, match="'obsm/spatial'"):
            read_part(file, "obsm/spatial", where="t")


@pytest.mark.parametrize("part", ["indices", "indptr"])
def test_rows_and_columns_are_told_in_whole_numbers(part: str) -> None:
    for dtype in (np.uint32, np.uint64):
        matrix = csr_matrix(COUNTS)
        setattr(matrix, part, getattr(matrix, part).astype(dtype))
        kept = getattr(matrix, part).dtype
        np.testing.assert_array_equal(checked_matrix(matrix, where="t").toarray(), COUNTS)
        assert getattr(matrix, part).dtype == kept  # the user's own is left as it is
    matrix = csr_matrix(COUNTS)
    for dtype in (np.float32, "S1"):
        setattr(matrix, part, getattr(matrix, part).astype(dtype))
        with pytest.raises(DataError, match=f"^t: the sparse matrix is broken .{part} of the type"):
            checked_matrix(matrix, where="t")


@pytest.mark.parametrize("form", [csr_matrix, np.asarray])
def test_numbers_that_nobody_counts(tmp_path: Path, form: Any) -> None:
    for value, said in ((2.0**29, ""), (2.0**33, "a count is 2.58e.10"), (1e300, "")):
        AnnData(X=form(COUNTS.astype(np.float64) * value)).write_h5ad(tmp_path / "t.h5ad")
        with opened_h5ad(tmp_path / "t.h5ad") as file:
            if said:
                with pytest.raises(DataError, match=f"'X': {said}; expected at most 2,147,483,648 of a gene"):
                    read_counts(file, where="t")
            else:
                found = read_counts(file, where="t").data
                assert np.isinf(found).any() == (value > 1e38)  # told later, with its observation


def test_a_large_chunk_of_dense_counts_that_is_missing_is_refused(tmp_path: Path) -> None:
    """zarr would read it as zeros; a small one may be left out because it holds none."""
    import zarr

    for side, lost in ((40, True), (20, False)):
        group = zarr.open_group(tmp_path / str(side), mode="w", zarr_format=3)
        counts = np.ones((2 * side, side), np.float32)
        array = group.create_array("X", data=counts, chunks=(side, side))
        array.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        (tmp_path / str(side) / "X" / "c" / "1" / "0").unlink()
        if lost:
            with pytest.raises(DataError, match="only 1 of 2 chunks are there"):
                read_counts(group, where="table")
        else:
            assert read_counts(group, where="table").sum() == side * side

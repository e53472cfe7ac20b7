"""Counts: which matrix holds them, what is none, and what makes one doubt."""

from __future__ import annotations

from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_matrix, csr_matrix

from prestige.data.columns.counts import (
    as_rows,
    count_faults,
    counts_elsewhere,
    counts_of,
    doubts_about,
    wrong_values,
)
from prestige.errors import DataError


def test_the_layer_comes_first() -> None:
    table = anndata.AnnData(np.ones((2, 2)))
    assert counts_of(table)[1] == "X"
    table.layers["counts"] = np.zeros((2, 2))
    matrix, name = counts_of(table)
    assert (matrix.sum(), name) == (0, "layers['counts']")


def faults(values: list[list[float]], **more: Any) -> str:
    counts = csr_matrix(np.array(values))
    return " | ".join(
        map(str, count_faults(counts, pd.Index(list("abcd")[: len(values)]), where="t", **more))
    )


def test_whole_numbers_are_counts_and_nothing_else() -> None:
    assert faults([[0, 1], [2, 3e6]]) == ""
    assert "NaN or infinite counts in 2 (a, b)" in faults([[np.nan, 1], [np.inf, 1], [1, 1]])
    assert "negative counts in 1 (b)" in faults([[1, 1], [-1, 1]])
    assert "t: it holds no counts: 25% of the counts are fractions (as 0.5)" in faults([[0.5, 1], [1, 1]])
    said = faults([[1, 1.5]], name="X", elsewhere="raw.X holds counts: store them in layers['counts']")
    assert "X holds no counts: 50% of the counts are fractions" in said
    assert "raw.X holds counts" in said
    one_of_many = np.ones(1000)
    one_of_many[7] = 1.5
    assert [what for what, _ in wrong_values(one_of_many)] == ["1 count is a fraction (as 1.5)"]


@pytest.mark.parametrize("kind", [csr_matrix, csc_matrix, np.asarray])
def test_other_matrices_that_hold_counts_are_named(kind: Any, tmp_path: Any) -> None:
    counts, logs = np.array([[0, 3], [2, 1]]), np.log1p(np.array([[0, 3], [2, 1]]))
    others = {"layers['raw_counts']": kind(counts), "layers['scaled']": kind(logs), "raw.X": kind(counts)}
    said = counts_elsewhere(others, where="t")
    assert said == "layers['raw_counts'] and raw.X hold counts: store them in layers['counts']"
    assert counts_elsewhere({"layers['scaled']": kind(logs), "ones": kind(counts > 1)}, where="t") is None
    with h5py.File(tmp_path / "t.h5", "w") as file:
        anndata.io.write_elem(file, "raw_counts", kind(counts))
        anndata.io.write_elem(file, "words", np.array(["a"], dtype=object))
        open_file = {"raw_counts": file["raw_counts"], "words": file["words"]}
        assert str(counts_elsewhere(open_file, where="t")).startswith("raw_counts holds counts")


def test_matrices_in_memory_become_rows() -> None:
    for matrix in (np.eye(2), np.eye(2, dtype=np.uint8), csc_matrix(np.eye(2)), np.eye(2, dtype=np.float16)):
        np.testing.assert_array_equal(as_rows(matrix, where="t", name="X").toarray(), np.eye(2))
    assert as_rows(np.eye(2) > 0, where="t", name="X").dtype == np.float32
    for wrong in (np.array([["a", "b"]]), np.eye(2) * 1j):
        with pytest.raises(DataError, match="X is no matrix of numbers"):
            as_rows(wrong, where="t", name="X")


def doubts(counts: np.ndarray, totals: np.ndarray | None = None) -> str:
    table = csr_matrix(counts.astype(np.float32))
    sums = table.sum(axis=1).A1 if hasattr(table.sum(axis=1), "A1") else np.asarray(table.sum(axis=1)).ravel()
    totals = sums.astype(float) if totals is None else totals
    return " | ".join(doubts_about(table, totals, np.ones(len(counts), bool)))


@pytest.mark.parametrize("depth", [0.02, 0.3, 5.0, 200.0])
@pytest.mark.parametrize("seed", range(3))
def test_real_counts_raise_no_doubt_however_sparse(depth: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert doubts(rng.poisson(depth * rng.gamma(1.0, 1.0, 50), (300, 50))) == ""  # the same depth everywhere
    assert doubts(rng.poisson(depth * rng.gamma(2.0, 0.5, (300, 1)) * rng.gamma(1.0, 1.0, 50))) == ""


def test_normalised_binarised_and_logarithms_are_doubted() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(3.0 * rng.gamma(2.0, 0.5, (300, 1)) * np.ones(50))
    scaled = np.round(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * 10_000)
    assert "nearly the same total (10,0" in doubts(scaled) or "nearly the same total (9,9" in doubts(scaled)
    assert "binarised" in doubts(counts > 2)
    deep = rng.poisson(100.0 * rng.gamma(2.0, 0.5, (300, 1)) * np.ones(50))
    assert "are these logarithms?" in doubts(np.round(np.log2(1 + deep)))
    assert "nearly the same total (10,000)" in doubts(counts, np.full(300, 10_000.0))
    assert doubts(counts[:10] > 2) == ""  # too few to say
    assert doubts(np.zeros((300, 50))) == ""

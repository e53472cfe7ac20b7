"""Matrices of 10x Genomics: .h5 and folders of texts, of all versions, read alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prestige.data.platforms.matrix import Matrix
from prestige.data.platforms.matrix_10x import contradiction, matrix_of

from ...small_matrix import FEATURES, GENES, IDS, VALUES, write_folder, write_h5


@pytest.fixture(params=["h5", "folder", "packed"])
def matrix(request: pytest.FixtureRequest, tmp_path: Path) -> Matrix:
    if request.param == "h5":
        return matrix_of(write_h5(tmp_path / "m.h5"))
    return matrix_of(write_folder(tmp_path / "m", packed=request.param == "packed"))


def test_observations_genes_and_counts(matrix: Matrix) -> None:
    assert tuple(matrix.ids) == IDS
    assert matrix.genes.names == ("CD3E", "ENSG2", "ENSG3")
    assert matrix.about["software"].startswith("spaceranger-")
    counts = matrix.counts()
    assert counts.dtype == np.float32
    np.testing.assert_array_equal(counts.toarray(), GENES)
    wanted = np.array([True, False, False, True])
    np.testing.assert_array_equal(matrix.counts(wanted).toarray(), GENES[wanted])
    assert matrix.counts(np.zeros(4, dtype=bool)).shape == (0, 3)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"values": VALUES[:3], "ids": IDS[:3]}, "5 features x 4 barcodes against 5 features x 3 barcodes"),
        ({"ids": [*IDS[:3], "AACG-1"]}, "of 4 barcodes 3 are in both"),
        ({"features": [*FEATURES[:4], ("ENSG4", "TBCE", "Gene Expression")]}, "of 5 features 4 are in both"),
        ({"values": VALUES * (VALUES > 1)}, "10 counts against 8"),
    ],
)
def test_two_forms_of_a_matrix_that_disagree_are_told(
    tmp_path: Path, other: dict[str, Any], words: str
) -> None:
    taken = matrix_of(write_h5(tmp_path / "m.h5"))
    turned = {"values": VALUES[::-1], "ids": IDS[::-1]}
    for same in ({}, turned):
        assert contradiction(taken, write_folder(tmp_path / f"same{len(same)}", **same)) is None
    told = contradiction(taken, write_folder(tmp_path / "m", **other))
    assert told == f"m.h5 and the folder m disagree ({words}): the former was taken"
    (tmp_path / "m" / "matrix.mtx").unlink()
    told = contradiction(taken, tmp_path / "m")
    assert told is not None
    assert "disagree (the latter no file matrix.mtx" in told


REAL = [  # file, observations, genes, sum, stored
    ("visium/placenta_cytassist_sr3/filtered_feature_bc_matrix.h5", 2898, 19465, 3_085_005, 1_069_459),
    ("visium/sr1_100spots/filtered_feature_bc_matrix.h5", 100, 100, 932, 656),
    ("visium/sr1_raw_50spots/outs/raw_feature_bc_matrix.h5", 50, 49, 607, 344),
    ("visium/sr1_raw_50spots/outs/raw_feature_bc_matrix", 50, 50, 682, 338),
    ("visium/sr2_12spots/outs/filtered_feature_bc_matrix", 12, 5, 2951, 60),
    ("xenium/jurkat_raji_xoa1_no_manifest/cell_feature_matrix.h5", 569, 27, 50_220, 8504),
    ("xenium/mouse_ileum_nucexp_xoa3/cell_feature_matrix.h5", 23, 5006, 433, 29),
]


@pytest.mark.parametrize(("name", "n", "genes", "total", "stored"), REAL)
def test_real_matrices(shared_data: Path, name: str, n: int, genes: int, total: int, stored: int) -> None:
    path = shared_data / "exports" / name
    if not path.exists():
        pytest.skip(f"no {path}")
    matrix = matrix_of(path)
    counts = matrix.counts()
    assert (counts.shape, int(counts.sum()), counts.nnz) == ((n, genes), total, stored)
    assert len(set(matrix.genes.names)) == genes


def test_real_counts_are_those_of_scanpy(shared_data: Path) -> None:
    scanpy = pytest.importorskip("scanpy")
    path = shared_data / "exports/visium/placenta_cytassist_sr3/filtered_feature_bc_matrix.h5"
    if not path.exists():
        pytest.skip(f"no {path}")
    with pytest.warns(UserWarning, match="not unique"):
        theirs = scanpy.read_10x_h5(path)
    ours = matrix_of(path)
    assert (ours.counts() != theirs.X).nnz == 0
    assert list(ours.ids) == list(theirs.obs_names)
    assert list(ours.features.index) == list(theirs.var["gene_ids"])

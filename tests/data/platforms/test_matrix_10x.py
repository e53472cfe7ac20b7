"""Matrices of 10x Genomics: .h5 and folders of texts, of all versions, read alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prestige.data.platforms.matrix import Matrix
from prestige.data.platforms.matrix_10x import matrix_of

from ...small_matrix import GENES, IDS, write_folder, write_h5


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

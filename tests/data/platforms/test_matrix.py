"""What a matrix says before its counts are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from prestige.data.platforms.matrix import Wanted, matrix_named
from prestige.errors import DataError


def test_genes_are_told_by_their_type() -> None:
    asked = []

    def read(wanted: Wanted) -> csr_matrix:
        asked.append(wanted)
        return csr_matrix(np.array([[1.0, 0.0], [0.0, 2.0]])[wanted.rows])

    features = (
        ["E1", "P", "E2"],
        ["A", "CD4", "B"],
        ["Gene Expression", "Protein Expression", "Gene Expression"],
    )
    matrix = matrix_named(Path("m.h5"), np.array([b"b1", b"b2"]), features, {}, read, stored=2)
    assert list(matrix.ids) == ["b1", "b2"]
    assert matrix.genes.names == ("A", "B")
    assert matrix.counts(np.array([False, True])).toarray().tolist() == [[0, 2]]
    columns, kept = asked[0].of(np.array([0, 1, 2, 2], dtype=np.int32))
    assert kept.tolist() == [True, False, True, True]
    assert columns[kept].tolist() == [0, 1, 1]


def test_a_matrix_without_genes_is_refused() -> None:
    with pytest.raises(DataError, match="no features of the type"):
        matrix_named(Path("m.h5"), ["b1"], (["p"], ["p"], ["Peaks"]), {}, lambda wanted: csr_matrix((1, 1)))
    with pytest.raises(DataError, match=r"m.h5: the barcodes cannot be read"):
        _ = matrix_named(Path("m.h5"), np.array([b"\xff"]), (["E"], ["A"], None), {}, csr_matrix).ids

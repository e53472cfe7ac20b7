"""Matrices in folders of texts: old names, faults, bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.data.platforms.matrix_10x import matrix_of
from prestige.errors import DataError

from ...small_matrix import FEATURES, write_folder


def test_genes_tsv_without_types(tmp_path: Path) -> None:
    texts = "\n".join("\t".join(one[:2]) for one in FEATURES)
    found = matrix_of(write_folder(tmp_path / "m", features_tsv="", genes_tsv=texts))
    assert found.genes.names == ("CD3E", "CD4", "ENSG2", "ENSG3")


HEAD = "%%MatrixMarket matrix coordinate integer general\n"


@pytest.mark.parametrize(
    ("contents", "told"),
    [
        ({"matrix_mtx": ""}, "no file matrix.mtx.gz or matrix.mtx"),
        (
            {"barcodes_tsv": "AAAC-1\n"},
            r"5 x 4 by its head, with 5 lines in features.tsv and 1 in barcodes.tsv",
        ),
        ({"features_tsv": "ENSG1\n" * 5}, "has lines of one column"),
        ({"matrix_mtx": HEAD + "5 4 2\n1 1 3\n"}, "cannot be read"),
        ({"matrix_mtx": HEAD + "5 4 1\n6 1 3\n"}, "cannot be read"),
        ({"matrix_mtx": HEAD + "5 4 1\n0 1 3\n"}, "cannot be read"),
        ({"matrix_mtx": HEAD + "5 4 2\n1 1 3\n1 1 3\n"}, "names a feature of a barcode twice"),
        ({"matrix_mtx": HEAD + "5 4 999999999999\n1 1 3\n"}, "declares 999,999,999,999 counts"),
        (
            {"matrix_mtx": HEAD.replace("general", "symmetric") + "5 4 1\n1 1 3\n"},
            "begins with '%%MatrixMarket",
        ),
        ({"matrix_mtx": HEAD.replace("integer", "pattern") + "5 4 1\n1 1\n"}, "begins with '%%MatrixMarket"),
        ({"matrix_mtx": "5 4 1\n"}, "cannot be read"),
    ],
)
def test_a_broken_folder_is_one_line(tmp_path: Path, contents: dict[str, str], told: str) -> None:
    with pytest.raises(DataError, match=told) as error:
        matrix_of(write_folder(tmp_path / "m", **contents)).counts()
    assert "\n" not in str(error.value)


def test_a_folder_without_any_count(tmp_path: Path) -> None:
    text = HEAD.replace("integer general", "pattern symmetric") + "5 4 0\n"
    assert matrix_of(write_folder(tmp_path / "m", matrix_mtx=text)).counts().nnz == 0

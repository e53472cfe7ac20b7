"""Matrices in folders of texts: old names, faults, bounds."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from prestige.data.platforms.matrix_10x import about_of, files_of, matrix_of
from prestige.errors import DataError

from ...small_matrix import FEATURES, write_folder


def test_genes_tsv_without_types(tmp_path: Path) -> None:
    texts = "\n".join("\t".join(one[:2]) for one in FEATURES)
    found = matrix_of(write_folder(tmp_path / "m", features_tsv="", genes_tsv=texts))
    assert found.genes.names == ("CD3E", "CD4", "ENSG2", "ENSG3")


def test_texts_beside_others_with_a_name_before_theirs(tmp_path: Path) -> None:
    apart = matrix_of(write_folder(tmp_path / "m", packed=True))
    for before in ("GSM1_S1_", ""):
        for path in (tmp_path / "m").iterdir():
            shutil.copy(path, tmp_path / f"{before}{path.name}")
        (tmp_path / f"{before}other.tsv").touch()
        path = tmp_path / f"{before}matrix.mtx.gz"
        found = matrix_of(path)
        assert found.path == path
        assert found.ids.equals(apart.ids)
        assert found.genes.names == apart.genes.names
        np.testing.assert_array_equal(found.counts().toarray(), apart.counts().toarray())
        assert about_of(path) == about_of(tmp_path / "m")
        roles = {"matrix": "matrix.mtx.gz", "barcodes": "barcodes.tsv.gz", "features": "features.tsv.gz"}
        assert files_of(path) == {role: tmp_path / f"{before}{name}" for role, name in roles.items()}
    (tmp_path / "GSM1_S1_barcodes.tsv.gz").unlink()
    with pytest.raises(DataError, match=r"no file GSM1_S1_barcodes.tsv.gz or GSM1_S1_barcodes.tsv"):
        matrix_of(tmp_path / "GSM1_S1_matrix.mtx.gz")


def test_a_folder_in_a_folder_of_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    write_folder(tmp_path / "m" / "m")
    assert matrix_of(tmp_path / "m").counts().sum() > 0
    assert files_of(tmp_path / "m") == {"matrix": tmp_path / "m"}


def test_features_that_have_names_alone(tmp_path: Path) -> None:
    names = "\n".join(one[1] for one in FEATURES)
    found = matrix_of(write_folder(tmp_path / "m", features_tsv=names))
    assert found.genes.names == ("CD3E", "CD4", "TBCE", "TBCE")
    assert found.features.index.tolist() == [one[1] for one in FEATURES]


HEAD = "%%MatrixMarket matrix coordinate integer general\n"


@pytest.mark.parametrize(
    ("contents", "told"),
    [
        ({"matrix_mtx": ""}, "no file matrix.mtx.gz or matrix.mtx"),
        (
            {"barcodes_tsv": "AAAC-1\n"},
            r"5 x 4 by its head, with 5 lines in features.tsv and 1 in barcodes.tsv",
        ),
        (
            {"features_tsv": "id\tname\n" + "ENSG1\tA\n" * 5},
            "take the header off features.tsv: the",
        ),
        ({"barcodes_tsv": "x\nA-1\nB-1\nC-1\nD-1\n"}, "take the header off barcodes.tsv: there is one"),
        (
            {"features_tsv": "g\n" * 6, "barcodes_tsv": "x\nA-1\nB-1\nC-1\nD-1\n"},
            "take the header off features.tsv and barcodes.tsv",
        ),
        ({"matrix_mtx": HEAD + "4 5 1\n1 1 3\n"}, "it is turned: write it transposed, features in rows"),
        ({"matrix_mtx": HEAD + "5 3 1\n1 1 3\n"}, "take the header off barcodes.tsv"),
        ({"matrix_mtx": HEAD + "5 2 1\n1 1 3\n"}, "take the three files from one folder of one run"),
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

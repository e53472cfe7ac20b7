"""Matrices in .h5: types and parts of all writers, blocks, and faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csc_matrix

from prestige.data.platforms import matrix_h5
from prestige.data.platforms.matrix_10x import matrix_of
from prestige.errors import DataError

from ...small_matrix import GENES, IDS, VALUES, write_h5


def put_link(file: Any) -> None:
    file["matrix"] = h5py.SoftLink("/matrix")


def delete(name: str) -> Callable[[Any], None]:
    return lambda file: file.__delitem__(name)


def put(name: str, values: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[name]
        file[name] = values

    return change


@given(st.lists(st.booleans(), min_size=4, max_size=4), st.integers(1, 12))
def test_any_rows_in_any_blocks(
    tmp_path_factory: pytest.TempPathFactory, rows: list[bool], block: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "blocks.h5"
    if not path.exists():
        write_h5(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix_h5, "_BLOCK", block)
        found = matrix_of(path).counts(np.array(rows))
    np.testing.assert_array_equal(found.toarray(), GENES[np.array(rows)])


@pytest.mark.parametrize(
    "types",
    [
        {"data": "float64", "shape": "float64"},
        {"data": "uint16", "indices": "uint32", "indptr": "uint32"},
        {"data": "float32", "indices": "int64", "indptr": "int64", "shape": "int32"},
        {"indices": "uint64", "indptr": "uint64"},
    ],
)
def test_types_of_all_writers(tmp_path: Path, types: dict[str, str]) -> None:
    np.testing.assert_array_equal(matrix_of(write_h5(tmp_path / "m.h5", **types)).counts().toarray(), GENES)


def test_further_parts_scalars_and_texts_of_any_length(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file["matrix/genes"] = np.array(["ENSG1"], dtype="S")
        put("matrix/barcodes", list(IDS))(file)
        file.attrs["chemistry_description"] = "Visium V4 Slide"

    found = matrix_of(write_h5(tmp_path / "m.h5", change))
    assert tuple(found.ids) == IDS
    assert found.about == {
        "software": "spaceranger-3.0.0",
        "chemistry": "Visium V4 Slide",
        "library": "L1, L2",
    }


def test_the_layout_of_before_2018(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file.move("matrix", "GRCh38")
        file["GRCh38/genes"] = file["GRCh38/features/id"][()]
        file["GRCh38/gene_names"] = file["GRCh38/features/name"][()]
        del file["GRCh38/features"]

    found = matrix_of(write_h5(tmp_path / "m.h5", change))
    assert found.genes.names == ("CD3E", "CD4", "ENSG2", "ENSG3")  # by name: one control
    np.testing.assert_array_equal(found.counts().toarray(), VALUES[:, [0, 1, 2, 4]])


def test_columns_in_any_order_are_sorted_and_zeros_dropped(tmp_path: Path) -> None:
    matrix = csc_matrix(VALUES.T)
    order = np.concatenate(
        [np.arange(a, b)[::-1] for a, b in zip(matrix.indptr, matrix.indptr[1:], strict=False)]
    )

    def change(file: Any) -> None:
        values = matrix.data[order].copy()
        values[0] = 0  # of TBCE in the first spot
        put("matrix/data", values)(file)
        put("matrix/indices", matrix.indices[order])(file)

    found = matrix_of(write_h5(tmp_path / "m.h5", change)).counts()
    expected = GENES.copy()
    expected[0, 2] = 0
    np.testing.assert_array_equal(found.toarray(), expected)
    assert found.has_canonical_format
    assert (found.data > 0).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda file: (file.move("matrix", "m"), put_link(file))[0], "cannot be read"),
        (delete("matrix"), "holds no 'matrix'"),
        (delete("matrix/barcodes"), "the element 'barcodes' cannot be read"),
        (delete("matrix/features/name"), "the element 'features/name' cannot be read"),
        (
            put("matrix/shape", [4, 5]),
            r"the shape is 4 x 5, with 5 ids and 5 names of features and 4 barcodes",
        ),
        (put("matrix/features/name", np.array(["A"], dtype="S")), "with 5 ids and 1 names"),
        (put("matrix/features/feature_type", np.array(["Peaks"] * 5, dtype="S")), "no features of the type"),
        (put("matrix/indptr", [0, 4, 4, 3, 10]), "the matrix is broken"),
        (put("matrix/indptr", [0, 4, 4, 6]), "the matrix is broken"),
        (put("matrix/indices", [0, 1, 3, 4, 1, 2, 0, 2, 3, 5]), "names the feature 5 of 5"),
        (put("matrix/indices", [0, 1, 3, 4, 1, 2, 0, 2, 3, -1]), "names the feature"),
        (put("matrix/indices", [0, 0, 3, 4, 1, 2, 0, 2, 3, 4]), "names a gene twice in one row"),
        (put("matrix/data", [b"a"] * 10), "holds no numbers"),
    ],
)
def test_a_broken_h5_is_one_line(tmp_path: Path, change: Callable[[Any], None], told: str) -> None:
    with pytest.raises(DataError, match=told) as error:
        matrix_of(write_h5(tmp_path / "m.h5", change)).counts()
    assert "\n" not in str(error.value)

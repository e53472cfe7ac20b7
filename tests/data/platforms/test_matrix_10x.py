"""Matrices of 10x Genomics: .h5 and folders of texts, of all versions, read alike."""

from __future__ import annotations

import gzip
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
from prestige.data.platforms.matrix import Matrix
from prestige.data.platforms.matrix_10x import matrix_of
from prestige.errors import DataError

IDS = ("AAAC-1", "AAAG-1", "AAAT-1", "AACA-1")
FEATURES = (
    ("ENSG1", "CD3E", "Gene Expression"),
    ("CD4", "CD4", "Antibody Capture"),
    ("ENSG2", "TBCE", "Gene Expression"),
    ("NegControlProbe_00042", "NegControlProbe_00042", "Negative Control Probe"),
    ("ENSG3", "TBCE", "Gene Expression"),
)
VALUES = np.array([[3, 9, 0, 1, 2], [0, 0, 0, 0, 0], [0, 8, 7, 0, 0], [1, 0, 2, 5, 4]])  # observations x f
GENES = VALUES[:, [0, 2, 4]]


def write_h5(path: Path, change: Callable[[Any], None] | None = None, **types: str) -> Path:
    """Write the matrix above as Cell Ranger does, in parts of given types."""
    matrix = csc_matrix(VALUES.T)
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for name, values in (
            ("data", matrix.data),
            ("indices", matrix.indices),
            ("indptr", matrix.indptr),
            ("shape", np.array(matrix.shape)),
            ("barcodes", np.array(IDS, dtype="S")),
        ):
            group[name] = values.astype(types.get(name, values.dtype))
        for place, name in enumerate(("id", "name", "feature_type")):
            group[f"features/{name}"] = np.array([one[place] for one in FEATURES], dtype="S")
        file.attrs["software_version"] = "spaceranger-3.0.0"
        file.attrs["library_ids"] = np.array([b"L1", b"L2"])
        if change is not None:
            change(file)
    return path


def write_folder(path: Path, packed: bool = False, **contents: str) -> Path:
    """Write the matrix above as a folder of texts; a keyword replaces the content of a file."""
    path.mkdir()
    entries = [f"{f + 1} {o + 1} {VALUES[o, f]}" for o in range(4) for f in range(5) if VALUES[o, f]]
    texts = {
        "matrix.mtx": "%%MatrixMarket matrix coordinate integer general\n"
        '%metadata_json: {"software_version": "spaceranger-2.0.0", "format_version": 2}\n'
        + f"5 4 {len(entries)}\n"
        + "\n".join(entries)
        + "\n",
        "barcodes.tsv": "\n".join(IDS) + "\n",
        "features.tsv": "\n".join("\t".join(one) for one in FEATURES) + "\n",
    }
    for name, text in {**texts, **{key.replace("_", "."): text for key, text in contents.items()}}.items():
        if not text:
            continue
        content = gzip.compress(text.encode()) if packed else text.encode()
        (path / f"{name}{'.gz' if packed else ''}").write_bytes(content)
    return path


def delete(name: str) -> Callable[[Any], None]:
    return lambda file: file.__delitem__(name)


def put(name: str, values: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[name]
        file[name] = values

    return change


@pytest.fixture(params=["h5", "folder", "packed"])
def matrix(request: pytest.FixtureRequest, tmp_path: Path) -> Matrix:
    if request.param == "h5":
        return matrix_of(write_h5(tmp_path / "m.h5"))
    return matrix_of(write_folder(tmp_path / "m", packed=request.param == "packed"))


def test_observations_genes_and_counts(matrix: Matrix) -> None:
    assert tuple(matrix.ids) == IDS
    assert matrix.genes.names == ("CD3E", "ENSG2", "ENSG3")
    assert matrix.gene_ids == ("ENSG1", "ENSG2", "ENSG3")
    assert matrix.about["software"].startswith("spaceranger-")
    counts = matrix.counts()
    assert counts.dtype == np.float32
    np.testing.assert_array_equal(counts.toarray(), GENES)
    wanted = np.array([True, False, False, True])
    np.testing.assert_array_equal(matrix.counts(wanted).toarray(), GENES[wanted])
    assert matrix.counts(np.zeros(4, dtype=bool)).shape == (0, 3)


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


def test_genes_tsv_without_types(tmp_path: Path) -> None:
    texts = "\n".join("\t".join(one[:2]) for one in FEATURES)
    found = matrix_of(write_folder(tmp_path / "m", features_tsv="", genes_tsv=texts))
    assert found.genes.names == ("CD3E", "CD4", "ENSG2", "ENSG3")


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
    assert list(ours.gene_ids) == list(theirs.var["gene_ids"])

"""Matrices in archives: what is unpacked, and what is not."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from prestige.data.platforms.xenium.matrix import cell_names, matrices_in, opened_matrix
from prestige.errors import DataError

from ....small_xenium import XeniumFolder


def test_names_of_cells_from_numbers() -> None:
    numbers = np.array([[178650478, 1], [0, 2], [2**32 - 1, 1]], dtype=np.uint32)
    assert cell_names(numbers) == ["akkfpngo-1", "aaaaaaaa-2", "pppppppp-1"]
    assert cell_names(np.array([7, 67500])) == ["7", "67500"]


def test_the_form_that_is_read_first(tmp_path: Path) -> None:
    assert matrices_in(tmp_path) == []
    for name in (".zarr.zip", ".tar.gz", ".h5"):
        (tmp_path / f"cell_feature_matrix{name}").touch()
    (tmp_path / "cell_feature_matrix").mkdir()
    assert tmp_path / "cell_feature_matrix" not in matrices_in(tmp_path)  # it is empty
    (tmp_path / "cell_feature_matrix" / "matrix.mtx.gz").touch()
    found = [path.name.removeprefix("cell_feature_matrix") for path in matrices_in(tmp_path)]
    assert found == [".h5", "", ".tar.gz", ".zarr.zip"]


def _tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("cell_feature_matrix/barcodes.tsv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


def test_nothing_is_unpacked_by_its_own_name(tmp_path: Path) -> None:
    XeniumFolder().write(tmp_path / "outs", matrix="mtx")
    texts = {path.name: path.read_bytes() for path in (tmp_path / "outs" / "cell_feature_matrix").iterdir()}
    members = {f"../../{name}": content for name, content in texts.items()}
    path = _tar(tmp_path / "cell_feature_matrix.tar.gz", {"/tmp/evil": b"x", "../evil": b"x", **members})
    with opened_matrix(path) as matrix:
        assert matrix.counts().shape == (30, 4)
        assert matrix.path == path
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path.parent / "evil").exists()
    with pytest.raises(DataError) as told, opened_matrix(_tar(path, {"matrix.mtx": b"x"})):
        pass
    assert str(told.value).startswith(f"{path}: no file")


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prestige.data.platforms.xenium import matrix

    monkeypatch.setattr(matrix, "_FREE_BYTES", 1000)
    path = _tar(tmp_path / "cell_feature_matrix.tar.gz", {"matrix.mtx": b"0" * 1_000_000})
    with pytest.raises(DataError, match="unpacks to more than it may"), opened_matrix(path):
        pass
    path = tmp_path / "cell_feature_matrix.zarr.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cell_features/data/0", b"0" * 1_000_000)
    with pytest.raises(DataError, match="unpacks to more than it may"), opened_matrix(path):
        pass


@pytest.mark.parametrize("name", [".zarr.zip", ".tar.gz"])
def test_what_is_no_archive(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"cell_feature_matrix{name}"
    for content in (b"", b"x", b"PK\x03\x04", b"\x1f\x8b\x08"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"cell_feature_matrix") as told, opened_matrix(path):
            pass
        assert "/tmp/tmp" not in str(told.value)


def _zarr(path: Path, counts: np.ndarray, cell_id: np.ndarray, types: list[str]) -> Path:
    """Write a matrix as Xenium Explorer has it: compressed rows of features."""
    import zarr
    from scipy.sparse import csr_matrix

    matrix = csr_matrix(counts.T)
    names = [f"G{k}" for k in range(len(types))]
    said = {"feature_keys": names, "feature_ids": names, "feature_types": types}
    with zarr.storage.ZipStore(path, mode="w") as store:
        group = zarr.create_group(store, path="cell_features", zarr_format=2, attributes=said)
        for name in ("data", "indices", "indptr"):
            group.create_array(name, data=getattr(matrix, name).astype(np.uint32), chunks=(4,))
        group.create_array("cell_id", data=cell_id.astype(np.uint32))
    return path


def test_a_store_of_explorer(tmp_path: Path) -> None:
    counts = np.array([[1, 0, 9, 2], [0, 3, 9, 0], [4, 5, 9, 6]])
    types = ["gene", "gene", "aggregate_gene", "gene"]
    path = tmp_path / "cell_feature_matrix.zarr.zip"
    _zarr(path, counts, np.array([[178650478, 1], [1, 1], [2, 1]]), types)
    with opened_matrix(path) as matrix:
        assert list(matrix.ids) == ["akkfpngo-1", "aaaaaaab-1", "aaaaaaac-1"]
        assert matrix.genes.names == ("G0", "G1", "G3")
        np.testing.assert_array_equal(matrix.counts().toarray(), counts[:, [0, 1, 3]])
        some = matrix.counts(np.array([True, False, True]))
        np.testing.assert_array_equal(some.toarray(), counts[[0, 2]][:, [0, 1, 3]])
    with opened_matrix(path, numbered=True) as matrix:
        assert list(matrix.ids) == ["178650478", "1", "2"]
    unpacked = tmp_path / "cell_feature_matrix.zarr"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(unpacked)
    assert matrices_in(tmp_path) == [path, unpacked]
    with opened_matrix(unpacked) as matrix:
        assert list(matrix.ids) == ["akkfpngo-1", "aaaaaaab-1", "aaaaaaac-1"]
        np.testing.assert_array_equal(matrix.counts().toarray(), counts[:, [0, 1, 3]])
        assert matrix.path == unpacked
    path.unlink()
    _zarr(path, counts, np.array([[1, 1]]), types)
    with pytest.raises(DataError, match="cannot be read"), opened_matrix(path):
        pass

"""What is taken for an .h5ad is called what it is."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from prestige.data.hdf5.opened import opened_h5ad
from prestige.errors import DataError, ModelError


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ("mod/rna/X", "obs/_index", "var/_index"),
            r"is a MuData of several tables; .*\['rna'\]\.write",
        ),
        (
            ("matrix/barcodes", "matrix/data"),
            "is a matrix of 10x, without places; .*source: visium",
        ),
        (("matrix", "row_attrs/Gene", "col_attrs/CellID"), "is a loom; .*read_loom"),
        (("assays/Spatial/counts", "cell.names"), "is an h5Seurat; .*SeuratDisk::Convert"),
    ],
)
def test_files_of_other_tools_are_named(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    path = tmp_path / "a.h5ad"
    with h5py.File(path, "w") as file:
        for name in names:
            file[name] = [1, 2]
    with pytest.raises(DataError, match=rf"a\.h5ad: {words}"), opened_h5ad(path):
        pass
    with pytest.raises(ModelError, match=words), opened_h5ad(path, ModelError):
        pass
    with opened_h5ad(path, table=False) as file:
        assert set(file) == {name.split("/")[0] for name in names}
    with h5py.File(path, "a") as file:
        file["X"] = [1]
    with opened_h5ad(path):
        pass


@pytest.mark.parametrize(("head", "name"), [(b"\x1f\x8b\x08", "gzip"), (b"PK\3\4", "zip")])
def test_what_is_packed_is_to_be_unpacked(tmp_path: Path, head: bytes, name: str) -> None:
    (tmp_path / "a.h5ad").write_bytes(head + bytes(9))
    with (
        pytest.raises(DataError, match=f"is packed by {name}; expected an .h5ad table; unpack it$"),
        opened_h5ad(tmp_path / "a.h5ad"),
    ):
        pass

"""The store written with zarr and anndata alone, against what the library itself reads and writes."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy.sparse import csr_matrix

from prestige.data.phantom.store import write_store

needs_spatialdata = pytest.mark.skipif(
    find_spec("spatialdata") is None, reason="spatialdata is not installed (the extra 'readers')"
)
PIXELS = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([[[0, 0, 1], [2, 2, 70_000]]], dtype=np.uint32)


def table() -> ad.AnnData:
    counts = csr_matrix(np.array([[1, 0, 2], [0, 5, 0]], dtype=np.float32))
    obs = pd.DataFrame({"cell_id": [1, 70_000]}, index=["1", "70000"])
    var = pd.DataFrame({"gene_symbols": ["A", "B", "C"]}, index=["A", "B", "C"])
    table = ad.AnnData(counts, obs=obs, var=var, layers={"counts": counts})
    table.obsm["spatial"] = np.array([[1.5, 2.0], [3.0, 4.25]])
    return table


def cells() -> ad.AnnData:
    return ad.AnnData(obs=pd.DataFrame({"cell_id": [1, 2, 70_000], "group": [0, 4, 0]}, index=list("abc")))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_store(
        tmp_path / "own.zarr",
        {"HE_original": PIXELS, "HE_nuc_original": LABELS},
        {"anucleus": table(), "cell_id-group": cells()},
    )
    return tmp_path / "own.zarr"


def test_images_and_tables_come_back(written: Path) -> None:
    root: Any = zarr.open_group(written, mode="r")
    assert root.attrs["spatialdata_attrs"] == {"version": "0.2"}
    for name, pixels in (("HE_original", PIXELS), ("HE_nuc_original", LABELS)):
        (scale,) = root[f"images/{name}"].attrs["ome"]["multiscales"]
        assert [axis["name"] for axis in scale["axes"]] == ["c", "y", "x"]
        array = root[f"images/{name}/{scale['datasets'][0]['path']}"]
        assert array.dtype == pixels.dtype
        assert np.array_equal(array[:], pixels)
    measured = ad.read_zarr(written / "tables" / "anucleus")
    assert np.array_equal(measured.layers["counts"].toarray(), [[1, 0, 2], [0, 5, 0]])
    assert list(measured.obs["cell_id"]) == [1, 70_000]
    assert np.array_equal(measured.obsm["spatial"], [[1.5, 2.0], [3.0, 4.25]])
    assert ad.read_zarr(written / "tables" / "cell_id-group").shape == (3, 0)


def test_a_folder_that_cannot_be_made_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_store(tmp_path / "file" / "s.zarr", {"HE_original": PIXELS}, {})


@needs_spatialdata
def test_the_files_are_those_that_spatialdata_writes_and_it_reads_them(written: Path) -> None:
    """Byte for byte below the container's own metadata: a prepared sample's name is a hash of them."""
    library = written.with_name("library.zarr")
    table().write_h5ad(written.with_name("table.h5ad"))
    cells().write_h5ad(written.with_name("cells.h5ad"))
    np.savez(written.with_name("images.npz"), pixels=PIXELS, labels=LABELS)
    code = (
        "import sys, anndata, numpy as np, spatialdata as sd\n"
        "from spatialdata.models import Image2DModel, TableModel\n"
        "d = np.load('images.npz')\n"
        "sd.SpatialData(\n"
        "    images={'HE_original': Image2DModel.parse(d['pixels'], dims='cyx'),\n"
        "        'HE_nuc_original': Image2DModel.parse(d['labels'], dims='cyx')},\n"
        "    tables={'anucleus': TableModel.parse(anndata.read_h5ad('table.h5ad')),\n"
        "        'cell_id-group': TableModel.parse(anndata.read_h5ad('cells.h5ad'))},\n"
        ").write('library.zarr')\n"
        "s = sd.read_zarr('own.zarr')\n"
        "print(sorted(s.images), sorted(s.tables), s.coordinate_systems)\n"
        "assert np.array_equal(np.asarray(s['HE_original']), d['pixels'])\n"
        "assert np.array_equal(np.asarray(s['HE_nuc_original']), d['labels'])\n"
        "assert s['anucleus'].layers['counts'].toarray().tolist() == [[1, 0, 2], [0, 5, 0]]\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=written.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    expected = "['HE_nuc_original', 'HE_original'] ['anucleus', 'cell_id-group'] ['global']"
    assert done.stdout.strip().splitlines()[-1] == expected
    names = files(library)
    assert files(written) == names
    assert [n for n in names if (library / n).read_bytes() != (written / n).read_bytes()] == ["zarr.json"]
    container = json.loads((library / "zarr.json").read_text())["attributes"]["spatialdata_attrs"]
    assert container["version"] == "0.2"


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

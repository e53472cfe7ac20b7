"""Small sources on the disk, under the names by which docs/data.md calls them."""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import tifffile
import zarr


def challenge_store(folder: Path) -> None:
    """Write a store of the challenge."""
    from .data.conftest import Store

    Store().write(folder / "UC1_I.zarr", 3)


def hest(folder: Path) -> None:
    """Write a root folder of HEST-1k with one sample."""
    root = folder / "hest"
    for name in ("wsis", "st", "metadata"):
        (root / name).mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    tifffile.imwrite(root / "wsis" / "S1.tif", pixels, photometric="rgb", tile=(16, 16))
    table = anndata.AnnData(
        X=np.array([[0, 2], [3, 1], [4, 0]], np.float32),
        obs=pd.DataFrame(index=["a", "b", "c"]),
        var=pd.DataFrame(index=["EPCAM", "PTPRC"]),
        obsm={"spatial": np.array([[3.0, 4.0], [30.0, 9.0], [44.0, 38.0]])},
    )
    table.write_h5ad(root / "st" / "S1.h5ad")
    (root / "metadata" / "S1.json").write_text(json.dumps({"pixel_size_um": 0.5}))


def spatialdata_store(folder: Path) -> None:
    """Write a SpatialData store with one image, circles in units of two pixels, and their table."""
    import anndata
    import pyarrow as pa
    import pyarrow.parquet as pq
    import shapely
    import zarr

    anndata.settings.auto_shard_zarr_v3 = False
    store = folder / "section.zarr"
    root = zarr.open_group(store, mode="w", zarr_format=3)
    image = root.require_group("images/HE")
    pixels = np.random.default_rng(1).integers(150, 250, (3, 40, 50), dtype=np.uint8)
    image.create_array("0", data=pixels, chunks=(3, 16, 16))
    to_global = {"type": "identity", "output": {"name": "global"}}
    scales = {"axes": [{"name": name} for name in "cyx"], "datasets": [{"path": "0"}]}
    image.attrs["ome"] = {"multiscales": [{**scales, "coordinateTransformations": [to_global]}]}
    doubled = {"type": "scale", "scale": [2.0, 2.0], "output": {"name": "global"}}
    root.require_group("shapes/cells").attrs.update(
        {"axes": ["x", "y"], "coordinateTransformations": [doubled]}
    )
    points = shapely.points([[3.0, 4.0], [15.0, 9.0], [22.0, 18.0]])
    columns = {"geometry": shapely.to_wkb(points), "id": ["a", "b", "c"]}
    words = {"geo": '{"primary_column": "geometry"}', "pandas": '{"index_columns": ["id"]}'}
    file = store / "shapes" / "cells" / "shapes.parquet"
    pq.write_table(pa.table(columns).replace_schema_metadata(words), file)
    table = anndata.AnnData(
        X=np.array([[0, 2], [3, 1], [4, 0]], np.float32),
        obs=pd.DataFrame({"region": ["cells"] * 3, "cell": ["c", "a", "b"]}, index=["0", "1", "2"]),
        var=pd.DataFrame(index=["EPCAM", "PTPRC"]),
        uns={"spatialdata_attrs": {"region": "cells", "region_key": "region", "instance_key": "cell"}},
    )
    anndata.io.write_elem(root, "tables/table", table)


def prepared(folder: Path) -> None:
    """Write a prepared sample, as a reader leaves it in the cache."""
    from .data.test_prepared import write

    write(folder / "S1")


def st(folder: Path) -> None:
    """Write a section of Spatial Transcriptomics: 6 x 5 spots, 10 px apart, of which 20 are selected."""
    root = folder / "tumours"
    for name in ("counts", "spots", "images"):
        (root / name).mkdir(parents=True)
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 255, (70, 90, 3), dtype=np.uint8)
    tifffile.imwrite(root / "images" / "A1.tif", pixels, photometric="rgb", tile=(16, 16))
    x, y = (places.ravel() for places in np.meshgrid(np.arange(2, 8), np.arange(3, 8)))
    names = [f"{a}x{b}" for a, b in zip(x, y, strict=True)]
    counts = pd.DataFrame(rng.poisson(3, (30, 3)), index=names, columns=["ERBB2", "KRT8", "CD3E"])
    counts.to_csv(root / "counts" / "A1.tsv.gz", sep="\t")
    places = {"x": x, "y": y, "new_x": x, "new_y": y, "pixel_x": 10.0 * x, "pixel_y": 10.0 * y - 15}
    table = pd.DataFrame({**places, "selected": (np.arange(30) < 20).astype(int)})
    table.to_csv(root / "spots" / "A1_selection.tsv", sep="\t", index=False)


def _table(n: int = 6, seed: int = 5) -> anndata.AnnData:
    rng = np.random.default_rng(seed)
    return anndata.AnnData(
        X=rng.poisson(2, (n, 3)).astype(np.float32),
        obs=pd.DataFrame(index=[f"s{k}" for k in range(n)]),
        var=pd.DataFrame(index=["EPCAM", "PTPRC", "ACTA2"]),
        obsm={"spatial": rng.uniform(2, 38, (n, 2))},
    )


def _image(path: Path, height: int = 40, width: int = 60) -> np.ndarray:
    """Write pink tissue with bare glass to its right, 0.5 um/px."""
    pixels = np.full((height, width, 3), 243, dtype=np.uint8)
    tissue = np.random.default_rng(6).integers(-40, 40, (height, width * 2 // 3, 1))
    pixels[:, : width * 2 // 3] = np.clip(tissue + [190, 110, 160], 0, 255)
    how = {"photometric": "rgb", "metadata": None, "tile": (16, 16), "resolutionunit": 3}
    tifffile.imwrite(path, pixels, resolution=(20_000, 20_000), **how)
    return pixels


def of_anndata(folder: Path) -> None:
    """Write a table, as a file and in zarr, and the image on which its places lie."""
    table = _table()
    table.write_h5ad(folder / "section.h5ad")
    with anndata.settings.override(auto_shard_zarr_v3=False):
        anndata.io.write_elem(zarr.open_group(folder / "section.zarr", mode="w"), "/", table)
    _image(folder / "section.tif")


def spared(folder: Path) -> None:
    """Write a table of two slides of two patients, its X being logarithms."""
    table = _table(12)
    table.obs["slide_id"] = pd.Categorical(["A"] * 7 + ["B"] * 5)
    table.obs["patient"] = pd.Categorical(["P1"] * 7 + ["P2"] * 5)
    table.obs["split"] = pd.Categorical(["train"] * 7 + ["test"] * 5)
    table.var["gene_symbol"] = table.var_names
    table.var_names = ["ENSG00000119888", "ENSG00000081237", "ENSG00000107796"]
    table.layers["counts"] = table.X
    table.X = np.log1p(table.X)
    hires = np.random.default_rng(7).integers(60, 255, (20, 30, 3), dtype=np.uint8)
    of_slide = {"images": {"hires": hires}, "scalefactors": {"tissue_hires_scalef": 0.5}}
    table.uns["spatial"] = dict.fromkeys("AB", of_slide)
    table.obsm["patches_scale_1.0"] = np.zeros((12, 12), np.uint8)
    (folder / "adata_1").mkdir()
    table.write_h5ad(folder / "adata_1" / "adata.h5ad")


def slide(folder: Path) -> None:
    """Write an image, and places on it: in pixels, in micrometres, as GeoJSON, as a mask."""
    _image(folder / "biopsy.tif")
    (folder / "cells.csv").write_text("cell_id,x,y\na,4,5\nb,20.5,30\n")
    (folder / "cells_um.csv").write_text("cell_id,x_um,y_um\na,2,2.5\nb,10.25,15\n")
    square = [[[2, 1], [6, 1], [6, 5], [2, 5], [2, 1]]]
    feature = {"type": "Feature", "id": "n1", "geometry": {"type": "Polygon", "coordinates": square}}
    (folder / "cells.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    mask = np.zeros((40, 60), np.uint32)
    mask[3:6, 4:9] = 7  # x 6, y 4
    mask[20:22, 30:32] = 2  # x 30.5, y 20.5
    tifffile.imwrite(folder / "nuclei.tif", mask, tile=(16, 16), compression="deflate")

"""Sound SpatialData stores: shapes in a file of parquet, and a table that describes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix


def build(folder: Path, zarr_format: Literal[2, 3]) -> None:
    """Write a store whose table describes circles, in micrometres, on an image that is turned."""
    import anndata
    import pyarrow as pa
    import pyarrow.parquet as pq
    import shapely
    import zarr

    anndata.settings.auto_shard_zarr_v3 = False
    from campaign.sound import GENES, tissue

    pixels, xy, counts = tissue(5)
    path = folder / "data" / "store.zarr"
    path.parent.mkdir(parents=True)
    root: Any = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    image = root.require_group("images/HE")
    turned = [[1, 0, 0, 0], [0, 0, 2, 3], [0, 2, 0, 5]]
    placed = {"type": "affine", "affine": turned, "output": {"name": "global"}}
    image.create_array("0", data=np.ascontiguousarray(pixels.transpose(2, 0, 1)), chunks=(3, 64, 64))
    one = {"axes": [{"name": axis} for axis in "cyx"], "datasets": [{"path": "0"}]}
    scales = {"multiscales": [{**one, "coordinateTransformations": [placed]}]}
    image.attrs.update(scales if zarr_format == 2 else {"ome": scales})
    shapes = root.require_group("shapes/cells")
    scale = {"type": "scale", "scale": [4.0, 4.0], "output": {"name": "global"}}
    shapes.attrs.update({"axes": ["x", "y"], "coordinateTransformations": [scale]})
    places = ((xy + 0.5)[:, ::-1] * 2 + [5, 3]) / 4
    names = [f"cell-{number}" for number in range(len(xy))]
    columns = {"geometry": shapely.to_wkb(shapely.points(places)), "radius": np.ones(len(xy)), "id": names}
    said = {
        "geo": json.dumps({"primary_column": "geometry"}),
        "pandas": json.dumps({"index_columns": ["id"]}),
    }
    pq.write_table(pa.table(columns).replace_schema_metadata(said), path / "shapes/cells/shapes.parquet")
    obs = pd.DataFrame({"region": pd.Categorical(["cells"] * len(xy)), "instance": names}, index=names)
    table = anndata.AnnData(X=csr_matrix(counts), obs=obs, var=pd.DataFrame(index=list(GENES)))
    table.uns["spatialdata_attrs"] = {"region": "cells", "region_key": "region", "instance_key": "instance"}
    anndata.io.write_elem(root, "tables/table", table)

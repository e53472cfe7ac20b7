"""A SpatialData store of images and tables, written with zarr and anndata alone.

Byte for byte what spatialdata 0.7 writes (a container of version 0.2, rasters of version 0.3 in the form of
OME-NGFF 0.5, zarr format 3): prepared samples are found by the content of their files, so a phantom keeps
its name whoever wrote it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxtyping import Integer

if TYPE_CHECKING:
    import anndata as ad
    import numpy as np
    import zarr

_CONTAINER, _RASTER, _NGFF = "0.2", "0.3", "0.5-dev-spatialdata"
_TABLE = {
    "spatialdata-encoding-type": "ngff:regions_table",
    "region": None,
    "region_key": None,
    "instance_key": None,
    "version": "0.2",
}


def write_store(
    path: Path, images: dict[str, Integer[np.ndarray, "c y x"]], tables: dict[str, ad.AnnData]
) -> None:
    """Write images and tables as a new SpatialData store; a pixel is one unit of its only coordinate system.

    Parameters
    ----------
    path
        The folder to make.
    images
        Name -> (c, y, x) pixels, each written as one chunk.
    tables
        Name -> table, which annotates no region.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    import zarr
    from anndata.io import write_elem

    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.attrs["spatialdata_attrs"] = {"version": _CONTAINER}
    for name, pixels in images.items():
        _write_image(root.require_group("images").create_group(name), pixels)
    for name, table in tables.items():
        write_elem(root, f"tables/{name}", table, dataset_kwargs={"shards": None})
        root[f"tables/{name}"].attrs.update(_TABLE)


def _write_image(group: zarr.Group, pixels: Integer[np.ndarray, "c y x"]) -> None:
    array = group.create_array(
        "s0", shape=pixels.shape, dtype=pixels.dtype, chunks=pixels.shape, dimension_names=("c", "y", "x")
    )
    array[:] = pixels
    image = {
        "datasets": [
            {"path": "s0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]}
        ],
        "name": f"/{group.path}",
        "axes": _axes(),
        "coordinateTransformations": [
            {
                "type": "identity",
                "input": {"name": "cyx", "axes": _axes(unit="unit")},
                "output": {"name": "global", "axes": _axes(unit="unit")},
            }
        ],
    }
    channels = [{"label": number} for number in range(len(pixels))]
    group.attrs["ome"] = {"omero": {"channels": channels}, "version": _NGFF, "multiscales": [image]}
    group.attrs["spatialdata_attrs"] = {"version": _RASTER}


def _axes(**space: str) -> list[dict[str, Any]]:
    return [{"name": "c", "type": "channel"}, *({"name": name, "type": "space", **space} for name in "yx")]

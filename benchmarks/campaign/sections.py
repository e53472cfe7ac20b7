"""Sound inputs of sources that are a table and an image beside it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy.sparse import csr_matrix

from campaign import columns
from campaign.kinds import VALUE, Change
from campaign.values import bytes_of, json_of

Tissue = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Pixels, places of spots, counts."""

_GENES = ("EPCAM", "PTPRC", "ACTA2", "CD3E")
_N = 60


def write(sound: Path, tissue: Callable[[int], Tissue]) -> None:
    """Write every input of this kind, each in a folder of its own with dataset.yaml."""
    for name, make in {"st": _st, "anndata": _anndata, "spared": _spared, "slide": _slide}.items():
        folder = sound / name
        folder.mkdir()
        sample = {"id": "S1", "source": name, "patient": "P1", **make(folder, tissue(7))}
        content = yaml.safe_dump({"name": "d", "samples": [sample]}, sort_keys=False)
        (folder / "dataset.yaml").write_text(content)


def _st(folder: Path, made: Tissue) -> dict[str, Any]:
    """Write a section of classic Spatial Transcriptomics: 60 spots on an array of 10 x 6."""
    import tifffile

    pixels, _, counts = made
    tifffile.imwrite(folder / "S1.tif", pixels, tile=(32, 32), photometric="rgb")
    x, y = (places.ravel() for places in np.meshgrid(np.arange(1, 11), np.arange(1, 7)))
    names = [f"{a}x{b}" for a, b in zip(x, y, strict=True)]
    table = pd.DataFrame(counts.astype(int), index=names, columns=list(_GENES))
    (folder / "S1.tsv.gz").write_bytes(gzip.compress(table.to_csv(sep="\t").encode()))
    spots = {"x": x, "y": y, "new_x": x + 0.01, "new_y": y, "pixel_x": 12.0 * x, "pixel_y": 12.0 * y}
    selected = (np.arange(_N) % 7 > 0).astype(int)
    pd.DataFrame({**spots, "selected": selected}).to_csv(folder / "S1_spots.tsv", sep="\t", index=False)
    return {"path": "."}


def _annotated(made: Tissue) -> Any:
    import anndata

    _, xy, counts = made
    places: dict[str, Any] = {"spatial": xy}
    obs = pd.DataFrame(index=[f"c{k}" for k in range(_N)])
    return anndata.AnnData(X=csr_matrix(counts), obs=obs, var=pd.DataFrame(index=list(_GENES)), obsm=places)


def _anndata(folder: Path, made: Tissue) -> dict[str, Any]:
    """Write a table and the image that is named beside it."""
    import tifffile

    _annotated(made).write_h5ad(folder / "table.h5ad")
    tifffile.imwrite(folder / "image.tif", made[0], tile=(32, 32), photometric="rgb")
    return {"path": "table.h5ad", "image": "image.tif", "um_per_px": 0.5}


def _spared(folder: Path, made: Tissue) -> dict[str, Any]:
    """Write a table of two slides with their images."""
    table = _annotated(made)
    table.obs["slide_id"] = pd.Categorical(["A", "B"] * (_N // 2))
    table.layers["counts"], table.X = table.X, table.X.log1p()
    of_slide = {"images": {"hires": made[0]}, "scalefactors": {"tissue_hires_scalef": 1.0}}
    table.uns["spatial"] = {"A": of_slide, "B": of_slide}
    table.write_h5ad(folder / "table.h5ad")
    return {"path": "table.h5ad", "slide": "A", "um_per_px": 0.5}


def _slide(folder: Path, made: Tissue) -> dict[str, Any]:
    """Write an image, and places as tables, as GeoJSON and as a mask."""
    import tifffile

    pixels, xy, _ = made
    tifffile.imwrite(folder / "image.tif", pixels, tile=(32, 32), photometric="rgb")
    points = pd.DataFrame(
        xy.round(2), columns=["x", "y"], index=pd.Index([f"c{k}" for k in range(_N)], name="id")
    )
    points.to_csv(folder / "points.csv")
    points.reset_index().to_parquet(folder / "points.parquet")
    features = [
        {"type": "Feature", "id": f"c{k}", "geometry": {"type": "Point", "coordinates": place}}
        for k, place in enumerate(xy.round(2).tolist())
    ]
    (folder / "points.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    mask = np.zeros(pixels.shape[:2], np.uint16)
    mask[tuple(np.rint(xy).astype(int).T[::-1])] = np.arange(1, _N + 1)
    tifffile.imwrite(folder / "points.tif", mask, tile=(32, 32), compression="deflate")
    return {"path": "image.tif", "um_per_px": 0.5, "points": "points.csv"}


def another(folder: Path, rng: Random) -> str:
    """Let the yaml name another file of places."""
    path = folder / "dataset.yaml"
    name = rng.choice(("points.parquet", "points.geojson", "points.tif", "image.tif", "grid", "spots"))
    path.write_text(path.read_text().replace("points.csv", name))
    return f"points: {name}"


def with_other(change: Callable[[Path, Random], str], name: str) -> Callable[[Path, Random], str]:
    """Return a change of a file of places that the yaml names then."""

    def apply(folder: Path, rng: Random) -> str:
        path = folder / "dataset.yaml"
        path.write_text(path.read_text().replace("points.csv", name))
        return f"{change(folder, rng)}, points: {name}"

    return apply


SLIDE = (
    Change("which places", another, "places of another file"),
    Change("GeoJSON", with_other(json_of("points.geojson"), "points.geojson"), VALUE),
    Change("GeoJSON bytes", with_other(bytes_of("points.geojson"), "points.geojson"), VALUE),
    Change("parquet bytes", with_other(bytes_of("points.parquet"), "points.parquet"), VALUE),
    Change("mask bytes", with_other(bytes_of("points.tif"), "points.tif"), VALUE),
    *columns.changes("points.csv"),
)

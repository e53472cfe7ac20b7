"""Small sources on the disk, under the names by which docs/data.md calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd


def challenge_store(folder: Path) -> None:
    """Write a store of the challenge."""
    from .data.conftest import Store

    Store().write(folder / "UC1_I.zarr", 3)


def hest(folder: Path) -> None:
    """Write a root folder of HEST-1k with one sample."""
    import anndata
    import tifffile

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


def prepared(folder: Path) -> None:
    """Write a prepared sample, as a reader leaves it in the cache."""
    from .data.test_prepared import write

    write(folder / "S1")


def st(folder: Path) -> None:
    """Write a section of Spatial Transcriptomics: 6 x 5 spots, 10 px apart, of which 20 are selected."""
    import tifffile

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

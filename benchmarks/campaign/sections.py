"""Sound inputs of sources that are a table and an image beside it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

Tissue = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Pixels, places of spots, counts."""

_GENES = ("EPCAM", "PTPRC", "ACTA2", "CD3E")
_N = 60


def write(sound: Path, tissue: Callable[[int], Tissue]) -> None:
    """Write every input of this kind, each in a folder of its own with dataset.yaml."""
    for name, make in {"st": _st}.items():
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

"""Exports of Space Ranger: Visium as h5 and as texts, bins and segmented cells of Visium HD."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import yaml

from campaign.columns import fields_of
from campaign.kinds import VALUE, Change
from campaign.tables import changes as of_hdf5
from campaign.values import bytes_of, json_of, replaced, text_of
from campaign.xenium import column_of

_GENES = ("EPCAM", "PTPRC", "ACTA2")
_UM, _HIRES = 4.0, 0.5


def write(sound: Path) -> None:
    """Write four folders, each with dataset.yaml: visium, visium-texts, visium-hd and visium-cells."""
    row, column = np.divmod(np.arange(64), 8)
    spots = np.column_stack([row, 2 * column + row % 2])
    _visium(sound / "visium", spots, texts=False)
    _visium(sound / "visium-texts", spots, texts=True)
    _hd(sound / "visium-hd", np.column_stack([row, column]))
    _cells(sound / "visium-cells", np.column_stack([row, column]))


def _dataset(folder: Path, **keys: Any) -> None:
    sample = {"id": "S", "path": "outs", "patient": "P", **keys}
    (folder / "dataset.yaml").write_text(yaml.safe_dump({"name": "d", "samples": [sample]}, sort_keys=False))


def _pictures(folder: Path, xy_px: np.ndarray, um_per_px: float, *, bins: bool) -> None:
    """Write the hires picture and the scale factors of a full-resolution image."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    width, height = (int(side * _HIRES) + 12 for side in xy_px.max(axis=0))
    pixels = np.full((height, width, 3), 235, np.uint8)
    for x, y in (xy_px * _HIRES).astype(int):
        pixels[y : y + 3, x : x + 3] = (130, 70, 150)
    Image.fromarray(pixels).save(folder / "tissue_hires_image.png")
    said = {"tissue_hires_scalef": _HIRES, "fiducial_diameter_fullres": (330 if bins else 105) / um_per_px}
    said |= {"microns_per_pixel": um_per_px} if bins else {"spot_diameter_fullres": 65 / um_per_px}
    (folder / "scalefactors_json.json").write_text(json.dumps(said))


def _positions(names: Sequence[str], array: np.ndarray, xy_px: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "barcode": list(names),
            "in_tissue": (np.arange(len(array)) % 9 > 0).astype(np.int32),
            "array_row": array[:, 0],
            "array_col": array[:, 1],
            "pxl_row_in_fullres": xy_px[:, 1],
            "pxl_col_in_fullres": xy_px[:, 0],
        }
    )


def _counts(n: int) -> np.ndarray:
    return np.random.default_rng(4).poisson(3.0, (n, len(_GENES)))


def _h5(path: Path, names: Sequence[str]) -> None:
    from scipy.sparse import csr_matrix

    matrix = csr_matrix(_counts(len(names)))
    with h5py.File(path, "w") as file:
        file["matrix/barcodes"] = np.array([one.encode() for one in names])
        file["matrix/shape"] = np.array([len(_GENES), len(names)], np.int32)
        for part in ("data", "indices", "indptr"):
            file.create_dataset(f"matrix/{part}", data=getattr(matrix, part), compression="gzip")
        file["matrix/features/id"] = np.array([b"ENSG" + one.encode() for one in _GENES])
        file["matrix/features/name"] = np.array([one.encode() for one in _GENES])
        file["matrix/features/feature_type"] = np.array([b"Gene Expression"] * len(_GENES))


def _visium(folder: Path, array: np.ndarray, *, texts: bool) -> None:
    outs, names = folder / "outs", [f"AAAC{place:04d}-1" for place in range(len(array))]
    xy_px = array[:, ::-1] * (50.0, 86.6) / _UM + 9
    _pictures(outs / "spatial", xy_px, _UM, bins=False)
    frame = _positions(names, array, xy_px)
    if texts:
        frame.to_csv(outs / "spatial" / "tissue_positions_list.csv", index=False, header=False)
        matrix, counts = outs / "raw_feature_bc_matrix", _counts(len(names))
        matrix.mkdir()
        lines = [f"{gene + 1} {spot + 1} {counts[spot, gene]}" for spot, gene in np.argwhere(counts)]
        size = f"{len(_GENES)} {len(names)} {len(lines)}"
        for name, of_text in {
            "matrix.mtx.gz": ["%%MatrixMarket matrix coordinate integer general", "%", size, *lines],
            "features.tsv.gz": [f"ENSG{gene}\t{gene}\tGene Expression" for gene in _GENES],
            "barcodes.tsv.gz": names,
        }.items():
            (matrix / name).write_bytes(gzip.compress(("\n".join(of_text) + "\n").encode(), mtime=0))
    else:
        frame.to_csv(outs / "spatial" / "tissue_positions.csv", index=False)
        _h5(outs / "filtered_feature_bc_matrix.h5", names)
    _dataset(folder, source="visium")


def _hd(folder: Path, array: np.ndarray) -> None:
    bins = folder / "outs" / "binned_outputs" / "square_008um"
    names, xy_px = [f"s_008um_{row:05d}_{column:05d}-1" for row, column in array], array[:, ::-1] * 16.0 + 9
    _pictures(bins / "spatial", xy_px, 0.5, bins=True)
    _positions(names, array, xy_px).to_parquet(bins / "spatial" / "tissue_positions.parquet", index=False)
    _h5(bins / "filtered_feature_bc_matrix.h5", names)
    _dataset(folder, source="visium_hd", bin_um=16)


def _cells(folder: Path, array: np.ndarray) -> None:
    outs, xy_px = folder / "outs" / "segmented_outputs", array[:, ::-1] * 16.0 + 9
    _pictures(outs / "spatial", xy_px, 0.5, bins=True)
    ring = np.array([[-4, -4], [4, -4], [4, 4], [0, 4], [0, 2], [-4, 2], [-4, -4]])
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [(centre + ring).tolist()]},
            "properties": {"cell_id": number},
        }
        for number, centre in enumerate(xy_px, start=1)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (outs / "cell_segmentations.geojson").write_text(text)
    _h5(outs / "filtered_feature_cell_matrix.h5", [f"cellid_{n:09d}-1" for n in range(1, len(xy_px) + 1)])
    _dataset(folder, source="visium_hd", cells=True)


_OTHER = "the files name fewer spots, other places or other counts that fit together"


def _beside(spatial: str) -> tuple[Change, ...]:
    return (
        Change("scale factors", json_of(f"{spatial}/scalefactors_json.json"), "another size of the picture"),
        Change("scale text", text_of(f"{spatial}/scalefactors_json.json"), VALUE),
        Change("picture", bytes_of(f"{spatial}/tissue_hires_image.png"), "other pixels"),
    )


def _of_h5(path: str) -> tuple[Change, ...]:
    return tuple(Change(f"h5 {one.name}", one.apply, one.other or _OTHER) for one in of_hdf5(path))


SPOTS: tuple[Change, ...] = (
    *_of_h5("outs/filtered_feature_bc_matrix.h5"),
    Change("positions", fields_of("outs/spatial/tissue_positions.csv"), _OTHER),
    *_beside("outs/spatial"),
    Change("replaced", replaced("outs/*", "outs/spatial/*"), _OTHER),
)
TEXTS: tuple[Change, ...] = (
    Change(
        "fields", fields_of("outs/spatial/tissue_positions_list.csv", "outs/raw_feature_bc_matrix/*"), _OTHER
    ),
    Change("bytes", bytes_of("outs/raw_feature_bc_matrix/*"), VALUE),
    *_beside("outs/spatial"),
)
_BINS = "outs/binned_outputs/square_008um"
BINS: tuple[Change, ...] = (
    *_of_h5(f"{_BINS}/filtered_feature_bc_matrix.h5"),
    Change("parquet bytes", bytes_of(f"{_BINS}/spatial/tissue_positions.parquet", near=(b"PAR1",)), VALUE),
    Change("parquet column", column_of(f"{_BINS}/spatial/*.parquet"), _OTHER),
    *_beside(f"{_BINS}/spatial"),
)
CELLS: tuple[Change, ...] = (
    Change("outlines", json_of("outs/segmented_outputs/cell_segmentations.geojson"), _OTHER),
    Change("outlines text", text_of("outs/segmented_outputs/cell_segmentations.geojson"), VALUE),
    Change("replaced", replaced("outs/segmented_outputs/*"), _OTHER),
)

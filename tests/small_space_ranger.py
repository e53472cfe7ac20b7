"""Small exports of Space Ranger 1 to 4 whose counts and places are known, laid out as the pipeline does.

Counts are numbers of row, column and gene; the tissue is a disc; the picture is its mask in colours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .small_matrix import write_folder, write_h5

GENES = ("CD3E", "EPCAM", "TBCE", "TBCE", "ACTB")
FEATURES = tuple((f"ENSG{place}", name, "Gene Expression") for place, name in enumerate(GENES))
NAMES = ("CD3E", "EPCAM", "ENSG2", "ENSG3", "ACTB")
SCALES = {"hires": 0.5, "lowres": 0.1}


@dataclass(frozen=True)
class Array:
    """An array on an image: how wide a pixel is, where the array begins, turned and mirrored how."""

    rows: int = 12
    columns: int = 16
    um_per_px: float = 4.0
    pitch_um: tuple[float, float] = (50 * math.sqrt(3), 50.0)
    start_px: tuple[float, float] = (20.0, 25.0)
    degrees: float = 0.0
    mirrored: bool = False
    hexagonal: bool = True

    @property
    def array(self) -> np.ndarray:
        """(m, 2) row and column of each place; of Visium every second column."""
        row, column = np.divmod(np.arange(self.rows * self.columns), self.columns)
        keep = (row + column) % 2 == 0 if self.hexagonal else np.ones(len(row), dtype=bool)
        return np.column_stack([row, column])[keep]

    @property
    def xy_px(self) -> np.ndarray:
        """(m, 2) x and y of the centres in full-resolution pixels."""
        y, x = (self.array * self.pitch_um / self.um_per_px).T
        x = x.max() - x if self.mirrored else x
        turn = math.radians(self.degrees)
        turned = np.column_stack(
            [x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)]
        )
        return turned - turned.min(axis=0) + self.start_px

    @property
    def in_tissue(self) -> np.ndarray:
        """(m,) the disc in the middle of the array."""
        middle = self.array - (self.array.max(axis=0) / 2)
        return ((middle / (self.array.max(axis=0) / 2)) ** 2).sum(axis=1) <= 0.6

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the full-resolution image, even numbers of pixels in all pictures."""
        return tuple(int(-(-(side + 20) // 20) * 20) for side in self.xy_px.max(axis=0))  # type: ignore[return-value]

    def counts(self, genes: int = len(GENES)) -> np.ndarray:
        """(m, G) counts of row, column and gene."""
        row, column = self.array.T
        return np.column_stack([(3 * row + 5 * column + gene) % (3 + gene) for gene in range(genes)])


VISIUM = Array()
HD = Array(rows=96, columns=96, um_per_px=0.5, pitch_um=(2.0, 2.0), hexagonal=False, start_px=(9.0, 9.0))


def barcodes_of(array: Array) -> list[str]:
    """Return sixteen letters and -1 for each place."""
    return [
        "".join("ACGT"[(place >> 2 * digit) & 3] for digit in range(16))[::-1] + "-1"
        for place in range(len(array.array))
    ]


def picture(array: Array, scale: float) -> np.ndarray:
    """Return the tissue at a scale: pink where the array lies in it, white elsewhere."""
    width, height = (round(side * scale) for side in array.size_px)
    pixels = np.full((height, width, 3), 242, dtype=np.uint8)
    centre, reach = array.xy_px[array.in_tissue].mean(axis=0) * scale, np.ptp(array.xy_px, axis=0) * scale / 2
    y, x = np.mgrid[:height, :width]
    inside = (((np.dstack([x, y]) - centre) / reach) ** 2).sum(axis=2) <= 1
    pixels[inside] = (205, 130, 180)
    pixels[inside & ((x // 3 + y // 2) % 3 == 0)] = (120, 70, 140)
    return pixels


def write_pictures(folder: Path, array: Array, prefix: str = "") -> None:
    """Write hires and lowres."""
    from PIL import Image

    for name, scale in SCALES.items():
        Image.fromarray(picture(array, scale)).save(folder / f"{prefix}tissue_{name}_image.png")


def write_full(path: Path, array: Array) -> Path:
    """Write the full-resolution image as a tiled TIFF."""
    import tifffile

    tifffile.imwrite(path, picture(array, 1.0), photometric="rgb", tile=(64, 64))
    return path


def frame_of(array: Array, barcodes: Sequence[str]) -> pd.DataFrame:
    """Return the table of positions."""
    return pd.DataFrame(
        {
            "barcode": list(barcodes),
            "in_tissue": array.in_tissue.astype(np.int32),
            "array_row": array.array[:, 0].astype(np.int32),
            "array_col": array.array[:, 1].astype(np.int32),
            "pxl_row_in_fullres": array.xy_px[:, 1],
            "pxl_col_in_fullres": array.xy_px[:, 0],
        }
    )


@dataclass(frozen=True)
class Visium:
    """One export of Visium."""

    version: int = 2
    array: Array = VISIUM
    prefix: str = ""
    kind: str = "filtered"
    forms: tuple[str, ...] = ("h5",)
    scales: dict[str, Any] = field(default_factory=dict)

    @property
    def frame(self) -> pd.DataFrame:
        """The positions."""
        frame = frame_of(self.array, barcodes_of(self.array))
        if self.version < 3:
            frame = frame.round({"pxl_row_in_fullres": 0, "pxl_col_in_fullres": 0})
            frame = frame.astype({"pxl_row_in_fullres": int, "pxl_col_in_fullres": int})
        return frame

    @property
    def rows(self) -> np.ndarray:
        """The rows of the positions that the matrix holds, in another order than there."""
        there = np.arange(len(self.array.array))
        return (there[self.array.in_tissue] if self.kind == "filtered" else there)[::-1]

    def write(self, root: Path) -> Path:
        """Write it; return the folder that holds it."""
        spatial = root / "spatial"
        spatial.mkdir(parents=True)
        old = self.version == 1
        name = f"{self.prefix}tissue_positions{'_list' if old else ''}.csv"
        self.frame.to_csv(spatial / name, index=False, header=not old)
        factors = {
            "tissue_hires_scalef": SCALES["hires"],
            "tissue_lowres_scalef": SCALES["lowres"],
            "fiducial_diameter_fullres": 105 / self.array.um_per_px,
            "spot_diameter_fullres": 65 / self.array.um_per_px,
            **({"regist_target_img_scalef": 1.0} if self.version > 2 else {}),
            **self.scales,
        }
        (spatial / f"{self.prefix}scalefactors_json.json").write_text(json.dumps(factors))
        write_pictures(spatial, self.array, self.prefix)
        ids = [barcodes_of(self.array)[row] for row in self.rows]
        matrix = {"values": self.array.counts()[self.rows], "ids": ids, "features": FEATURES}
        name = f"{self.prefix}{self.kind}_feature_bc_matrix"
        if "h5" in self.forms:
            write_h5(root / f"{name}.h5", **matrix)
        if "mtx" in self.forms:
            write_folder(root / name, packed=True, **matrix)
        return root


def bins_of(array: Array, width_um: int) -> tuple[Array, np.ndarray, np.ndarray]:
    """Return the array of larger bins, their counts and which of them hold tissue, from bins of 2 um."""
    per_side = width_um // 2
    larger = replace(
        array,
        rows=-(-array.rows // per_side),
        columns=-(-array.columns // per_side),
        pitch_um=(float(width_um),) * 2,
        start_px=tuple(one + (per_side - 1) / array.um_per_px for one in array.start_px),  # type: ignore[arg-type]
    )
    place = array.array // per_side @ [larger.columns, 1]
    counts = array.counts() * array.in_tissue[:, None]
    sums = np.stack([np.bincount(place, counts[:, gene]) for gene in range(counts.shape[1])], axis=1)
    return larger, sums.astype(int), np.bincount(place, array.in_tissue) > 0


def write_hd(root: Path, array: Array = HD, widths: Sequence[int] = (2, 8, 16), cells: bool = False) -> Path:
    """Write an export of Visium HD: bins of some widths, with the sums of one tissue, and cells."""
    (root / "spatial").mkdir(parents=True)
    write_pictures(root / "spatial", array)
    for width in widths:
        larger, counts, inside = bins_of(array, width)
        folder = root / "binned_outputs" / f"square_{width:03d}um"
        (folder / "spatial").mkdir(parents=True)
        ids = [f"s_{width:03d}um_{row:05d}_{column:05d}-1" for row, column in larger.array.tolist()]
        frame = frame_of(larger, ids).assign(in_tissue=inside.astype(np.int32))
        frame.to_parquet(folder / "spatial" / "tissue_positions.parquet")
        scales = {
            "bin_size_um": float(width),
            "microns_per_pixel": array.um_per_px,
            "spot_diameter_fullres": width / array.um_per_px,
            "fiducial_diameter_fullres": 330 / array.um_per_px,
            "tissue_hires_scalef": SCALES["hires"],
            "tissue_lowres_scalef": SCALES["lowres"],
            "regist_target_img_scalef": SCALES["hires"],
        }
        (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(scales))
        kept = np.flatnonzero(inside)
        write_h5(
            folder / "filtered_feature_bc_matrix.h5",
            values=counts[kept],
            ids=[ids[row] for row in kept],
            features=FEATURES,
        )
    if cells:
        write_cells(root / "segmented_outputs", array)
    return root


CELLS = {1: (12, 20), 9: (40, 40), 30: (60, 52)}
"""Number of a cell -> row and column of the first of its six bins of 2 um: two rows of three."""


def write_cells(folder: Path, array: Array) -> None:
    """Write segmented cells as Space Ranger 4 does: outlines follow bins of 2 um."""
    (folder / "spatial").mkdir(parents=True)
    scales = {
        "microns_per_pixel": array.um_per_px,
        "fiducial_diameter_fullres": 330 / array.um_per_px,
        "tissue_hires_scalef": SCALES["hires"],
        "tissue_lowres_scalef": SCALES["lowres"],
    }
    (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(scales))
    write_pictures(folder / "spatial", array)
    side = 2 / array.um_per_px
    features = []
    for number, (row, column) in sorted(CELLS.items(), reverse=True):  # in any order
        x, y = array.start_px[0] + (column - 0.5) * side, array.start_px[1] + (row - 0.5) * side
        ring = [[x, y], [x + 3 * side, y], [x + 3 * side, y + 2 * side], [x, y + 2 * side], [x, y]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "geometry": shape, "properties": {"cell_id": number}})
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (folder / "cell_segmentations.geojson").write_text(text)
    write_h5(
        folder / "filtered_feature_cell_matrix.h5",
        values=np.array([[number % 7, 1, 0, 2, number] for number in CELLS]),
        ids=[f"cellid_{number:09d}-1" for number in CELLS],
        features=FEATURES,
    )


def visium(folder: Path) -> None:
    """Write an export of Visium and its full-resolution image, as docs/data.md calls them."""
    Visium(version=3).write(folder / "S1" / "outs")
    write_full(folder / "S1.tif", VISIUM)


def visium_hd(folder: Path) -> None:
    """Write an export of Visium HD with segmented cells and its full-resolution image."""
    write_hd(folder / "H1" / "outs", cells=True)
    write_full(folder / "H1.btf", HD)

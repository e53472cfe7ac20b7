"""A platform's synthetic export prepared, beside the field's own reader on the same matrix.

The export is written once, at the depth of real ones.  Each way runs as a process of its own with one thread;
its seconds are those within the process after its imports, of memory the peak is told.  The ways take turns;
medians are told.

    python benchmarks/readers.py xenium --cells 400000 --genes 5000 --folder /tmp/readers --record
    python benchmarks/readers.py visium_hd --cells 700000 --genes 18000 --folder /tmp/readers --record
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import h5py
import numpy as np
import pandas as pd
import tifffile
from measured import Figure, show

UM_PER_PX = 0.2125
PITCH_UM = 10.0  # between cells, as in dense tissue
CONTROLS, CONTROLS_SHARE = 600, 0.002  # features that are no genes, and what they have of the counts
BLOCK = 20_000  # cells made at once


@dataclass(frozen=True)
class Platform:
    """A kind of export.

    Attributes
    ----------
    write
        Writes one into a folder, for numbers of observations, genes and counts an observation; returns what
        dataset.yaml says of it.
    theirs
        Python that reads the same matrix by the library of the field, run in the folder.
    """

    write: Callable[[Path, int, int, float], dict[str, str]]
    theirs: str


def write_xenium(folder: Path, cells: int, genes: int, depth: float) -> dict[str, str]:
    """Write an output folder of onboard analysis 3 and a coarse H&E image with its alignment."""
    rng = np.random.default_rng(0)
    outs = folder / "outs"
    outs.mkdir(parents=True)
    said = {"num_cells": cells, "pixel_size": UM_PER_PX, "analysis_sw_version": "xenium-3.0.0.15"}
    (outs / "experiment.xenium").write_text(json.dumps(said))
    letters = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
    ids = [f"{number:08x}".translate(letters) + "-1" for number in rng.permutation(cells)]
    types = [b"Gene Expression"] * genes + [b"Negative Control Codeword"] * CONTROLS
    sums = _write_h5(outs / "cell_feature_matrix.h5", ids, types, genes, depth, rng)
    across = int(np.ceil(np.sqrt(cells)))
    x_um, y_um = (PITCH_UM * (one + 0.5) for one in np.divmod(np.arange(cells), across)[::-1])
    table = {
        "cell_id": ids,
        "x_centroid": x_um,
        "y_centroid": y_um,
        "transcript_counts": sums.astype(np.int64),
    }
    areas = {"cell_area": rng.uniform(20, 90, cells), "nucleus_area": rng.uniform(10, 30, cells)}
    method = "Segmented by nucleus expansion of 5.0\N{MICRO SIGN}m"
    pd.DataFrame({**table, **areas, "nucleus_count": 1, "segmentation_method": method}).to_parquet(
        outs / "cells.parquet"
    )
    um = 4.0  # coarse: what is measured is the table
    side = int(np.ceil(across * PITCH_UM / um)) + 1
    pixels = np.full((side, side, 3), (190, 120, 170), np.uint8)
    tifffile.imwrite(folder / "he.tif", pixels, tile=(256, 256), photometric="rgb", compression="deflate")
    scale = um / UM_PER_PX
    np.savetxt(folder / "alignment.csv", [[scale, 0, 0], [0, scale, 0], [0, 0, 1]], delimiter=",")
    return {"source": "xenium", "path": "outs", "image": "he.tif", "alignment": "alignment.csv"}


def write_visium_hd(folder: Path, bins: int, genes: int, depth: float) -> dict[str, str]:
    """Write bins of 8 um of Space Ranger 3, all of them in tissue, and a coarse hires picture."""
    from PIL import Image

    square = folder / "outs" / "binned_outputs" / "square_008um"
    (square / "spatial").mkdir(parents=True)
    row, column = np.divmod(np.arange(bins), int(np.ceil(np.sqrt(bins))))
    ids = [f"s_008um_{r:05d}_{c:05d}-1" for r, c in zip(row.tolist(), column.tolist(), strict=True)]
    types = [b"Gene Expression"] * genes
    _write_h5(square / "filtered_feature_bc_matrix.h5", ids, types, genes, depth, np.random.default_rng(0))
    um, scale = 0.274, 0.05
    places = {"pxl_row_in_fullres": 50 + row * 8 / um, "pxl_col_in_fullres": 50 + column * 8 / um}
    array = {"in_tissue": 1, "array_row": row.astype(np.int32), "array_col": column.astype(np.int32)}
    frame = pd.DataFrame({"barcode": ids, **array, **places})
    frame.to_parquet(square / "spatial" / "tissue_positions.parquet")
    said = {"microns_per_pixel": um, "bin_size_um": 8.0, "tissue_hires_scalef": scale}
    (square / "spatial" / "scalefactors_json.json").write_text(json.dumps(said))
    side = int(scale * (100 + 8 / um * (column.max() + 1)))
    pixels = np.full((side, side, 3), (200, 140, 180), np.uint8)
    Image.fromarray(pixels).save(square / "spatial" / "tissue_hires_image.png")
    return {"source": "visium_hd", "path": "outs"}


def _write_h5(
    path: Path, ids: list[str], types: list[bytes], genes: int, depth: float, rng: np.random.Generator
) -> np.ndarray:
    """Write a matrix as the instruments do, and return the sum of the genes of each row.

    Rates of genes are log-normal, those of cells vary by half, and counts are Poisson's: a row is drawn as so
    many transcripts, each of a gene by its rate.
    """
    rate = rng.lognormal(0, 1.5, genes)
    edges = np.cumsum(rate / rate.sum()) * (1 - CONTROLS_SHARE * (len(types) > genes))
    sums, indptr = np.zeros(len(ids)), np.zeros(len(ids) + 1, np.int64)
    with h5py.File(path, "w") as file:
        how = {
            "shape": (0,),
            "maxshape": (None,),
            "chunks": (80_000,),
            "compression": "gzip",
            "compression_opts": 1,
        }
        data = file.create_dataset("matrix/data", dtype=np.int32, **how)
        indices = file.create_dataset("matrix/indices", dtype=np.int64, **how)
        for start in range(0, len(ids), BLOCK):
            n = min(BLOCK, len(ids) - start)
            totals = rng.poisson(depth * rng.lognormal(-0.125, 0.5, n))
            rows = np.repeat(np.arange(n), totals)
            kinds = np.searchsorted(edges, rng.random(len(rows)))
            kinds[kinds >= genes] = rng.integers(
                genes, max(genes + 1, len(types)), int((kinds >= genes).sum())
            )
            kinds = np.minimum(kinds, len(types) - 1)  # the last edge is rounded
            keys, counts = np.unique(rows * len(types) + kinds, return_counts=True)
            held = len(data)
            for part, values in ((data, counts), (indices, keys % len(types))):
                part.resize(held + len(keys), axis=0)
                part[held:] = values
            lengths = np.bincount(keys // len(types), minlength=n)
            indptr[start + 1 : start + n + 1] = held + np.cumsum(lengths)
            sums[start : start + n] = np.bincount(rows[kinds < genes], minlength=n)
        names = np.array(
            [f"GENE{k}" if k < genes else f"NegControlCodeword_{k}" for k in range(len(types))], "S"
        )
        file["matrix/indptr"], file["matrix/shape"] = indptr, np.array([len(types), len(ids)], np.int32)
        file["matrix/barcodes"] = np.array(ids, "S")
        file["matrix/features/id"] = file["matrix/features/name"] = names
        file["matrix/features/feature_type"] = np.array(types)
        file["matrix/features/genome"] = np.array([b"GRCh38"] * len(types))
    return sums


THEIRS = """
import scanpy
start = time.perf_counter()
table = scanpy.read_10x_h5('{path}')
shape = table.shape
"""
PLATFORMS = {
    "xenium": Platform(write_xenium, THEIRS.format(path="outs/cell_feature_matrix.h5")),
    "visium_hd": Platform(
        write_visium_hd,
        THEIRS.format(path="outs/binned_outputs/square_008um/filtered_feature_bc_matrix.h5"),
    ),
}
OURS = """
from prestige.data.dataset import open_dataset, read_dataset
import anndata, scipy.sparse, prestige.data.readers.{source}, prestige.data.slides.images
start = time.perf_counter()
sample = open_dataset(read_dataset('dataset.yaml')).samples[0]
shape = sample.counts.shape
"""
FRAME = """
import json, resource, sys, time, warnings
warnings.simplefilter('ignore')
{body}
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([seconds, peak, [int(one) for one in shape]]))
"""


def timed(body: str, folder: Path) -> tuple[float, float, list[int]]:
    """Run Python in a process of its own; return seconds, peak memory in GB, and the shape that it read."""
    env = {**os.environ, "PRESTIGE_CACHE": str(folder / "cache")}
    env |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    code = FRAME.format(body=body)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, check=True, capture_output=True)
    seconds, peak, shape = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak, shape


def main() -> None:
    """Write the export unless it is there, measure each way, and show how they compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("platform", choices=sorted(PLATFORMS))
    parser.add_argument("--cells", type=int, default=40_000, help="cells or bins")
    parser.add_argument("--genes", type=int, default=5_000)
    parser.add_argument("--depth", type=float, default=200.0, help="counts an observation")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    parser.add_argument("--folder", type=Path, help="keeps the export for the next time")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        parent = asked.folder or Path(made)
        folder = parent / f"{asked.platform}-{asked.cells}-{asked.genes}-{asked.depth:g}"
        platform = PLATFORMS[asked.platform]
        if not (folder / "dataset.yaml").is_file():
            start = time.perf_counter()
            sample = platform.write(folder, asked.cells, asked.genes, asked.depth)
            said = {"name": "d", "samples": [{"id": "S", "patient": "P", **sample}]}
            (folder / "dataset.yaml").write_text(json.dumps(said))
            print(f"written in {time.perf_counter() - start:.0f} s: {folder}")
        turns = [one_turn(platform, asked.platform, folder) for _ in range(asked.rounds)]
    (theirs, held), (ours, most), (again, _) = (
        (median(turn[way][0] for turn in turns), max(turn[way][1] for turn in turns)) for way in range(3)
    )
    case = f"{asked.platform}, {asked.cells:,} x {asked.genes:,}, {asked.depth:g} counts each"
    against = f"{theirs:.1f} s, its matrix read by scanpy ({held:.1f} GB)"
    rows = [
        Figure("an export prepared", case, f"{ours:.1f} s", against, ours / theirs, "<= 1.5"),
        Figure("memory of it", case, f"{most:.1f} GB", "8 GB", most / 8, "<= 1"),
        Figure("opened again", case, f"{again:.1f} s", against, again / theirs),
    ]
    show(rows, record=asked.record)


def one_turn(platform: Platform, source: str, folder: Path) -> list[tuple[float, float, list[int]]]:
    """Read the matrix by the library, prepare the export with an empty cache, and open it again."""
    theirs = timed(platform.theirs, folder)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return [theirs, *(timed(OURS.format(source=source), folder) for _ in range(2))]


if __name__ == "__main__":
    main()

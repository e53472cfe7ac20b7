"""A synthetic whole slide predicted, beside its encoder alone on batches that are ready in memory.

The prediction runs as a process of its own, into a cache that is empty (the TIFF is decoded) and again (it
is there; few cells several times, of which the median counts).  The encoder is timed in between its batches.
The square slide has the density of 1,000,000 cells on 60,000 x 60,000 pixels at every number of cells.  The
model is not trained: what it says costs the same.

    python benchmarks/whole_slide.py --cells 10000 100000 1000000
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import tifffile
import torch
import yaml
from measured import Figure, machine, show
from scipy.sparse import csr_matrix

from prestige.data.panel import Panel
from prestige.data.patches.augment import to_float
from prestige.data.patches.reader import Patch
from prestige.models.predictor import Predictor, build_predictor
from prestige.models.settings import ModelConfig
from prestige.prediction.bundle import write_bundle
from prestige.prediction.predict import predict_dataset

UM_PER_PX, TILE_PX = 0.5, 512
PX_A_CELL = 60_000**2 / 1_000_000
MOST_RUNS = 7
BATCH, EVERY = 256, 10  # of `prestige predict`; of its batches, between which the network is timed


def write_slide(path: Path, side: int) -> None:
    """Write a tiled JPEG TIFF of coloured blots; only 64 tiles are made, and dealt at random."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(90, 240, (64, TILE_PX // 16, TILE_PX // 16, 3), dtype=np.uint8)
    kept = coarse.repeat(16, axis=1).repeat(16, axis=2)
    across = math.ceil(side / TILE_PX)

    def tiles() -> Iterator[np.ndarray]:
        for number in rng.integers(0, 64, across**2):
            yield kept[number]

    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(
            tiles(),
            shape=(side, side, 3),
            dtype=np.uint8,
            tile=(TILE_PX, TILE_PX),
            compression="jpeg",
            photometric="rgb",
        )


def write_sample(folder: Path, cells: int) -> Path:
    """Write slide, table and dataset.yaml in the layout of HEST-1k; return the latter."""
    side = round(math.sqrt(cells * PX_A_CELL))
    for name in ("wsis", "st", "metadata"):
        (folder / name).mkdir(parents=True)
    write_slide(folder / "wsis" / "WSI.tif", side)
    xy = np.random.default_rng(1).uniform(0, side - 1, (cells, 2))
    counts = csr_matrix(np.ones((cells, 1), np.float32))
    obs = pd.DataFrame(index=pd.Index([f"cell-{i}" for i in range(cells)]))
    table = ad.AnnData(X=counts, obs=obs, var=pd.DataFrame(index=["GENE0"]), obsm={"spatial": xy})  # pyright: ignore[reportArgumentType]
    table.write_h5ad(folder / "st" / "WSI.h5ad")
    (folder / "metadata" / "WSI.json").write_text(json.dumps({"pixel_size_um": UM_PER_PX}))
    sample = {"id": "WSI", "source": "hest", "path": ".", "patient": "synthetic"}
    (folder / "dataset.yaml").write_text(yaml.safe_dump({"name": "synthetic", "samples": [sample]}))
    return folder / "dataset.yaml"


def write_model(folder: Path, encoder: str, patch_px: int, genes: int) -> None:
    """Write an untrained model."""
    names = tuple(f"GENE{i}" for i in range(genes))
    mean, std = np.ones(genes, np.float32), np.ones(genes, np.float32)
    model = ModelConfig(encoder=encoder)
    predictor = build_predictor(model, input_px=patch_px, train_mean=mean, train_std=std, seed=0)
    panel = Panel(names, total=100.0, train_mean=mean, train_std=std)
    patch = Patch(patch_px * UM_PER_PX, patch_px)
    write_bundle(folder, predictor, model=model, panel=panel, patch=patch, extra={"um_per_px": UM_PER_PX})


class Beside:
    """Times the network on a ready batch between the batches of a prediction: both see the same machine.

    Bytes made floats, forward, back to expression; every few batches, after one that is not counted.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.seconds: list[float] = []
        self.forward = Predictor.forward

    def __call__(self, predictor: Predictor, x: torch.Tensor) -> torch.Tensor:
        """Do what the predictor does."""
        self.calls += 1
        if len(x) == BATCH and self.calls % EVERY == 0:
            ready = torch.randint(0, 256, x.shape, dtype=torch.uint8)
            ready = ready.contiguous(memory_format=torch.channels_last)
            began = time.perf_counter()
            predictor.to_expression(self.forward(predictor, to_float(ready)))
            self.seconds.append(time.perf_counter() - began)
        return self.forward(predictor, x)


def predict_here() -> None:
    """Predict as the command does, and write what the network alone took."""
    beside = Beside()
    Predictor.forward = lambda self, x: beside(self, x)
    predict_dataset(Path("model"), Path("data/dataset.yaml"), Path("out"), device="cpu")
    Path("beside.json").write_text(json.dumps(beside.seconds))


@dataclass(frozen=True)
class Cost:
    """What a whole process of its own takes.

    Attributes
    ----------
    seconds
        From its start to its end, less what :class:`Beside` took.
    batch_seconds
        Of the network on a ready batch, the mean.
    peak_bytes
        The most memory that it held.
    """

    seconds: float
    batch_seconds: float
    peak_bytes: int

    def alone(self, cells: int) -> float:
        """Return the seconds of the network alone for so many cells."""
        return cells / BATCH * self.batch_seconds


ALONE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(code)
"""
"""A process between us and the prediction: its only child is that, so the memory is the prediction's."""


def predicted(folder: Path) -> Cost:
    """Run the prediction as a process of its own."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", ALONE, sys.executable, str(Path(__file__).resolve()), "--here"],
        cwd=folder,
        env=os.environ | {"PRESTIGE_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    whole = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    beside = json.loads((folder / "beside.json").read_text())
    return Cost(whole - sum(beside), statistics.mean(beside or [math.nan]), int(done.stdout))


@dataclass(frozen=True)
class Measured:
    """What a number of cells costs: slide to be decoded, slide at hand."""

    cells: int
    cold: Cost
    warm: Cost

    def a_cell(self, start: Cost) -> float:
        """Return how many times what the network takes a cell costs, beyond the start of the command."""
        return (self.warm.seconds - start.seconds) / self.warm.alone(self.cells)


def measure(encoder: str, patch_px: int, genes: int, cells: int) -> Measured:
    """Predict a slide of so many cells, decoded and at hand."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "model", encoder, patch_px, genes)
        write_sample(folder / "data", cells)
        cold = predicted(folder)
        again = [predicted(folder) for _ in range(min(MOST_RUNS, max(1, 100_000 // cells)))]
    return Measured(cells, cold, sorted(again, key=lambda cost: cost.seconds)[len(again) // 2])


def figures(found: list[Measured], start: Measured) -> list[Figure]:
    """Return the figures: against the encoder alone, memory, and how flat the cost of a cell is."""
    rows = []
    for one in found:
        for words, cost in (("slide at hand", one.warm), ("TIFF decoded", one.cold)):
            case = f"{one.cells:,} cells, {words}"
            alone = cost.alone(one.cells)
            words, ratio = f"{alone:,.0f} s, encoder alone", cost.seconds / alone
            wanted = "<= 1.15" if one.cells >= 1_000_000 else ""
            rows.append(
                Figure("a whole slide predicted", case, f"{cost.seconds:,.0f} s", words, ratio, wanted)
            )
            peak = cost.peak_bytes / 1e9
            rows.append(Figure("memory of it", case, f"{peak:.2f} GB", "4 GB", peak / 4, "<= 1"))
    first = found[0]
    for one in found[1:]:
        here, there = one.a_cell(start.warm), first.a_cell(start.warm)
        rows.append(
            Figure(
                "cost of a cell beyond the start of the command",
                f"{one.cells:,} cells",
                f"{here:.2f} x the encoder alone",
                f"{there:.2f} x at {first.cells:,} cells (start {start.warm.seconds:.0f} s)",
                max(here / there, there / here),
                "<= 1.15",
            )
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--encoder", default="compact_s")
    parser.add_argument("--patch-px", type=int, default=64)
    parser.add_argument("--genes", type=int, default=460)
    parser.add_argument("--record", action="store_true", help="keep the figures in history.csv")
    parser.add_argument("--here", action="store_true", help="what the processes that are timed do")
    asked = parser.parse_args()
    if asked.here:
        predict_here()
        return
    model = (asked.encoder, asked.patch_px, asked.genes)
    start = measure(*model, max(50, min(asked.cells) // 100))
    found = [measure(*model, cells) for cells in sorted(asked.cells)]
    threads = f"{torch.get_num_threads()} of its threads"
    where = f"{machine()}, {threads}, {asked.encoder} at {asked.patch_px} px, {asked.genes} genes"
    show(figures(found, start), record=asked.record, where=where)


if __name__ == "__main__":
    main()

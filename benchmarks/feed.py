"""Patches per second from a slide that is warm in memory, beside the usual ways of reading them.

The usual way is an HDF5 file of patches and a DataLoader of two workers; the tile reader is wsidata's, over
the TIFF, by the same DataLoader (`pip install wsidata`; left out without it).  A copy moves as many bytes as
one block.  The bare gather is the compiled crop alone: windows known, memory at hand, one thread.

    python benchmarks/feed.py examples/datasets/pancreas.yaml --tiff ../shared/data/pancreas_xenium/HE.tif
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measured import Figure, medians, show
from usual_way import BATCH, PatchFile, rate_of, tiles, write_patches

from prestige.data.dataset import open_dataset, read_dataset
from prestige.data.patches.crop import crop
from prestige.data.patches.reader import PatchConfig, PatchReader, resolve_patch, window_inside, window_start
from prestige.data.sample import Sample

ROW = "patches a second, warm slide"


def places(sample: Sample, width: int, n: int) -> np.ndarray:
    """Return the places of n observations in the order of a shuffled epoch, windows within the image."""
    slide, xy = sample.slide, sample.xy_px
    xy = xy[window_inside(xy, width, width_px=slide.width_px, height_px=slide.height_px)]
    kept = len(xy[:n]) // BATCH * BATCH
    return xy[np.random.default_rng(1).permutation(len(xy))[:kept]]


def measure(sample: Sample, width: int, n: int, tiff: Path | None, rounds: int) -> dict[str, float]:
    """Return the patches a second of each contender at one patch width, medians of some rounds."""
    pixels = np.ascontiguousarray(sample.slide.pixels)
    xy = places(sample, width, n)
    start = window_start(xy, width)
    reader = PatchReader([sample.slide], resolve_patch(PatchConfig(patch_px=width), [sample.um_per_px]))
    spans = [slice(first, first + BATCH) for first in range(0, len(xy), BATCH)]
    number, image = np.zeros(BATCH, np.int64), np.arange(BATCH)
    windows = [np.column_stack([image, start[span], np.zeros((BATCH, 2), np.int64)]) for span in spans]
    batch = np.empty((BATCH, width, width, 3), np.uint8)
    flat, source = batch.reshape(-1), pixels.reshape(-1)
    blocks = np.random.default_rng(0).integers(0, len(source) - len(flat), len(spans))
    with tempfile.TemporaryDirectory() as folder:
        write_patches(Path(folder) / "patches.h5", pixels, start, width)
        contenders = {
            "ours": lambda: epoch(spans, lambda i: reader(number, xy[spans[i]])),
            "bare gather": lambda: epoch(spans, lambda i: crop(pixels, windows[i], width, batch)),
            "copy": lambda: epoch(
                spans, lambda i: np.copyto(flat, source[blocks[i] : blocks[i] + len(flat)])
            ),
            "hdf5": rate_of(PatchFile(Path(folder) / "patches.h5")),
        }
        read = None if tiff is None else tiles(tiff, start[: max(8 * BATCH, len(start) // 4)], width)
        if read is not None:
            contenders["tile reader"] = rate_of(read, "image")
        return medians(contenders, rounds)


def epoch(spans: list[slice], step: Callable[[int], object]) -> float:
    """Return the patches a second of an epoch's batches, one after the other."""
    began = time.perf_counter()
    for i in range(len(spans)):
        step(i)
    return len(spans) * BATCH / (time.perf_counter() - began)


def figures(width: int, rates: dict[str, float]) -> list[Figure]:
    """Return the figures of one patch width."""
    wanted = {"hdf5": ("HDF5, 2 workers", ">= 8"), "tile reader": ("tile reader, 2 workers", ">= 100")}
    own = rates["ours"]
    found = []
    for name, rate in rates.items():
        if name != "ours":
            words, bound = wanted.get(name, (name, ""))
            found.append(
                Figure(ROW, f"{width} px, {words}", f"{own:,.0f}", f"{rate:,.0f}", own / rate, bound)
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", type=Path, help="its first sample is read")
    parser.add_argument("--tiff", type=Path, help="the same image as a TIFF, for the tile reader")
    parser.add_argument("--patch-px", type=int, nargs="+", default=[32, 64, 128, 224])
    parser.add_argument("--observations", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--record", action="store_true", help="keep the figures in history.csv")
    asked = parser.parse_args()
    sample = open_dataset(read_dataset(asked.dataset)).samples[0]
    found: list[Figure] = []
    for width in asked.patch_px:
        found += figures(width, measure(sample, width, asked.observations, asked.tiff, asked.rounds))
    show(found, record=asked.record)


if __name__ == "__main__":
    main()

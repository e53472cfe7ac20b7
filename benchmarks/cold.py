"""From the image file to the last batch of the first epoch at four patch sizes, nothing prepared before.

Ours hashes and decodes the TIFF into an empty cache and reads an epoch at each size, with no patch on disk.
The usual way decodes it too, cuts a set of patches for each size into HDF5 and reads each by a DataLoader of
two workers.  Where the observations lie is given to both, and the file was read once before.

    python benchmarks/cold.py examples/datasets/pancreas.yaml ../shared/data/pancreas_xenium/HE.tif
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from measured import Figure, medians, seconds, show
from scipy.sparse import csr_matrix
from usual_way import BATCH, PatchFile, loader_of, write_patches

from prestige.data.cache import Recipe, prepare
from prestige.data.dataset import open_dataset, read_dataset
from prestige.data.patches.reader import PatchConfig, PatchReader, resolve_patch, window_inside, window_start
from prestige.data.sample import Table
from prestige.data.slides.slide import Slide
from prestige.data.slides.tiff.tiles import write_slide

ROW = "TIFF to the last batch of the first epoch, four sizes"
TIMED = ("decoded", "cut", "read")


@dataclass
class Cost:
    """Seconds of each step, and the most bytes on disk."""

    decoded: float = 0.0
    cut: float = 0.0
    read: float = 0.0
    disk: int = 0

    @property
    def all(self) -> float:
        return self.decoded + self.cut + self.read

    def __str__(self) -> str:
        steps = [f"{step} {getattr(self, step):.1f}" for step in TIMED if getattr(self, step)]
        return f"{self.all:.1f} s ({', '.join(steps)})"


@dataclass(frozen=True, eq=False)
class Task:
    """An image, the places of the observations on it, and the patch sizes."""

    tiff: Path
    um_per_px: float
    xy_px: np.ndarray
    widths: list[int]

    def table(self) -> Table:
        n = len(self.xy_px)
        obs = pd.DataFrame({"measured": True, "total_counts": 1.0}, index=[str(i) for i in range(n)])
        return Table(obs, self.xy_px, csr_matrix(np.ones((n, 1), np.float32)), ("GENE",))


def ours(task: Task) -> Cost:
    """Prepare the slide in an empty cache, then read an epoch at each size."""
    cost = Cost()
    recipe = Recipe(
        source="tiff/1",
        where="cold",
        slide_files={"image": task.tiff},
        table_files={},
        write_slide=lambda target: write_slide(task.tiff, target),
        read_table=lambda pixels: task.table(),
        um_per_px=task.um_per_px,
    )
    with tempfile.TemporaryDirectory() as folder:
        found = []
        cost.decoded = seconds(lambda: found.append(prepare(recipe, Path(folder))))
        slide = Slide(found[0].pixels, task.um_per_px, False, "cold")
        cost.read = sum(seconds(lambda width=width: epoch(task, slide, width)) for width in task.widths)
        files = {file.stat().st_ino: file.stat().st_size for file in Path(folder).rglob("*.npy")}
        cost.disk = sum(files.values())
    return cost


def epoch(task: Task, slide: Slide, width: int) -> None:
    """Read each observation's patch once, in batches."""
    reader = PatchReader([slide], resolve_patch(PatchConfig(patch_px=width), [task.um_per_px]))
    number = np.zeros(BATCH, np.int64)
    for first in range(0, len(task.xy_px) - BATCH + 1, BATCH):
        reader(number, task.xy_px[first : first + BATCH])


def usual(task: Task) -> Cost:
    """Decode the image, cut a set of patches for each size, then read an epoch of each."""
    cost = Cost()
    found = []
    cost.decoded = seconds(lambda: found.append(tifffile.imread(task.tiff, level=0)))
    for width in task.widths:
        start = window_start(task.xy_px, width)
        with tempfile.TemporaryDirectory() as folder:  # one set at a time: they are large
            path = Path(folder) / "patches.h5"
            cost.cut += seconds(
                lambda path=path, start=start, width=width: write_patches(path, found[0], start, width)
            )
            cost.read += seconds(lambda path=path: sum(1 for _ in loader_of(PatchFile(path))))
            cost.disk += path.stat().st_size
    return cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", type=Path, help="its first sample says where the observations lie")
    parser.add_argument("tiff", type=Path, help="the same image")
    parser.add_argument("--patch-px", type=int, nargs="+", default=[32, 64, 96, 128])
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="keep the figures in history.csv")
    asked = parser.parse_args()
    sample = open_dataset(read_dataset(asked.dataset)).samples[0]
    slide, widest = sample.slide, max(asked.patch_px)
    inside = window_inside(sample.xy_px, widest, width_px=slide.width_px, height_px=slide.height_px)
    xy = np.random.default_rng(0).permutation(sample.xy_px[inside])[: asked.observations]
    task = Task(asked.tiff, sample.um_per_px, xy, asked.patch_px)
    asked.tiff.read_bytes()
    costs: dict[str, list[Cost]] = {"ours": [], "usual": []}

    def kept(name: str, cost: Cost) -> float:
        costs[name].append(cost)
        return cost.all

    found = medians(
        {"ours": lambda: kept("ours", ours(task)), "usual": lambda: kept("usual", usual(task))}, asked.rounds
    )
    own, other = (
        sorted(costs[name], key=lambda cost: cost.all)[asked.rounds // 2] for name in ("ours", "usual")
    )
    raw = 3 * slide.width_px * slide.height_px
    case = f"{len(xy):,} observations"
    show(
        [
            Figure(ROW, case, str(own), str(other), found["usual"] / found["ours"], ">= 20"),
            Figure(
                "disk for four sizes",
                case,
                f"{own.disk / 1e9:.2f} GB",
                f"{raw / 1e9:.2f} GB of raw pixels",
                own.disk / raw,
                "<= 1.1",
            ),
            Figure(
                "disk for four sizes, the usual way",
                case,
                f"{other.disk / 1e9:.1f} GB",
                f"{raw / 1e9:.2f} GB of raw pixels",
                other.disk / raw,
            ),
        ],
        record=asked.record,
    )


if __name__ == "__main__":
    main()

"""What do the statistics of a large bench cost?  Seconds and memory, from predictions to the report.

By default 48 runs (4 encoders x 4 patches x 3 seeds) of 100,000 observations x 400 genes, and the training
mean.  The bench is a real one, started as anyone would; only its predictions are made up (truth and noise).
Making them is not counted, nor are opening the samples and writing the predictions.

    OMP_NUM_THREADS=2 python benchmarks/statistics_cost.py --write docs/results/statistics-cost.md
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import yaml
from scipy.sparse import csr_matrix

from prestige.config import RunConfig
from prestige.data.fold import FoldData
from prestige.data.prepared import Card, write_prepared
from prestige.data.sample import Table
from prestige.runs.bench import run_bench
from prestige.runs.outcome import Outcome, outcome_of
from prestige.runs.run import write_predictions

SIDE_UM, TILE_UM, UM_PER_PX = 6000.0, 150.0, 5.0
ENCODERS = ("compact_xs", "compact_s", "compact_m", "resnet18")
PATCHES_PX = (16, 32, 64, 128)
SETS, SET_SIZE = 10, 40

STEPS = {
    "prestige.runs.run.evaluate": "all metrics and moments of every run",
    "prestige.runs.run.shifted_moments": "moments with centres moved by 2, 5, 10 um",
    "prestige.runs.record.correlogram": "correlation length",
    "prestige.runs.bench.write_ceilings": "ceilings",
    "prestige.runs.record.sets_of_fold": "gene sets chosen on training data",
    "prestige.analysis.analyse.load_bench": "report: reading the runs",
    "prestige.analysis.analyse.summarise": "report: blocks merged, all configurations compared",
    "prestige.analysis.analyse.answers": "report: recommendation",
    "prestige.analysis.analyse.ceilings_of": "report: ceilings over the merged blocks",
    "prestige.analysis.analyse.effects_of": "report: effects",
    "prestige.analysis.analyse.encoder_spread": "report: spread over seeds and tissue",
    "prestige.analysis.analyse.shifted_scores": "report: sensitivity",
    "prestige.analysis.analyse.scored_sets": "report: scores of the gene sets",
    "prestige.analysis.analyse.bests_of_sets": "report: the best encoder of each set",
    "prestige.analysis.analyse.set_scores": "report: sets beside 1,000 random ones each, intervals",
    "prestige.analysis.analyse.effects_on_sets": "report: effects on the gene sets",
    "prestige.report.bench.page.set_section": "report: figures of the gene sets",
    "prestige.report.bench.page.illustrate": "report: figures and maps",
}
"""Where each step is called -> what it is."""

REPORT, REST = "prestige.runs.bench.write_report", "report: the rest"


class Clock:
    """Seconds of each step, in the order in which they were first taken."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.outside = np.zeros(2)

    def add(self, step: str, spent: np.ndarray) -> None:
        row = self.seconds.setdefault(step, [0.0, 0.0])
        row[0] += spent[0]
        row[1] += spent[1]

    def timed(self, step: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*given: Any, **named: Any) -> Any:
            began, before = now(), self.outside.copy()
            answer = call(*given, **named)
            self.add(step, now() - began - (self.outside - before))
            return answer

        return timing

    @contextmanager
    def not_counted(self) -> Iterator[None]:
        began = now()
        yield
        self.outside += now() - began

    def table(self) -> list[str]:
        if REPORT in self.seconds:
            inside = [spent for step, spent in self.seconds.items() if step.startswith("report: ")]
            whole = np.array(self.seconds.pop(REPORT))
            self.seconds[REST] = list(whole - np.sum(inside, axis=0))
        rows = [f"| {step} | {wall:.1f} | {own:.1f} |" for step, (wall, own) in self.seconds.items()]
        wall, own = np.sum(list(self.seconds.values()), axis=0)
        return [
            "| step | seconds | seconds of processor |",
            "|---|---|---|",
            *rows,
            f"| **all** | **{wall:.0f}** | **{own:.0f}** |",
        ]


def now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def write_sample(folder: Path, n: int, genes: int, side: str) -> None:
    """Write a prepared sample: counts that follow tiles of tissue, on an image of noise."""
    rng = np.random.default_rng([n, genes])
    xy_um = rng.uniform(0, SIDE_UM - UM_PER_PX, (n, 2))
    tile = (xy_um // TILE_UM).astype(np.int64)
    level = rng.normal(size=(*tile.max(axis=0) + 1, genes)).astype(np.float32)
    mean = np.exp(0.7 * level[tile[:, 0], tile[:, 1]] - 1.5)
    counts = csr_matrix(rng.poisson(mean).astype(np.float32))
    obs = pd.DataFrame(
        {"measured": True, "total_counts": np.asarray(counts.sum(axis=1)).ravel() + 1.0, "side": side},
        index=[f"{side}-{i}" for i in range(n)],
    )
    folder.mkdir(parents=True)
    pixels = int(SIDE_UM / UM_PER_PX)
    np.save(folder / "slide.npy", rng.integers(0, 256, (pixels, pixels, 3), dtype=np.uint8))
    table = Table(obs, xy_um / UM_PER_PX, counts, tuple(f"G{g}" for g in range(genes)))
    write_prepared(folder, table, Card("prepared", side, side, UM_PER_PX, um_per_px_assumed=False))


def write_bench(folder: Path, n: int, genes: int, seeds: int) -> Path:
    """Write the samples, the gene sets and bench.yaml; return the latter."""
    for side, size in (("train", max(n // 10, 1000)), ("test", n)):
        write_sample(folder / side, size, genes, side)
    samples = [
        {"id": side, "source": "prepared", "path": side, "patient": side} for side in ("train", "test")
    ]
    (folder / "dataset.yaml").write_text(yaml.safe_dump({"name": "synthetic", "samples": samples}))
    rng = np.random.default_rng(0)
    sets = [
        "\t".join([f"set {i}", "drawn", *(f"G{g}" for g in rng.choice(genes, SET_SIZE, replace=False))])
        for i in range(SETS)
    ]
    (folder / "sets.gmt").write_text("\n".join(sets) + "\n")
    bench = {
        "name": "cost",
        "dataset": "dataset.yaml",
        "split": {"by": "column", "column": "side", "train": ["train"], "test": ["test"], "buffer_um": 640},
        "panel": {"genes": "all"},
        "patches": [{"patch_px": width} for width in PATCHES_PX],
        "encoders": list(ENCODERS),
        "baselines": ["mean"],
        "seeds": list(range(seeds)),
        "train": {"budget": {"steps": 1}},
        "evaluation": {"block_um": 300, "shifts_um": [2, 5, 10]},
        "genesets": {"shipped": [], "files": ["sets.gmt"]},
    }
    (folder / "bench.yaml").write_text(yaml.safe_dump(bench))
    return folder / "bench.yaml"


def made_up(config: RunConfig, data: FoldData, *given: Any, **named: Any) -> Outcome:
    """Return predictions that no network made: truth and noise, better for larger encoders and patches."""
    if config.name not in ENCODERS:
        return outcome_of(config, data, *given, **named)
    size, width = ENCODERS.index(config.name), PATCHES_PX.index(config.patch.patch_px or 0)
    rng = np.random.default_rng([size, width, config.seed])
    signal = 0.1 + 0.02 * size + 0.01 * width
    prediction = rng.standard_normal(data.test_y.shape, dtype=np.float32)
    prediction *= 0.3
    prediction += signal * data.test_y
    return Outcome(
        prediction,
        lambda some: prediction[np.searchsorted(data.test.row, some.row)],
        parameters=10 ** (5 + size),
        flops=10 ** (7 + size),
        seconds={"train": 1.0},
        facts={"steps": 1, "learning_rate": 1e-3, "learning_rates_tried": [1e-3], "validation_score": 0.1},
    )


def measure(bench: Path, out: Path) -> Clock:
    """Run the bench with its steps timed."""
    clock = Clock()

    def predict(*given: Any, **named: Any) -> Outcome:
        with clock.not_counted():
            found = made_up(*given, **named)
        inner = found.predict

        def again(observations: Any) -> np.ndarray:
            with clock.not_counted():
                return inner(observations)

        object.__setattr__(found, "predict", again)
        return found

    def written(folder: Path, prediction: np.ndarray, *given: Any) -> Any:
        best = given[-1]["encoder"] == ENCODERS[-1]  # the maps are drawn from one of these
        return write_predictions(folder, prediction, *given) if best else []

    with ExitStack() as patches:
        for place, step in {**STEPS, REPORT: REPORT}.items():
            module, name = place.rsplit(".", 1)
            call = getattr(importlib.import_module(module), name)
            patches.enter_context(patch(place, clock.timed(step, call)))
        patches.enter_context(patch("prestige.runs.run.outcome_of", predict))
        patches.enter_context(patch("prestige.runs.run.write_predictions", written))
        run_bench(bench, out)
    return clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--genes", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3, help="of each of 16 configurations")
    parser.add_argument("--write", type=Path, help="the page to write")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PRESTIGE_CACHE"] = str(Path(folder) / "cache")
        bench = write_bench(Path(folder), asked.observations, asked.genes, asked.seeds)
        clock = measure(bench, Path(folder) / "out")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    runs = len(ENCODERS) * len(PATCHES_PX) * asked.seeds
    text = [
        f"{runs} runs, {asked.observations:,} observations x {asked.genes} genes, {os.cpu_count()} cores; "
        f"peak of the whole process {peak:.1f} GiB.",
        "",
        *clock.table(),
    ]
    print("\n".join(text))
    if asked.write is not None:
        asked.write.write_text(page(text, " ".join(sys.argv[1:])), encoding="utf-8")


def page(text: list[str], arguments: str) -> str:
    """Return the page: what it is, the command, the table."""
    head = [
        "# What the statistics of a large bench cost",
        "",
        f"Written by `OMP_NUM_THREADS=2 python benchmarks/statistics_cost.py {arguments}`;",
        "do not edit by hand. The bench's predictions are made up (truth and noise), all else is real. Not",
        "counted: opening the samples, training, predicting, writing predictions.",
        "",
    ]
    return "\n".join([*head, *text]) + "\n"


if __name__ == "__main__":
    main()

"""A training's steps fed from the slide, beside the same steps on a batch that is ready in memory.

Both take their turn, some steps each; a step fed from the slide holds everything that a training does: crop,
augmentation, forward, backward, optimizer.  On a GPU its utilisation is shown, as `nvidia-smi` says it.

    python benchmarks/epoch.py examples/kidney.yaml --encoders compact_s --patch-px 64 128
    python benchmarks/epoch.py examples/kidney.yaml --encoders compact_s resnet18 --device cuda
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from measured import Figure, machine, show
from opened import Bench, open_bench

from prestige.compute.devices import make_fabric
from prestige.data.patches.on_device import StreamedReader, on_device
from prestige.data.patches.reader import PatchReader
from prestige.training import loop as train
from prestige.training.batches import BatchLoader
from prestige.training.loop import Job
from prestige.training.schedule import Plan
from prestige.training.state import TrainingState


def job_of(bench: Bench, encoder: str, patch_px: int, asked: argparse.Namespace) -> Job:
    """Return a training that is ready for its first step."""
    device = asked.device
    data, input_px = bench.train_data(patch_px)
    fabric = make_fabric("auto", device)
    cropped, gpu = data.reader, fabric.device
    assert isinstance(cropped, PatchReader)
    reader = StreamedReader(cropped.pinned(), gpu) if asked.streamed else on_device(cropped, gpu)
    near = replace(data, reader=reader)
    config = bench.config.train
    assert config is not None
    config = config.model_copy(update={"compile": asked.compile})
    predictor = bench.fresh(encoder, input_px).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    loader = BatchLoader(near, config, 0, fabric.device)
    state = TrainingState(plan=Plan(trial_steps=0, main_steps=1, validate_every=1), n_rates=1)
    return Job(predictor, fabric, loader, config, 0, Path(mkdtemp()), state, {})


def milliseconds(job: Job, batches: Iterator[tuple[Any, Any]], steps: int) -> float:
    """Return the milliseconds a step over some steps, after one whose batch had all the time it wanted."""
    job.step(*next(batches))
    job.wait()
    began = time.perf_counter()
    for _, (x, y) in zip(range(steps), batches, strict=False):
        job.step(x, y)
    job.wait()
    return (time.perf_counter() - began) / steps * 1e3


def forever(batch: tuple[Any, Any]) -> Iterator[tuple[Any, Any]]:
    while True:
        yield batch


def measure(job: Job, steps: int, rounds: int) -> tuple[float, float]:
    """Return the milliseconds of a step fed from the slide, and of one on a ready batch: medians."""
    job.model.train()
    x, y = job.loader.batch(0)
    ready = torch.rand_like(x), y
    fed = job.loader.batches(0, (steps + 1) * (rounds + 1) + 1)
    milliseconds(job, fed, steps)
    milliseconds(job, forever(ready), steps)
    found: list[tuple[float, float]] = []
    for _ in range(rounds):
        found.append((milliseconds(job, fed, steps), milliseconds(job, forever(ready), steps)))
    fed.close()
    return statistics.median(f for f, _ in found), statistics.median(r for _, r in found)


def utilisation(job: Job, steps: int) -> str:
    """Return in words how busy the GPU is during steps that are fed from the slide."""
    asked = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as watch:
        milliseconds(job, job.loader.batches(0, steps + 1), steps)
        watch.terminate()
        shares = [float(line) for line in (watch.stdout or []) if line.strip()]
    return f", GPU {statistics.median(shares):.0f} % busy" if shares else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--encoders", nargs="+", default=["compact_s"])
    parser.add_argument("--patch-px", type=int, nargs="+", default=[64, 128])
    parser.add_argument(
        "--steps", type=int, help="taken in turn with as many on a ready batch: 20, on a GPU 200"
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--compile", action="store_true", help="steps as `compile: true` in `train` makes them"
    )
    parser.add_argument("--streamed", action="store_true", help="as if the slides did not fit on the GPU")
    parser.add_argument(
        "--ungraphed", action="store_true", help="each kernel of a GPU's step started by itself"
    )
    parser.add_argument("--record", action="store_true", help="keep the figures in history.csv")
    asked = parser.parse_args()
    bench = open_bench(asked.bench)
    found, where = [], machine()
    n = torch.get_num_threads()
    if asked.ungraphed:
        train.GraphedStep = lambda take, _: take
    how = (
        ", ungraphed" * asked.ungraphed
        + ", compiled" * asked.compile
        + ", slides not on the GPU" * asked.streamed
    )
    threads = f", {n} thread{'s' if n > 1 else ''}"
    for encoder in asked.encoders:
        for patch_px in asked.patch_px:
            job = job_of(bench, encoder, patch_px, asked)
            cuda = job.on_gpu
            steps = asked.steps or (200 if cuda else 20)  # a GPU's batches come up to 16 at a time
            fed, ready = measure(job, steps, asked.rounds)
            busy = utilisation(job, steps * asked.rounds) if cuda else ""
            found.append(
                Figure(
                    "a step of training" + (" on a GPU" if cuda else ""),
                    f"{encoder}, {patch_px} px, batches of {job.loader.batch_size}"
                    + (how if cuda else threads),
                    f"{fed:.1f} ms{busy}",
                    f"{ready:.1f} ms on a ready batch",
                    fed / ready,
                    "<= 1.10" if cuda else "<= 1.05",
                )
            )
            if cuda:
                where = torch.cuda.get_device_name()
    show(found, record=asked.record, where=where)


if __name__ == "__main__":
    main()

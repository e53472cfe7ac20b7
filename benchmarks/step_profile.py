"""Where the time goes: what is done for a batch, what a step computes, and what both take on the same cores.

python benchmarks/step_profile.py examples/kidney.yaml --write docs/results/step-profile.md
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

import numpy as np
import torch
from epoch import job_of, measure
from measured import machine
from opened import Bench, open_bench
from torch.profiler import ProfilerActivity, profile

from prestige.data.patches.augment import augment, draw_parameters
from prestige.data.patches.buffers import Buffers
from prestige.data.patches.reader import PatchReader
from prestige.training.loop import Job

OF_A_BATCH = """By one thread, medians, each after a step of the network, whose data fill the caches. The
plain copy moves as many bytes, one after another; those of a crop lie in rows all over the slide. Two threads
share a crop from 4 MB on."""

OF_A_STEP = """On a ready batch with one thread: shares of its time by operation, as torch's profiler names
them, without those that they call."""

TOGETHER = """Torch computes on all cores, so the batch is made on one that the step wants. By work alone, a
step would take what it takes on a ready batch, and the batch's work shared among the cores. What is more than
that is time in which torch's other threads wait for the one whose core the batch was made on: they meet at
the end of every operation."""

MOST_OPS = 9
ON_CPU = Namespace(device="cpu", compile=False, streamed=False)


def milliseconds(call: Callable[[], object], before: Callable[[], object], repeats: int = 30) -> float:
    """Return the median of what a call takes, each time after another one that is not counted."""
    taken = []
    for _ in range(repeats):
        before()
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken)


def row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def batch_parts(job: Job, patch_px: int) -> tuple[str, float]:
    """Return a line of the first table, and the milliseconds of a batch: all by one thread."""
    data, size, steps = job.loader.data, job.loader.batch_size, count()
    assert isinstance(data.reader, PatchReader)
    reader, buffers = PatchReader(data.reader.slides, data.reader.patch, threads=1), Buffers()
    chance = torch.Generator().manual_seed(0)

    def places() -> tuple[np.ndarray, np.ndarray]:
        seen = data.train.take(job.loader._chosen(next(steps)))
        return seen.slide_index, seen.xy_px

    def look() -> None:
        augment(patches, draw_parameters(size, job.config.augment, chance), buffers)

    def step() -> None:
        job.step(x, y)

    job.model.train()
    x, y = job.loader.batch(0)
    patches = reader(*places())
    source = [np.empty(patches.numel(), np.uint8) for _ in range(8)]
    target = np.empty_like(source[0])
    crop, jitter = milliseconds(lambda: reader(*places()), step), milliseconds(look, step)
    copy = milliseconds(lambda: np.copyto(target, source[next(steps) % len(source)]), step)
    answer = milliseconds(lambda: data.train_y[job.loader._chosen(next(steps))], step)
    megabytes = patches.numel() / 1e6
    line = row(
        [
            f"{patch_px} px",
            f"{megabytes:.1f} MB",
            f"{crop:.2f} ms ({megabytes / crop:.1f} GB/s)",
            f"{copy:.2f} ms ({megabytes / copy:.1f} GB/s)",
            f"{jitter:.2f} ms",
            f"{answer:.2f} ms",
        ]
    )
    return line, crop + jitter + answer


def operations(job: Job, steps: int = 8) -> list[tuple[str, float]]:
    """Return the operations of a step on a ready batch and their shares of its time, the longest first."""
    job.model.train()
    x, y = job.loader.batch(0)
    for _ in range(3):
        job.step(x, y)
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        for _ in range(steps):
            job.step(x, y)
    spent = {event.key: event.self_cpu_time_total for event in watched.key_averages()}
    total = sum(spent.values())
    longest = sorted(spent, key=lambda key: -spent[key])[:MOST_OPS]
    rest = 1 - sum(spent[key] for key in longest) / total
    return [*((key, spent[key] / total) for key in longest), ("all others", rest)]


def together(job: Job, feed: float, patch_px: int, rounds: int) -> str:
    """Return a line of the third table: a step with the batch made beside it, both cores being torch's."""
    fed, ready = measure(job, 20, rounds)
    expected = ready + feed / torch.get_num_threads()
    return row(
        [
            f"{patch_px} px",
            f"{ready:.1f} ms",
            f"{feed:.1f} ms",
            f"{expected:.1f} ms ({expected / ready:.2f})",
            f"{fed:.1f} ms ({fed / ready:.2f})",
        ]
    )


def page(bench: Bench, asked: argparse.Namespace) -> list[str]:
    """Return the page's paragraphs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    jobs = {width: job_of(bench, asked.encoder, width, ON_CPU) for width in asked.patch_px}
    parts = {width: batch_parts(job, width) for width, job in jobs.items()}
    ops = {width: operations(job) for width, job in jobs.items()}
    torch.set_num_threads(threads)
    both = [together(job, parts[width][1], width, asked.rounds) for width, job in jobs.items()]
    command = " ".join(["python benchmarks/step_profile.py", *sys.argv[1:]])
    told = {
        width: ", ".join(f"{name.removeprefix('aten::')} {share:.0%}" for name, share in found)
        for width, found in ops.items()
    }
    size, genes = next(iter(jobs.values())).loader.batch_size, len(bench.data.panel.genes)
    return [
        "# Where the time of a step goes",
        f"Written by `{command}` on {machine()}; do not edit by hand.",
        f"`{asked.encoder}`, batches of {size}, {genes:,} genes.",
        "## What is done for a batch",
        OF_A_BATCH,
        "\n".join(
            [
                row(["patch", "bytes", "crop", "plain copy", "turned and restained", "expression"]),
                "|---" * 6 + "|",
                *(line for line, _ in parts.values()),
            ]
        ),
        "## What a step computes",
        OF_A_STEP,
        "\n".join(f"- {width} px: {words}" for width, words in told.items()),
        f"## Both on the same {threads} cores",
        TOGETHER,
        "\n".join(
            [
                row(["patch", "ready batch", "a batch's work", "together, by work", "together, measured"]),
                "|---" * 5 + "|",
                *both,
            ]
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--encoder", default="compact_s")
    parser.add_argument("--patch-px", type=int, nargs="+", default=[64, 128, 224])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", type=Path, help="the page to write")
    asked = parser.parse_args()
    paragraphs = page(open_bench(asked.bench), asked)
    print("\n\n".join(paragraphs))
    if asked.write is not None:
        asked.write.write_text("\n\n".join(paragraphs) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

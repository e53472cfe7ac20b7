"""Patches gathered, augmented and made bf16 on a GPU, beside a copy of as many bytes there.

python benchmarks/on_gpu.py examples/datasets/pancreas.yaml --patch-px 64
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from measured import Figure, medians, show

from prestige.data.dataset import open_dataset, read_dataset
from prestige.data.patches.augment import AugmentConfig, draw_parameters
from prestige.data.patches.gather import gather
from prestige.data.patches.on_device import DeviceReader
from prestige.data.patches.reader import PatchConfig, resolve_patch
from prestige.data.sample import Sample
from prestige.models.encoder import IMAGENET_MEAN, IMAGENET_STD

REPEATS = 20


def seconds_of(call, device: torch.device) -> float:
    """Return the seconds a call over some, by the device's own clock."""
    call()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize(device)
    begin.record()
    for _ in range(REPEATS):
        call()
    end.record()
    torch.cuda.synchronize(device)
    return begin.elapsed_time(end) / REPEATS / 1e3


def measure(sample: Sample, patch_px: int, batch: int, rounds: int) -> list[Figure]:
    """Return the figures of one patch width: of the kernel, and with all that a training does for a batch."""
    device = torch.device("cuda")
    patch = resolve_patch(PatchConfig(patch_px=patch_px), [sample.um_per_px])
    reader = DeviceReader([sample.slide], patch, device)
    rng = np.random.default_rng(0)
    xy = sample.xy_px[rng.integers(0, sample.n_obs, batch)]
    number, chance = np.zeros(batch, np.int64), torch.Generator().manual_seed(0)
    source = torch.rand((batch, 3, patch_px, patch_px), device=device).to(torch.bfloat16)
    target = torch.empty_like(source)
    mean, std = (torch.tensor(of, device=device).view(1, 3, 1, 1) for of in (IMAGENET_MEAN, IMAGENET_STD))
    mean, std = mean.to(torch.bfloat16), std.to(torch.bfloat16)
    parameters = draw_parameters(batch, AugmentConfig(), chance)
    slides, places = reader.table(number, xy, parameters)
    out = torch.empty((batch, patch_px, patch_px, 3), dtype=torch.bfloat16, device=device)

    def feed() -> None:
        parameters = draw_parameters(batch, AugmentConfig(), chance)
        reader.augmented(number, xy, parameters, torch.bfloat16).sub_(mean).div_(std)

    found = medians(
        {
            "kernel": lambda: seconds_of(lambda: gather(out, slides, places), device),
            "feed": lambda: seconds_of(feed, device),
            "copy": lambda: seconds_of(lambda: target.copy_(source), device),
        },
        rounds,
    )
    return [
        Figure(
            f"patches on a GPU, {what}",
            f"{patch_px} px, batches of {batch:,}, bf16",
            f"{batch / found[name]:,.0f} a second",
            f"{batch / found['copy']:,.0f} copied",
            found["copy"] / found[name],
            wanted,
        )
        for name, what, wanted in (
            ("kernel", "gathered and augmented", ">= 0.3"),
            ("feed", "with drawing what to look at, and normalised", ""),
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", type=Path, help="its first sample is read")
    parser.add_argument("--patch-px", type=int, nargs="+", default=[64])
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--record", action="store_true", help="keep the figures in history.csv")
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("on_gpu.py: there is no GPU on this machine, so nothing is measured")
    sample = open_dataset(read_dataset(asked.dataset)).samples[0]
    figures = [f for width in asked.patch_px for f in measure(sample, width, asked.batch, asked.rounds)]
    show(figures, record=asked.record, where=torch.cuda.get_device_name())


if __name__ == "__main__":
    main()

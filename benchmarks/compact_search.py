"""Which compact design learns most per second, at each patch size?

Every design trains equally long at every patch size and is scored on the validation side; the test side is
never read.  Seconds become steps once: all designs are timed in turn, several rounds, and the quickest
round counts, so that a busy machine shifts no design against another.

    python benchmarks/compact_search.py examples/datasets/kidney.yaml --seconds 60
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from prestige.compute.devices import make_fabric
from prestige.data.dataset import open_dataset, read_dataset
from prestige.data.observations import gather, targets
from prestige.data.panel import PanelConfig, fit_panel
from prestige.data.patches.augment import AugmentConfig
from prestige.data.patches.reader import PatchConfig, PatchReader, resolve_patch
from prestige.data.split.folds import TRAIN, VALIDATION, SplitConfig, make_folds
from prestige.models.compact import GRID_PX, Compact, Design
from prestige.models.encoder import Encoder, encoders
from prestige.models.predictor import Predictor, build_predictor, count_flops, count_parameters
from prestige.models.settings import ModelConfig
from prestige.training.batches import BatchLoader, TrainData
from prestige.training.loop import train
from prestige.training.schedule import Budget, TrainConfig

SMALL = Design(channels=(32, 64, 128), depth=(0, 1, 1))


def two_views(input_px: int) -> Compact:
    return Compact(input_px, SMALL)


def one_view(input_px: int) -> Compact:
    """Read the whole patch at full resolution, as most convolutional networks do."""
    return _views(Compact(input_px, SMALL), (input_px,), 8 * round(input_px / 8))


def pyramid(input_px: int) -> Compact:
    """Read views of about 32, 64, 128, ... pixels and the whole."""
    if input_px <= GRID_PX:
        return Compact(input_px, SMALL)
    steps = max(1, round(np.log2(input_px / GRID_PX)))
    inner = [round(GRID_PX * (input_px / GRID_PX) ** (step / steps)) for step in range(steps)]
    return _views(
        Compact(input_px, SMALL), (*(width - (width - input_px) % 2 for width in inner), input_px), GRID_PX
    )


def stem_of_stride_4(input_px: int) -> Compact:
    """Come down to an eighth in two steps in place of three."""
    encoder = Compact(input_px, SMALL)
    stem = nn.Sequential(nn.Conv2d(3, 64, 8, stride=4, padding=2, bias=False), nn.BatchNorm2d(64), nn.ReLU())
    encoder.trunk = nn.Sequential(stem, *list(encoder.trunk)[2:])
    return encoder


def group_norm(input_px: int) -> Compact:
    return _replace_norm(Compact(input_px, SMALL), lambda channels: nn.GroupNorm(8, channels))


def no_norm(input_px: int) -> Compact:
    return _replace_norm(Compact(input_px, SMALL), lambda _channels: nn.Identity())


def wider(input_px: int) -> Compact:
    return Compact(input_px, Design(channels=(48, 96, 192), depth=(0, 1, 1)))


def deeper(input_px: int) -> Compact:
    return Compact(input_px, Design(channels=(32, 64, 128), depth=(0, 2, 2)))


VARIANTS: dict[str, Callable[[int], Compact]] = {
    build.__name__: build
    for build in (two_views, pyramid, one_view, stem_of_stride_4, group_norm, no_norm, wider, deeper)
}


def main() -> None:
    args = arguments()
    designs = args.designs.split(",")
    register([name for name in designs if name in VARIANTS])
    folder = Path(tempfile.mkdtemp(prefix="compact-search-"))
    patches = [int(px) for px in args.patches.split(",")]
    jobs = [(px, name, data) for px, data in each_patch(args, patches) for name in designs]
    fastest = {(px, name): np.inf for px, name, _ in jobs}
    for _ in range(args.rounds):
        for px, name, data in jobs:
            fastest[px, name] = min(fastest[px, name], seconds_a_step(make(name, px, data), data, args))
    print("| patch px | design | parameters | MFLOPs | images/s | steps | validation score |")
    print("|---|---|---|---|---|---|---|")
    for px, name, data in jobs:
        steps = max(int(args.seconds / fastest[px, name]), 2)
        predictor = make(name, px, data)
        score = trained_score(predictor, data, args, steps, folder / f"{px}-{name}")
        size = f"{count_parameters(predictor.encoder):,} | {count_flops(predictor, px) / 1e6:.0f}"
        speed = f"{args.batch_size / fastest[px, name]:,.0f} | {steps}"
        print(f"| {px} | {name} | {size} | {speed} | {score:.4f} |", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a dataset.yaml")
    parser.add_argument(
        "--designs", default=",".join(VARIANTS), help="these, or names of registered encoders"
    )
    parser.add_argument("--patches", default="16,32,64,128,224", help="widths in slide pixels")
    parser.add_argument("--seconds", type=float, default=60.0, help="training time of each trial")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of timing")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    parser.add_argument("--stain-jitter", type=float, default=0.05)
    parser.add_argument("--buffer-um", type=float, default=460.0)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def register(names: list[str]) -> None:
    for name in names:

        @encoders.register(name)
        def build(
            input_px: int,
            pretrained: bool,
            checkpoint: Path | None,
            *,
            _build: Callable[[int], Compact] = VARIANTS[name],
        ) -> Encoder:
            return _build(input_px)


def each_patch(args: argparse.Namespace, widths_px: list[int]) -> Iterator[tuple[int, TrainData]]:
    """Yield the training and validation side of the first fold of spatial blocks, cut at each width."""
    samples = open_dataset(read_dataset(args.dataset)).samples
    um = [sample.um_per_px for sample in samples]
    split = SplitConfig(
        by="blocks", folds=4, run_folds=(0,), buffer_um=args.buffer_um, within_section=True, seed=args.seed
    )
    (fold,) = make_folds(samples, split, largest_patch_um=max(widths_px) * max(um))
    panel = fit_panel(samples, fold, PanelConfig(genes="all"))
    sides = {side: gather(samples, fold, side) for side in (TRAIN, VALIDATION)}
    y = {side: targets(samples, chosen, panel) for side, chosen in sides.items()}
    for px in widths_px:
        patch = resolve_patch(PatchConfig(patch_px=px), um)
        reader = PatchReader([sample.slide for sample in samples], patch)
        yield px, TrainData(reader, sides[TRAIN], y[TRAIN], sides[VALIDATION], y[VALIDATION])


def make(name: str, px: int, data: TrainData) -> Predictor:
    return build_predictor(
        ModelConfig(encoder=name),
        input_px=px,
        train_mean=data.train_y.mean(axis=0),
        train_std=np.maximum(data.train_y.std(axis=0), 1e-3),
        seed=0,
    ).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def config_of(args: argparse.Namespace, steps: int) -> TrainConfig:
    return TrainConfig(
        budget=Budget(steps=steps),
        batch_size=args.batch_size,
        learning_rates=(args.learning_rate,),
        augment=AugmentConfig(stain_jitter=args.stain_jitter),
        validations=1,
    )


def seconds_a_step(predictor: Predictor, data: TrainData, args: argparse.Namespace, steps: int = 6) -> float:
    """Return the quickest step: loader, forward, backward, one after the other."""
    loader = BatchLoader(data, config_of(args, steps), args.seed, torch.device("cpu"))
    fabric = make_fabric(device="cpu")
    model, optimizer = fabric.setup(predictor, torch.optim.AdamW(predictor.parameters()))
    taken = []
    for step in range(steps):
        began = time.perf_counter()
        x, y = loader.batch(step)
        fabric.backward((model(x) - predictor.standardise(y)).square().mean())
        optimizer.step()
        optimizer.zero_grad()
        taken.append(time.perf_counter() - began)
    return min(taken)


def trained_score(
    predictor: Predictor, data: TrainData, args: argparse.Namespace, steps: int, folder: Path
) -> float:
    """Return the validation score after the last step: mean over genes of the Pearson correlation."""
    folder.mkdir()
    fabric = make_fabric(device="cpu")
    return train(
        predictor, data, config_of(args, steps), folder=folder, seed=args.seed, fabric=fabric
    ).validation_score


def _views(encoder: Compact, widths: tuple[int, ...], grid: int) -> Compact:
    encoder.widths, encoder.grid = widths, grid
    encoder.whole_dim = encoder.centre_dim * len(widths)
    return encoder


def _replace_norm(encoder: Compact, norm: Callable[[int], nn.Module]) -> Compact:
    for module in list(encoder.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, norm(child.num_features))
    return encoder


if __name__ == "__main__":
    main()

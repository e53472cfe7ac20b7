"""Does the learning rate that wins its trial also win the whole training?

Every rate is tried as in a bench (a short schedule of its own) and also trained to the end, from the same
weights.  The race is right when the rate that wins its trial ends no lower than the others.  Scores are of
the validation side; the test side is never read.

    python benchmarks/race.py examples/kidney.yaml --encoders compact_s resnet18 --patch-px 32 --seconds 150
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from prestige.config import BenchConfig, read_bench
from prestige.data.dataset import open_dataset
from prestige.data.patches import PatchConfig, PatchReader, resolve_patch
from prestige.data.spec import read_dataset
from prestige.data.split import make_folds
from prestige.fold import FoldData, prepare_fold
from prestige.models.predictor import Predictor, build_predictor
from prestige.models.settings import ModelConfig
from prestige.schedule import Budget, TrainConfig
from prestige.train import TrainData, make_fabric, train

RATES = (1e-3, 2e-3, 4e-3, 8e-3)


@dataclass(frozen=True, eq=False)
class Bench:
    """One fold of a bench, opened."""

    config: BenchConfig
    slides: list
    um_per_px: list[float]
    data: FoldData

    def train_data(self, patch_px: int) -> tuple[TrainData, int]:
        patch = resolve_patch(PatchConfig(patch_px=patch_px), self.um_per_px)
        reader = PatchReader(self.slides, patch, threads=1)
        data = self.data
        return (
            TrainData(reader, data.train, data.train_y, data.validation, data.validation_y),
            patch.input_px,
        )


def open_bench(path: Path) -> Bench:
    config = read_bench(path)
    dataset = open_dataset(read_dataset(config.dataset))
    um_per_px = [sample.um_per_px for sample in dataset.samples]
    largest = max(resolve_patch(patch, um_per_px).patch_um for patch in config.patches)
    fold = make_folds(dataset.samples, config.split, largest_patch_um=largest)[0]
    slides = [sample.slide for sample in dataset.samples]
    return Bench(config, slides, um_per_px, prepare_fold(dataset, fold, config))


def trace(bench: Bench, encoder: str, patch_px: int, seconds: float, observations: int) -> pd.DataFrame:
    """Train every rate to the end; return its scores where the trial ends and at the end."""
    data, input_px = bench.train_data(patch_px)
    fabric = make_fabric("auto", "cpu")
    config = TrainConfig(
        budget=Budget(minutes=0.1), learning_rates=RATES[:1], validation_observations=observations
    )
    with tempfile.TemporaryDirectory() as folder:
        timed = train(
            fresh(bench, encoder, input_px), data, config, folder=Path(folder), seed=0, fabric=fabric
        )
    steps = round(seconds / (timed.plan.seconds_per_step or 1.0))
    lengths = {"trial": max(round(steps * config.race_share), 1), "end": steps}
    rows = []
    for rate in RATES:
        row: dict[str, Any] = {"encoder": encoder, "patch_px": patch_px, "rate": rate}
        for name, length in lengths.items():
            alone = config.model_copy(
                update={"budget": Budget(steps=length), "validations": 1, "learning_rates": (rate,)}
            )
            predictor = fresh(bench, encoder, input_px)
            with tempfile.TemporaryDirectory() as folder:
                result = train(predictor, data, alone, folder=Path(folder), seed=0, fabric=fabric)
            row |= {f"{name}_steps": length, name: result.validation_score}
        rows.append(row)
    return pd.DataFrame(rows)


def fresh(bench: Bench, encoder: str, input_px: int) -> Predictor:
    panel = bench.data.panel
    return build_predictor(
        ModelConfig(encoder=encoder),
        input_px=input_px,
        train_mean=panel.train_mean,
        train_std=panel.train_std,
        seed=0,
    )


def verdict(traced: pd.DataFrame) -> str:
    """Return which rate the race chooses, and what that costs against the best one at the end."""
    won, best = traced.loc[traced["trial"].idxmax()], traced.loc[traced["end"].idxmax()]
    return (
        f"the race chooses {won['rate']:g}, which ends {best['end'] - won['end']:.4f} below the best "
        f"({best['rate']:g})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--encoders", nargs="+", default=["compact_s", "resnet18"])
    parser.add_argument("--patch-px", nargs="+", type=int, default=[32, 64])
    parser.add_argument("--seconds", type=float, default=150, help="of one whole training")
    parser.add_argument("--observations", type=int, default=1024, help="of each validation")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    bench = open_bench(asked.bench)
    for encoder in asked.encoders:
        for patch_px in asked.patch_px:
            traced = trace(bench, encoder, patch_px, asked.seconds, asked.observations)
            print(traced.to_string(index=False, float_format="{:.4g}".format), flush=True)
            print(f"{encoder}, {patch_px} px: {verdict(traced)}\n", flush=True)


if __name__ == "__main__":
    main()

"""Does the learning rate that wins its trial also win the whole training?

Every rate is tried as in a bench (a short schedule of its own) and also trained to the end, from the same
weights.  The trials are right when the rate that wins its trial ends no lower than the others.  Scores are of
the validation side; the test side is never read.

    python benchmarks/lr_trials.py examples/kidney.yaml --encoders resnet18 --patch-px 32 --seconds 150
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from opened import Bench, open_bench

from prestige.compute.devices import make_fabric
from prestige.training.loop import train
from prestige.training.schedule import Budget, TrainConfig

RATES = (1e-3, 2e-3, 4e-3, 8e-3)


def trace(bench: Bench, encoder: str, patch_px: int, seconds: float, observations: int) -> pd.DataFrame:
    """Train every rate to the end; return its scores where the trial ends and at the end."""
    data, input_px = bench.train_data(patch_px)
    fabric = make_fabric("auto", "cpu")
    config = TrainConfig(
        budget=Budget(minutes=0.1), learning_rates=RATES[:1], validation_observations=observations
    )
    with tempfile.TemporaryDirectory() as folder:
        timed = train(
            bench.fresh(encoder, input_px), data, config, folder=Path(folder), seed=0, fabric=fabric
        )
    steps = round(seconds / (timed.plan.seconds_per_step or 1.0))
    lengths = {"trial": max(round(steps * config.lr_trial_share), 1), "end": steps}
    rows = []
    for rate in RATES:
        row: dict[str, Any] = {"encoder": encoder, "patch_px": patch_px, "rate": rate}
        for name, length in lengths.items():
            alone = config.model_copy(
                update={"budget": Budget(steps=length), "validations": 1, "learning_rates": (rate,)}
            )
            predictor = bench.fresh(encoder, input_px)
            with tempfile.TemporaryDirectory() as folder:
                result = train(predictor, data, alone, folder=Path(folder), seed=0, fabric=fabric)
            row |= {f"{name}_steps": length, name: result.validation_score}
        rows.append(row)
    return pd.DataFrame(rows)


def verdict(traced: pd.DataFrame) -> str:
    """Return which rate the trials choose, and what that costs against the best one at the end."""
    won, best = traced.loc[traced["trial"].idxmax()], traced.loc[traced["end"].idxmax()]
    return (
        f"the trials choose {won['rate']:g}, which ends {best['end'] - won['end']:.4f} below the best "
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

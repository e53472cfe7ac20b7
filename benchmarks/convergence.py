"""The study to convergence: a page from a finished bench of `benchmarks/convergence.yaml`.

python benchmarks/convergence.py out/convergence --write docs/results/convergence.md
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import pandas as pd

import prestige
from prestige.analysis.analyse import Analysis

HEAD = """# The study to convergence

Written by `python benchmarks/convergence.py {folder} --write {page}`
from a bench of `benchmarks/convergence.yaml`; do not edit by hand.

Each network trains from scratch until its validation score has not risen for {patience} validations of
{every} steps, then its learning rate decays; at most {steps:,} steps. One seed, {device}:
{jobs}.
The score is the mean per-gene Pearson correlation on the test side, with a 95 % confidence interval
from resampled blocks of tissue. *tied*: in the confidence set of the best.
"""


def page(folder: Path, target: Path, jobs: int) -> str:
    """Return the page of a bench."""
    analysis = prestige.analyse(folder)
    trained = [run.manifest for run in analysis.bench.runs if run.manifest.budget.kind == "convergence"]
    train = analysis.bench.record.train
    most, validations = int(train["budget"]["steps"]), int(train["validations"])
    devices = sorted({str(manifest.hardware.device) for manifest in trained})
    head = HEAD.format(
        folder=folder,
        page=target,
        patience=train["budget"]["patience"],
        every=math.ceil(most / validations),
        steps=most,
        device=" and ".join(devices),
        jobs=f"{jobs} trainings side by side, so seconds are those of a shared GPU"
        if jobs > 1
        else "one training at a time",
    )
    return "\n".join([head, _answer(analysis), "", *_scores(analysis), "", *_effects(analysis), ""])


def _answer(analysis: Analysis) -> str:
    leading, advice = analysis.leading, analysis.recommendation
    if leading is None or advice is None:
        return "Nothing is finished."
    best = f"Best: **{leading.best.label}**, {leading.score:.3f}."
    if advice.chosen is not None:
        within = f"the cheapest shown to lie within {advice.margin:g} of it"
        best += f" Recommended, {within}: **{advice.chosen.label}**."
    steps = [run.manifest.steps for run in analysis.bench.runs if run.manifest.steps]
    early = (
        f"{steps.count(min(steps))} of {len(steps)} networks stopped at {min(steps):,} steps, the earliest "
        "possible: a plateau of so few steps may not be the last. [frontier.md](frontier.md) has longer "
        "trainings, with a narrower buffer."
    )
    missing = f"{len(analysis.bench.missing)} runs were not finished and have no row."
    return "\n\n".join([best, early, *([missing] if analysis.bench.missing else [])])


def _scores(analysis: Analysis) -> list[str]:
    rows = [
        "| network | patch, um | parameters | steps | seconds | Pearson | 95 % | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in analysis.table().to_dict("records"):
        place = "best" if row["best"] else "tied" if row["tied"] is True else ""
        steps = "" if pd.isna(row["steps"]) else f"{row['steps']:,.0f}"
        interval = f"{row['pearson_low']:.3f} to {row['pearson_high']:.3f}"
        patch = "none" if row["encoder"] == "baseline:mean" else f"{row['patch_um']:.0f}"
        cells = [row["encoder"], patch, f"{row['parameters']:,.0f}", steps, f"{row['train_seconds']:.0f}"]
        rows.append("| " + " | ".join([*cells, f"{row['pearson']:.3f}", interval, place]) + " |")
    return rows


def _effects(analysis: Analysis) -> list[str]:
    rows = ["| effect on the score | estimate | 95 %, all at once |", "|---|---|---|"]
    for row in analysis.effects().to_dict("records"):
        if not pd.isna(row["estimate"]):
            rows.append(
                f"| {row['effect']} | {row['estimate']:+.4f} | {row['low']:+.4f} to {row['high']:+.4f} |"
            )
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path, required=True, metavar="PAGE.md")
    parser.add_argument("--jobs", type=int, default=1, help="how many trainings shared the GPU")
    given = parser.parse_args()
    given.write.write_text(page(given.folder, given.write, given.jobs), encoding="utf-8")

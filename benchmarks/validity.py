"""The benchmark itself on trial: phantoms whose answer is known, and what the bench says of them.

Each row plants one thing (a radius, no signal, a stain shift, ...) in phantoms of several seeds, runs the
bench on them and counts how often it says the right thing.  What a seed gave is kept in `--out`, so a row can
be done in parts and by several processes; `--write` adds it to what `validity.json` keeps of earlier ones,
which are not done again, and writes the page.

    python benchmarks/validity.py radii null own stain stain_far shuffled parameters --out out/validity
    python benchmarks/validity.py --write docs/validity.md --out out/validity
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from validity_kept import joined, read, seeds_of, write
from validity_rules import null_passed, own_passed, parameters_passed

from prestige.analysis.advice import advise
from prestige.analysis.effects import WIDTH
from prestige.analysis.summary import summarise
from prestige.config import BenchConfig, RunConfig
from prestige.data.dataset import Dataset, open_dataset, read_dataset
from prestige.data.fold import FoldData, prepare_fold
from prestige.data.patches.reader import resolve_patch
from prestige.data.phantom import PhantomConfig, write_phantom
from prestige.data.phantom.write import read_truth
from prestige.data.split.folds import TEST, Fold, make_folds
from prestige.models.compact import Compact, Design
from prestige.models.encoder import encoders
from prestige.records.bench import BenchRecord, EvaluationRecord, FoldRecord, RunEntry, TruthRecord
from prestige.records.configuration import MEAN_BASELINE
from prestige.records.folders import BenchFolder, load_bench
from prestige.report import write_report
from prestige.runs.record import correlation_of
from prestige.runs.run import execute
from prestige.settings import build
from prestige.stats.compare import compare
from prestige.stats.moments import Moments

RECOMMENDATION_MARGIN = 0.01
"""What the report gives up for a cheaper configuration, unless it is told otherwise."""

ORACLE_SLACK = 0.01
"""A neighbour of the right width counts as right where their oracles differ from the margin by no more."""

RADII_UM = (10, 12, 16, 20, 24, 32, 40, 50, 60, 75, 90, 120)
WIDTHS_UM = (16.0, 32.0, 64.0, 96.0, 128.0, 192.0, 256.0)


@encoders.register("compact_xs_twice")
def _twice(input_px: int, pretrained: bool, checkpoint: Path | None) -> Compact:
    """Twice the weights of compact_xs: every width times the square root of two."""
    return Compact(input_px, Design(channels=(45, 68, 113), depth=(0, 1, 1)))


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """A phantom opened under the settings of a bench."""

    config: BenchConfig
    data: FoldData
    largest_um: float
    folder: Path

    def run(self, run: RunConfig, name: str, data: FoldData | None = None) -> Path:
        folder = self.folder / name
        execute(run, data or self.data, folder, device="cpu")
        return folder

    def all_runs(self) -> dict[tuple[str, float, int], Path]:
        """Do every run of the grid; return its folder by encoder, patch width in um and seed."""
        folders = {}
        for number, run in enumerate(self.config.runs([self.data.fold.index], self.largest_um)):
            folder = self.run(run, f"runs/{number}")
            folders[run.name, float(run.patch.patch_um or 0), run.seed] = folder
        return folders


def open_trial(
    folder: Path,
    phantom: PhantomConfig,
    bench: dict[str, Any],
    *,
    choose: Callable[[Dataset, list[Fold]], int] = lambda *_: 0,
) -> Trial:
    """Write the phantom and open its first fold, or the one that is chosen."""
    write_phantom(phantom, folder / "phantom")
    raw = {"name": folder.name, "dataset": str(folder / "phantom" / "dataset.yaml")} | bench
    config = build(BenchConfig, raw, where=folder.name)
    dataset = open_dataset(read_dataset(Path(raw["dataset"])), cache_dir=folder / "cache")
    um = [sample.um_per_px for sample in dataset.samples]
    largest = max(resolve_patch(patch, um).patch_um for patch in config.patches)
    folds = make_folds(dataset.samples, config.split, largest_patch_um=largest)
    return Trial(config, prepare_fold(dataset, folds[choose(dataset, folds)], config.panel), largest, folder)


def bench_of(widths: tuple[float, ...], steps: int, **changes: Any) -> dict[str, Any]:
    """Return the settings that the rows share: patients apart, one learning rate, a few hundred steps."""
    return {
        "split": {"by": "patient", "folds": 5, "run_folds": [0], "buffer_um": max(widths)},
        "patches": [{"patch_um": width} for width in widths],
        "encoders": ["compact_xs"],
        "baselines": ["mean", "ridge"],
        "train": {
            "budget": {"steps": steps},
            "batch_size": 128,
            "learning_rates": [3e-3],
            "validations": 2,
            "validation_observations": 1024,
        },
        "evaluation": {"block_um": 100},
    } | changes


def scores_of(folder: Path) -> pd.Series:
    """Return the score of each gene of a run."""
    scores = pd.read_parquet(folder / "scores.parquet")
    own = scores[(scores["level"] == "gene") & (scores["metric"] == "pearson")]
    return own.groupby("name", observed=True)["value"].mean()


def score_of(folder: Path) -> float:
    return float(scores_of(folder).fillna(0).mean())


def reported(trial: Trial, runs: Mapping[Any, Path], truth: TruthRecord | None = None) -> dict[str, Any]:
    """Return what the report of these runs answers."""
    write_record(trial, runs, truth)
    write_report(trial.folder)
    return json.loads((trial.folder / "report" / "answer.json").read_text(encoding="utf-8"))[0]


def write_record(trial: Trial, runs: Mapping[Any, Path], truth: TruthRecord | None = None) -> None:
    """Write what a bench leaves beside its runs, as far as the report's answer hangs on it."""
    fold, correlation = trial.data.fold, correlation_of(trial.data)
    record = BenchRecord(
        name=trial.config.name,
        folds=(FoldRecord(index=fold.index, name=fold.name, correlation=correlation),),
        evaluation=EvaluationRecord(block_um=trial.config.evaluation.block_um),
        truth=truth,
        runs=tuple(RunEntry(folder=str(path.relative_to(trial.folder))) for path in runs.values()),
        finished=True,
    )
    BenchFolder(trial.folder).write_record(record)


def radii(seed: int, folder: Path) -> dict[str, Any]:
    """Radii from 10 to 120 um: does the report name the smallest width whose oracle is within the margin?"""
    radius = RADII_UM[seed % len(RADII_UM)]
    phantom = PhantomConfig(
        radius_um=radius, um_per_px=1.0, size_px=1000, widths_um=WIDTHS_UM, seed=seed, patients=5
    )
    trial = open_trial(folder, phantom, bench_of(WIDTHS_UM, 500))
    runs = trial.all_runs()
    truth = read_truth(folder / "phantom") or {}
    answer = reported(trial, runs, TruthRecord.model_validate(truth))
    oracle = {float(width): value for width, value in truth["oracle"].items()}
    named, right = answer["patch_um"], truth["right_patch_um"]
    short = max(oracle.values()) - truth["margin"]
    near = named in oracle and abs(oracle[named] - short) <= ORACLE_SLACK
    widths = sorted(oracle)
    neighbour = named in widths and abs(widths.index(named) - widths.index(right)) == 1
    return {
        "radius_um": radius,
        "right": right,
        "named": named,
        "exact": named == right,
        "passed": named == right or (neighbour and near),
    }


def null(seed: int, folder: Path) -> dict[str, Any]:
    """Expression that does not depend on the image, both smooth in space: is anything claimed?

    Three of five patients are tested: tissue enough for blocks of several correlation lengths.
    """
    widths = (16.0, 32.0, 64.0)
    phantom = PhantomConfig(
        no_signal=True, um_per_px=1.0, size_px=640, widths_um=widths, seed=10_000 + seed, patients=5
    )
    settings = bench_of(widths, 80, evaluation={"block_um": 200})
    settings["split"] = settings["split"] | {"folds": 2}
    trial = open_trial(folder, phantom, settings)
    write_record(trial, trial.all_runs())
    summary = summarise(load_bench(folder))
    (group,) = summary.groups
    advised = advise(summary, group, RECOMMENDATION_MARGIN)
    chosen = None if advised is None else advised.chosen
    shown = {key: one for key, one in group.results.items() if key.encoder != MEAN_BASELINE}
    intervals = [one.interval for one in shown.values() if one.interval is not None]
    return {
        "scores": {key.label: one.score for key, one in shown.items()},
        "n_blocks": group.comparison.n_clusters,
        "block_um": None if summary.blocks is None else summary.blocks.width_um,
        "length_um": None if summary.blocks is None else summary.blocks.length_um,
        "intervals": len(intervals),
        "covering": sum(low <= 0 <= high for low, high in intervals),
        "recommended": None if chosen is None else chosen.label,
        "passed": null_passed(chosen, len(intervals), len(shown)),
    }


def own(seed: int, folder: Path) -> dict[str, Any]:
    """Only the own nucleus acts on the genes: do larger patches bring nothing?"""
    widths = (16.0, 32.0, 64.0, 128.0)
    phantom = PhantomConfig(
        own_share=0.7, neighbourhood_share=0.0, um_per_px=1.0, size_px=800, widths_um=widths, seed=seed
    )
    trial = open_trial(folder, phantom, bench_of(widths, 500))
    runs = trial.all_runs()
    scores = {key[1]: score_of(path) for key, path in runs.items() if key[0] == "compact_xs"}
    answer = reported(trial, runs)
    effect, interval, verdict = next(row[1:] for row in answer["questions"] if row[0] == WIDTH)
    return {
        "scores": {f"{width:g}": scores[width] for width in widths},
        "gain": max(scores[width] for width in widths[1:]) - scores[widths[0]],
        "named": answer["patch_um"],
        "doubled_width": {"effect": effect, "interval": interval, "verdict": verdict},
        "passed": own_passed(answer["patch_um"], widths[0], interval, verdict),
    }


def stain(seed: int, folder: Path) -> dict[str, Any]:
    """Patients stained unlike: does the score fall, and does stain jitter win a part of it back?"""
    return _stain(seed, folder, jitter=0.2, choose=lambda *_: 0)


def stain_far(seed: int, folder: Path) -> dict[str, Any]:
    """The same of the patient who is stained most unlike the others, the jitter as strong as the shift."""
    chosen: list[int] = []

    def choose(dataset: Dataset, folds: list[Fold]) -> int:
        if not chosen:
            chosen.append(_farthest(dataset, folds))
        return chosen[0]

    return _stain(seed, folder, jitter=SHIFT, choose=choose)


SHIFT = 0.35
"""Standard deviation of the logarithm of a patient's amounts of the two stains."""


def _stain(
    seed: int, folder: Path, *, jitter: float, choose: Callable[[Dataset, list[Fold]], int]
) -> dict[str, Any]:
    found: dict[tuple[float, float], float] = {}
    for shift in (SHIFT, 0.0):
        for strength in (0.0, jitter):
            settings = bench_of((32.0,), 700, baselines=[])
            settings["split"] = settings["split"] | {"run_folds": None}
            settings["train"] = settings["train"] | {"augment": {"stain_jitter": strength}}
            phantom = PhantomConfig(stain_shift=shift, widths_um=(32.0,), size_px=1000, seed=seed)
            trial = open_trial(folder / f"{shift:g}-{strength:g}", phantom, settings, choose=choose)
            found[shift, strength] = score_of(next(iter(trial.all_runs().values())))
    fallen, with_jitter = (found[0.0, strength] - found[SHIFT, strength] for strength in (0.0, jitter))
    back = found[SHIFT, jitter] - found[SHIFT, 0.0]
    return {
        "scores": {f"shift {shift:g}, jitter {strength:g}": one for (shift, strength), one in found.items()},
        "fallen": fallen,
        "fallen_with_jitter": with_jitter,
        "won_back": back,
        "passed": fallen > 0 and back > 0,
    }


def _farthest(dataset: Dataset, folds: list[Fold]) -> int:
    """Return the fold whose test patient's mean optical density is farthest from that of the others."""
    density = {
        sample.patient: -np.log((np.asarray(sample.slide.pixels).reshape(-1, 3) + 1.0) / 256.0).mean(axis=0)
        for sample in dataset.samples
    }
    middle = np.mean(list(density.values()), axis=0)
    away = {patient: float(np.abs(np.log(one / middle)).max()) for patient, one in density.items()}
    tested = [
        next(sample.patient for sample in dataset.samples if (fold.sides[sample.id] == TEST).any())
        for fold in folds
    ]
    return int(np.argmax([away[patient] for patient in tested]))


def shuffled(seed: int, folder: Path) -> dict[str, Any]:
    """One gene's values shuffled within samples: is it at chance, and are the others where they were?"""
    settings = bench_of((32.0,), 500, baselines=[], seeds=[0, 1, 2])
    phantom = PhantomConfig(widths_um=(32.0,), um_per_px=1.0, size_px=640, seed=seed)
    trial = open_trial(folder, phantom, settings)
    plain = pd.DataFrame({key[2]: scores_of(path) for key, path in trial.all_runs().items()})
    gene = str(plain.mean(axis=1).idxmax())  # the one with most to lose
    changed = _with_shuffled_gene(trial.data, list(trial.data.panel.genes).index(gene), seed)
    run = next(iter(trial.config.runs([trial.data.fold.index], trial.largest_um)))
    after = scores_of(trial.run(run, "changed", changed))
    rest = plain.drop(gene)
    spread = float(rest.std(axis=1, ddof=1).pow(2).mean() ** 0.5)
    moved = float((after.drop(gene) - rest.mean(axis=1)).mean())
    chance = 3 / np.sqrt(len(trial.data.test))
    return {
        "gene": gene,
        "before": float(np.mean(plain.loc[gene].to_numpy(float))),
        "after": float(after[gene]),
        "chance": float(chance),
        "others_moved": moved,
        "seed_spread": spread,
        "passed": bool(abs(after[gene]) <= chance and abs(moved) <= 2 * spread),
    }


def _with_shuffled_gene(data: FoldData, column: int, seed: int) -> FoldData:
    changes = {}
    for side in ("train", "validation", "test"):
        observations, y = getattr(data, side), getattr(data, f"{side}_y").copy()
        for number in np.unique(observations.slide_index):
            rows = np.flatnonzero(observations.slide_index == number)
            rng = np.random.default_rng([seed, number, column])
            y[rows, column] = y[rng.permutation(rows), column]
        changes[f"{side}_y"] = y
    return dataclasses.replace(data, **changes)


def parameters(seed: int, folder: Path) -> dict[str, Any]:
    """Twice the parameters, nothing more to find: is a gain claimed?"""
    settings = bench_of((32.0,), 900, encoders=["compact_xs", "compact_xs_twice"], baselines=["mean"])
    phantom = PhantomConfig(widths_um=(32.0,), um_per_px=1.0, size_px=640, seed=seed)
    trial = open_trial(folder, phantom, settings)
    runs = trial.all_runs()
    found = compare({key[0]: [Moments.load(path / "moments.npz")] for key, path in runs.items()})
    small, large = found.rows["compact_xs"], found.rows["compact_xs_twice"]
    claimed = found.best == "compact_xs_twice" and not small.tied and (small.gap_low or 0) > 0.01
    return {
        "compact_xs": small.score,
        "twice": large.score,
        "difference": large.score - small.score,
        "claimed": bool(claimed),
        "passed": parameters_passed(bool(claimed), small.gap_low),
    }


ROWS: dict[str, tuple[Callable[[int, Path], dict[str, Any]], int]] = {
    "radii": (radii, 20),
    "null": (null, 300),
    "own": (own, 5),
    "stain": (stain, 5),
    "stain_far": (stain_far, 5),
    "shuffled": (shuffled, 5),
    "parameters": (parameters, 10),
}


def do(row: str, seeds: Iterator[int] | range, out: Path) -> None:
    work, _ = ROWS[row]
    done = seeds_of(read().get(row, []))
    for seed in seeds:
        kept = out / row / f"{seed}.json"
        claim = kept.with_suffix(".claimed")
        kept.parent.mkdir(parents=True, exist_ok=True)
        if seed in done or kept.exists():
            continue
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            continue  # another process is at it
        folder = out / row / f"work-{seed}"
        try:
            found = work(seed, folder)
            kept.write_text(json.dumps(found, default=float), encoding="utf-8")
            print(row, seed, json.dumps(found, default=float), flush=True)
        finally:
            claim.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--out", type=Path, default=Path("out/validity"))
    parser.add_argument("--seeds", type=int, help="how many; each row has its own number")
    parser.add_argument("--write", type=Path, help="the page to write from what is done")
    asked = parser.parse_args()
    os.environ.setdefault("PRESTIGE_CACHE", str(asked.out.resolve() / "cache"))
    torch.set_num_threads(1)
    for row in asked.rows:
        do(row, range(asked.seeds or ROWS[row][1]), asked.out)
    if asked.write:
        from validity_page import page

        earlier = read()
        kept = {row: joined(earlier.get(row, []), asked.out / row) for row in ROWS}
        write(kept)
        asked.write.write_text(page(kept, {row: n for row, (_, n) in ROWS.items()}), encoding="utf-8")


if __name__ == "__main__":
    main()

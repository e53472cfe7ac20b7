"""The grid -> runs -> report.  What is done already is not done again."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from prestige.baselines.checks import why_not
from prestige.config import BenchConfig, RunConfig, read_bench, run_hash
from prestige.data.dataset import Dataset, open_dataset, read_dataset
from prestige.data.observations import positions_um
from prestige.data.patches import PatchConfig, resolve_patch
from prestige.data.split import Fold
from prestige.errors import ConfigError, DataError, StorageError, storing
from prestige.evaluate.ceilings import write_ceilings
from prestige.evaluate.gene_sets import describe_sets, sets_of_fold
from prestige.fold import FoldData, audited_folds, prepare_fold, widest_um
from prestige.genesets import collect_sets
from prestige.predictions import write_truth
from prestige.progress import clock, say
from prestige.report import write_report
from prestige.report.biology import check_biology
from prestige.run import check_names, check_runs, execute, is_done, write_whole
from prestige.staining import stain_columns
from prestige.stats import correlogram
from prestige.train import make_fabric


def run_bench(path: Path, out: Path, *, device: str = "auto") -> Path:
    """Do every run of BENCH.yaml in ``out``, then write the report; return the report's path.

    Killed at any moment and started again it goes on where it was.

    Raises
    ------
    PrestigeError
        When the settings, the data or the split are wrong; before anything is written.
    """
    config = read_bench(Path(path))
    for run in config.runs([0], 1.0):
        check_names(run)  # opening the samples may take minutes
    make_fabric(config.train.precision, device)
    collect_sets(config.genesets)
    check_biology(config.biology)
    dataset = open_dataset(read_dataset(config.dataset))
    largest = widest_um(config.patches, dataset.samples)
    _refuse_twins(config.patches, dataset, path)
    folds, audit = audited_folds(dataset.samples, config.split, largest_patch_um=largest)
    audit.settle()
    runs = list(config.runs([fold.index for fold in folds], largest))
    check_runs(runs, dataset)
    runs, skipped = _possible(runs, folds)
    out = Path(out)
    fold_data = prepare_fold(dataset, folds[0], runs[0])  # the last that can be wrong with the settings
    _claim(out, config)

    described: dict[str, Any] = {}
    began = time.monotonic()
    for number, run in enumerate(runs):
        digest = run_hash(run, dataset.fingerprint)
        folder = out / "runs" / digest
        if fold_data.fold.index != run.fold:
            fold_data = prepare_fold(dataset, next(fold for fold in folds if fold.index == run.fold), run)
        if str(run.fold) not in described:
            described[str(run.fold)] = _keep_fold(out, fold_data, config)
        if not is_done(folder):
            words = f"[{number + 1}/{len(runs)}] {run.encoder}, {_patch_words(run)}, fold {run.fold}"
            say(f"{words}, seed {run.seed}  ({clock(time.monotonic() - began)} so far)")
            execute(run, fold_data, folder, device=device)
        done = [{"folder": f"runs/{run_hash(r, dataset.fingerprint)}"} for r in runs[: number + 1]]
        told: dict[str, Any] = {"audit": audit.to_json(), "skipped": skipped}
        _write_summary(out, config, dataset, described, done, told=told, finished=number + 1 == len(runs))
    return write_report(out)


def _possible(
    runs: Sequence[RunConfig], folds: Sequence[Fold]
) -> tuple[list[RunConfig], list[dict[str, Any]]]:
    """Return the runs that have a meaning, and which have none and why; the latter are told."""
    by_index = {fold.index: fold for fold in folds}
    possible, skipped = [], []
    for run in runs:
        reason = why_not(run.baseline, by_index[run.fold])
        if reason is None:
            possible.append(run)
        else:
            assert run.baseline is not None
            skipped.append({"name": run.baseline.label, "fold": run.fold, "reason": reason})
            say(f"left out: {run.encoder}, fold {run.fold}: {reason}")
    return possible, skipped


def _refuse_twins(configs: Sequence[PatchConfig], dataset: Dataset, path: Path) -> None:
    """Refuse patches that are written in two ways and are one: their runs would pass for seeds."""
    um_per_px = [sample.um_per_px for sample in dataset.samples]
    patches = [resolve_patch(config, um_per_px) for config in configs]
    for number, patch in enumerate(patches):
        if patch in patches[:number]:
            raise ConfigError(
                f"a patch of {patch.patch_um:g} um ({patch.input_px} px) stands twice in the grid",
                where=path,
                remedy="take one of the two out",
            )


def _keep_fold(out: Path, data: FoldData, config: BenchConfig) -> dict[str, Any]:
    """Write what belongs to a fold and to no run; return what the report reads of it in bench.json."""
    described = _describe_fold(data, config)
    _keep_truth(out / "truth" / f"fold-{data.fold.index}", data, config.evaluation.block_um)
    _keep_sides(out / "split" / f"fold-{data.fold.index}.parquet", data)
    return described


def _keep_truth(folder: Path, data: FoldData, block_um: float) -> None:
    """Write the test side's counts and ceilings, all or none; anew, since the split may be another one."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        stains = stain_columns(data.test, data.dataset.samples)
        write_truth(partial, data.test, data.dataset.samples, columns=stains)
        write_ceilings(partial, data.test, data.dataset.samples, data.panel, block_um=block_um)
        with storing(folder):
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _keep_sides(path: Path, data: FoldData) -> None:
    """Write which observation is on which side: what the report's map of the split is drawn from."""
    table = data.fold.table(data.dataset.samples)
    partial = path.with_suffix(".partial")
    try:
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            table.to_parquet(partial, index=False)
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _patch_words(run: RunConfig) -> str:
    if run.baseline is not None and not run.baseline.entry.reads_patches:
        return "no patch"
    patch = run.patch
    return f"patch {patch.patch_px} px" if patch.patch_px is not None else f"patch {patch.patch_um:g} um"


def _describe_fold(data: FoldData, config: BenchConfig) -> dict[str, Any]:
    sets = sets_of_fold(config.genesets, data.dataset.samples, data.panel, data.train, data.train_y)
    return {
        "index": data.fold.index,
        "name": data.fold.name,
        "counts": {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
        "dropped": dict(data.fold.dropped),
        "notes": [*data.fold.notes, *data.panel.notes],
        "genes": list(data.panel.genes),
        "gene_sets": describe_sets(sets),
        "correlation": _correlation(data),
    }


def _correlation(data: FoldData) -> dict[str, float | None]:
    """Measure how far apart the test side's expression is still alike: blocks have to be wider than that."""
    xy_um = positions_um(data.dataset.samples, data.test)
    try:
        found = correlogram(xy_um, data.test_y, sample_of=data.test.slide_index)
    except DataError:  # too few observations, or none that varies
        return {"length_um": None, "structured": None}
    length = found.length_um if math.isfinite(found.length_um) else None
    return {"length_um": length, "structured": found.structured, "longest_um": found.longest_um}


def _write_summary(
    out: Path,
    config: BenchConfig,
    dataset: Dataset,
    folds: dict[str, Any],
    runs: Sequence[dict[str, str]],
    *,
    told: dict[str, Any],
    finished: bool,
) -> None:
    """Write bench.json: what the report reads beside the run folders."""
    common = set.intersection(*(set(fold["genes"]) for fold in folds.values()))
    raw = {
        "schema": "prestige.bench/1",
        "name": config.name,
        "dataset": {
            "name": dataset.name,
            "samples": [
                {
                    "id": sample.id,
                    "patient": sample.patient,
                    "source": sample.source,
                    "covariates": dict(sample.covariates),
                    "n_obs": sample.n_obs,
                    "n_measured": int(sample.obs["measured"].sum()),
                    "um_per_px": sample.um_per_px,
                    "um_per_px_assumed": sample.slide.um_per_px_assumed,
                    "width_px": sample.slide.width_px,
                    "height_px": sample.slide.height_px,
                    "notes": list(sample.notes),
                }
                for sample in dataset.samples
            ],
        },
        "split": config.split.model_dump(mode="json"),
        "folds": [{key: value for key, value in fold.items() if key != "genes"} for fold in folds.values()],
        **told,
        "panel": {"config": _panel_words(config), "n_genes_common": len(common)},
        "evaluation": config.evaluation.model_dump(mode="json"),
        "train": config.train.model_dump(mode="json"),
        "truth": _phantom_truth(config.dataset),
        "runs": list(runs),
        "finished": finished,
    }
    write_whole(out / "bench.json", json.dumps(raw, indent=1))


def _panel_words(config: BenchConfig) -> dict[str, Any]:
    raw = config.panel.model_dump(mode="json")
    if isinstance(config.panel.genes, Path):
        raw["genes"] = f"the list {config.panel.genes.name}"
    return raw


def _phantom_truth(dataset: Path) -> dict[str, Any] | None:
    """Return the known answer that lies beside a phantom's dataset, if this is one."""
    truth = dataset.parent / "truth.json"
    if not truth.exists():
        return None
    raw = json.loads(truth.read_text(encoding="utf-8"))
    return {key: raw[key] for key in ("radius_um", "margin", "oracle", "right_patch_um") if key in raw}


def _claim(out: Path, config: BenchConfig) -> None:
    """Make the folder this bench's own."""
    settings = out / "bench.yaml"
    text = yaml.safe_dump(config.model_dump(mode="json", exclude_none=True), sort_keys=False)
    if settings.exists() or not out.exists() or not any(out.iterdir()):
        with storing(settings):
            out.mkdir(parents=True, exist_ok=True)
        write_whole(settings, text)
        return
    raise StorageError("the folder is not empty and holds no bench", where=out, remedy="give another folder")

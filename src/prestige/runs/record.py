"""What a bench says of itself beside its runs: ``bench.json``, from which the report is made."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prestige.config import BenchConfig, RunConfig
from prestige.data.dataset import Dataset
from prestige.data.fold import FoldData
from prestige.data.observations import positions_um
from prestige.data.split.audit import Audit
from prestige.data.split.folds import Fold
from prestige.errors import DataError
from prestige.runs.gene_sets import describe_sets, sets_of_fold
from prestige.runs.run import write_whole
from prestige.stats import correlogram


@dataclass(frozen=True, eq=False)
class Grid:
    """What a bench asks for, opened and checked: the runs that have a meaning, and what they share."""

    dataset: Dataset
    folds: list[Fold]
    audit: Audit
    runs: list[RunConfig]
    skipped: list[dict[str, Any]]


def write_record(
    out: Path, config: BenchConfig, grid: Grid, folds: dict[str, Any], runs: Sequence[dict[str, str]]
) -> None:
    """Write bench.json.

    Parameters
    ----------
    folds
        What :func:`describe_fold` returns, for each fold that a run is of.
    runs
        ``{"folder": ...}`` of each run that is done.
    """
    dataset = grid.dataset
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
        "audit": grid.audit.to_json(),
        "skipped": grid.skipped,
        "panel": {"config": _panel_words(config), "n_genes_common": len(common)},
        "evaluation": config.evaluation.model_dump(mode="json"),
        "train": config.train.model_dump(mode="json"),
        "truth": _phantom_truth(config.dataset),
        "runs": list(runs),
        "finished": len(runs) == len(grid.runs),
    }
    write_whole(out / "bench.json", json.dumps(raw, indent=1))


def describe_fold(data: FoldData, config: BenchConfig) -> dict[str, Any]:
    """Return what the record says of a fold, its panel's genes included."""
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

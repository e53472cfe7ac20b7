"""One small run on the small sections: what the tests of runs, outcomes and folds begin with."""

from __future__ import annotations

from pathlib import Path

from prestige.config import RunConfig
from prestige.data.dataset import Dataset
from prestige.data.fold import FoldData, prepare_fold
from prestige.data.split.folds import make_folds
from prestige.runs.run import execute

RUN = {
    "dataset": "dataset.yaml",
    "split": {"by": "patient", "folds": 4, "buffer_um": 16},
    "patch": {"patch_px": 16},
    "model": {"encoder": "compact_xs"},
    "train": {
        "budget": {"steps": 30},
        "batch_size": 32,
        "learning_rates": [1e-3, 4e-3],
        "validations": 3,
        "precision": "32-true",
        "checkpoint_seconds": 1e-6,
    },
    "evaluation": {"block_um": 20},
    "largest_patch_um": 8.0,
}


def settings(**changes) -> RunConfig:
    return RunConfig.model_validate(RUN | changes)


def prepared(dataset: Dataset, config: RunConfig) -> FoldData:
    folds = make_folds(dataset.samples, config.split, largest_patch_um=8.0)
    return prepare_fold(dataset, folds[config.fold], config.panel)


def go(dataset: Dataset, folder: Path, **changes) -> Path:
    config = settings(**changes)
    return execute(config, prepared(dataset, config), folder, device="cpu")

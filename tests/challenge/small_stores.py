"""A folder of small stores of the challenge, and a model whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..data.conftest import GENES, Store

CELLS = [7, 3, 11, 5]


def write_stores(folder: Path, names: tuple[str, ...] = ("UC1_I", "UC1_NI", "DC1")) -> Path:
    """Write stores of four cells: 3 and 7 train, 11 validation, 5 test; DC1 has no expression."""
    for number, name in enumerate(names):
        groups = ["train", "train", "validation", "test"] if number == 1 else [0, 0, 1, 2]
        cells = pd.DataFrame({"cell_id": CELLS, "group": groups}, index=list("7352"))
        image = np.random.default_rng(number).integers(1, 255, (40, 60, 3), dtype=np.uint8)
        path = replace(Store(), cells=cells, image=image).write(folder / f"{name}.zarr", 2 + number % 2)
        if name == "DC1":
            for part in sorted((path / "tables" / "anucleus").rglob("*"), reverse=True):
                part.rmdir() if part.is_dir() else part.unlink()
            (path / "tables" / "anucleus").rmdir()
    return folder


def write_model(
    folder: Path, means: tuple[float, ...], genes: tuple[str, ...] = GENES, total: float = 100.0
) -> Path:
    """Write a model that predicts the same for every cell: an untrained network gives the training means."""
    from prestige.data.panel import Panel
    from prestige.data.patches.reader import Patch
    from prestige.models.predictor import build_predictor
    from prestige.models.settings import ModelConfig
    from prestige.prediction.bundle import write_bundle

    config = ModelConfig(encoder="compact_xs")
    mean, std = np.array(means), np.full(len(means), 0.5)
    predictor = build_predictor(config, input_px=16, train_mean=mean, train_std=std, seed=0)
    panel = Panel(genes, total, mean, std)
    write_bundle(folder, predictor, model=config, panel=panel, patch=Patch(8.0, 16), extra={})
    return folder

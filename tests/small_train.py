"""Small trainings that several files of tests make."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from prestige.compute.devices import make_fabric
from prestige.data.observations import Observations, targets
from prestige.data.panel import Panel
from prestige.data.patches.reader import Patch, PatchReader
from prestige.models.predictor import Predictor, build_predictor
from prestige.models.settings import ModelConfig
from prestige.training.batches import TrainData
from prestige.training.loop import Job, TrainResult, train
from prestige.training.schedule import TrainConfig


def observations(samples, numbers) -> Observations:
    parts = [(number, np.flatnonzero(samples[number].measured)) for number in numbers]
    return Observations(
        np.concatenate([np.full(len(rows), number) for number, rows in parts]),
        np.concatenate([rows for _, rows in parts]),
        np.concatenate([samples[number].xy_px[rows] for number, rows in parts]),
    )


def train_data(samples) -> TrainData:
    """Three sections to train on, one to validate on."""
    panel = Panel(samples[0].genes, 100.0, np.zeros(4), np.ones(4))
    reader = PatchReader([sample.slide for sample in samples], Patch(8.0, 16))
    training, validation = observations(samples, (0, 1, 2)), observations(samples, (3,))
    return TrainData(
        reader,
        training,
        targets(samples, training, panel),
        validation,
        targets(samples, validation, panel),
    )


def fresh(data: TrainData, seed: int = 0) -> Predictor:
    return build_predictor(
        ModelConfig(encoder="compact_xs"),
        input_px=16,
        train_mean=data.train_y.mean(axis=0).astype(float),
        train_std=data.train_y.std(axis=0).astype(float),
        seed=seed,
    )


def settings(**changes) -> TrainConfig:
    raw = {
        "budget": {"steps": 24},
        "batch_size": 32,
        "learning_rates": [1e-3, 4e-3],
        "lr_trial_share": 0.2,
        "validations": 3,
        "precision": "32-true",
        "checkpoint_seconds": 1e-6,
    }
    return TrainConfig.model_validate(raw | changes)


def go(
    data: TrainData, folder: Path, config: TrainConfig, seed: int = 0, device: str = "cpu"
) -> tuple[Predictor, TrainResult]:
    predictor, fabric = fresh(data), make_fabric("32-true", device)
    result = train(predictor, data, config, folder=folder, seed=seed, fabric=fabric)
    return predictor, result


def weights(predictor: Predictor) -> torch.Tensor:
    return torch.cat([tensor.flatten().float() for tensor in predictor.state_dict().values()])


def without_seconds(result: TrainResult) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in result.history]


@contextmanager
def killed(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[None]:
    """Kill the training within, as an interrupt would, once it has taken that many steps."""
    taken, step = 0, Job.step

    def dying(self, x, y):
        nonlocal taken
        if taken == after:
            raise KeyboardInterrupt
        taken += 1
        return step(self, x, y)

    with monkeypatch.context() as patch:
        patch.setattr(Job, "step", dying)
        with pytest.raises(KeyboardInterrupt):
            yield

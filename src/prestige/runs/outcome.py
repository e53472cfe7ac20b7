"""What one configuration gives on one fold: a network trained, or a baseline fitted, and its predictions."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from prestige.baselines.fitted import FittedBaseline, TrainingSide, fit_baseline
from prestige.baselines.settings import BaselineConfig
from prestige.baselines.shuffled import shuffle_within
from prestige.compute.devices import make_fabric, precision_on
from prestige.config import RunConfig
from prestige.data.fold import FoldData
from prestige.data.observations import Observations, positions_um
from prestige.data.patches.on_device import on_device
from prestige.data.patches.reader import Patch, PatchReader, window_inside
from prestige.data.sample import Sample
from prestige.models.predictor import Predictor, build_predictor, count_flops, count_parameters
from prestige.models.settings import ModelConfig
from prestige.prediction.bundle import write_bundle
from prestige.prediction.infer import predict_observations
from prestige.records.run import RunFolder
from prestige.stats.moments import spatial_blocks
from prestige.training.batches import TrainData
from prestige.training.loop import TrainResult, train, validation_score
from prestige.training.schedule import Plan, TrainConfig, plan_steps


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a predictor of any kind leaves behind for the manifest and the scores.

    Attributes
    ----------
    prediction
        (t, g) expression of the test side on the log1p scale.
    predict
        Observations -> the same of them.
    parameters, flops
        What was trained or fitted, and the operations of one prediction; None where none are counted.
    seconds
        Each part of the work -> how long it took.
    facts
        What the manifest says of this kind of predictor alone.
    history
        A row for each validation of a training.
    device
        What it was computed on.
    """

    prediction: Float[np.ndarray, "t g"]
    predict: Callable[[Observations], np.ndarray]
    parameters: int
    flops: int | None
    seconds: dict[str, float]
    facts: dict[str, Any]
    history: tuple[dict[str, Any], ...] = ()
    device: str = "cpu"


def outcome_of(
    config: RunConfig, data: FoldData, patch: Patch, folder: Path, *, device: str = "auto"
) -> Outcome:
    """Train or fit what the configuration names, and predict the test side with it.

    Parameters
    ----------
    config, data
        The configuration, and the fold that it runs on.
    patch
        Its patch on these samples.
    folder
        Where the checkpoints of a training are kept (one found there is gone on from), and its model.
    device
        Where a network computes: "auto", "cpu", "cuda", ...

    Raises
    ------
    PrestigeError
        When the training diverges, the data do not suffice, or something cannot be written.
    """
    reader = PatchReader([sample.slide for sample in data.dataset.samples], patch)
    fitted = config.baseline is not None and config.baseline.entry.fitted is not None
    work = _of_baseline if fitted else _of_model
    return work(config, data, reader, patch, folder, device)


def _of_model(
    config: RunConfig, data: FoldData, reader: PatchReader, patch: Patch, folder: Path, device: str
) -> Outcome:
    model = config.network
    assert model is not None
    assert config.train is not None
    facts: dict[str, Any] = {}
    if config.baseline is not None:
        facts["notes"] = [json.dumps({"baseline": config.baseline.label, "why": config.baseline.entry.why})]
        shuffled = shuffle_within(data.train_y, data.train.slide_index, seed=config.seed)
        data = replace(data, train_y=shuffled)
    fabric = make_fabric(config.train.precision, device)
    predictor = build_predictor(
        model,
        input_px=patch.input_px,
        train_mean=data.panel.train_mean,
        train_std=data.panel.train_std,
        seed=config.seed,
    )
    flops = count_flops(predictor, patch.input_px)
    near = on_device(reader, fabric.device)
    sides = TrainData(near, data.train, data.train_y, data.validation, data.validation_y)
    result = train(
        predictor, sides, config.train, folder=RunFolder(folder).checkpoints, seed=config.seed, fabric=fabric
    )
    began = time.perf_counter()
    predict = partial(
        predict_observations,
        predictor,
        near,
        forward=fabric.setup_module(predictor),
        batch_size=config.train.batch_size,
        label="predicting test",
    )
    prediction = predict(data.test)
    seconds = {
        "train": result.train_seconds,
        "validate": result.validate_seconds,
        "predict": time.perf_counter() - began,
    }
    facts |= _training_facts(config.train, result, len(data.train))
    facts["precision"] = precision_on(fabric.device.type, config.train.precision)
    labels = "measured" if config.baseline is None else "shuffled within samples"
    extra = {
        "validation_score": result.validation_score,
        "scores": _test_score(prediction, data),
        "labels": labels,
        "seed": config.seed,
    }
    _keep_model(folder, copy.deepcopy(predictor).cpu(), model, data, patch, extra)
    parameters, used = count_parameters(predictor), fabric.device.type
    return Outcome(prediction, predict, parameters, flops, seconds, facts, result.history, used)


def _training_facts(config: TrainConfig, result: TrainResult, n_train: int) -> dict[str, Any]:
    return {
        "steps": result.steps,
        "batch_size": min(config.batch_size, n_train),
        "observations_seen": result.observations_seen,
        "epochs_seen": result.observations_seen / n_train,
        "learning_rates_tried": list(config.learning_rates),
        "learning_rate": result.learning_rate,
        "best_step": result.best_step,
        "validation_score": result.validation_score,
        "budget": {
            "kind": config.budget.kind,
            "minutes": config.budget.minutes,
            "steps": result.steps,
            "seconds_per_step": result.plan.seconds_per_step,
            "converged": _converged(config, result.plan),
        },
    }


def _converged(config: TrainConfig, plan: Plan) -> bool | None:
    """Say whether the score stopped rising before the most steps were taken; None under other budgets."""
    if config.budget.kind != "convergence":
        return None
    return plan.main_steps < plan_steps(config).main_steps


def _keep_model(
    folder: Path,
    predictor: Predictor | FittedBaseline,
    model: ModelConfig | BaselineConfig,
    data: FoldData,
    patch: Patch,
    extra: dict[str, Any],
) -> None:
    samples = data.dataset.samples
    write_bundle(
        RunFolder(folder).model,
        predictor,
        model=model,
        panel=data.panel,
        patch=patch,
        extra={
            "um_per_px": sorted({sample.um_per_px for sample in samples}),
            "data_fingerprints": {sample.id: sample.fingerprint for sample in samples},
            "sides": {
                side: _samples_of(samples, observations)
                for side, observations in (
                    ("train", data.train),
                    ("validation", data.validation),
                    ("test", data.test),
                )
            },
            "fold": data.fold.name,
            **extra,
        },
    )


def _samples_of(samples: Sequence[Sample], observations: Observations) -> dict[str, str]:
    """Return the patient of each sample that has some of the observations."""
    return {samples[number].id: samples[number].patient for number in np.unique(observations.slide_index)}


def _test_score(prediction: Float[np.ndarray, "t g"], data: FoldData) -> dict[str, float]:
    """Return the score of the test side, as that of validation is taken."""
    return {"test": validation_score(prediction, data.test_y, data.test.slide_index)}


def _of_baseline(
    config: RunConfig, data: FoldData, reader: PatchReader, patch: Patch, folder: Path, device: str
) -> Outcome:
    assert config.baseline is not None
    began = time.perf_counter()
    samples, entry = data.dataset.samples, config.baseline.entry
    blocks = spatial_blocks(positions_um(samples, data.train), config.evaluation.block_um)
    where = make_fabric("32-true", device if config.network is not None else "cpu").device
    side = TrainingSide(
        reader,
        data.train,
        data.train_y,
        _joint(data.train.slide_index, blocks),
        gap_um=config.split.buffer_um,
        totals=_totals(samples, data.train) if entry.diagnostic else None,
        seed=config.seed,
        device=where,
    )
    baseline = fit_baseline(config.baseline, side)
    fit_seconds = time.perf_counter() - began

    def predict(observations: Observations) -> np.ndarray:
        # Counts of the test side are for the diagnostic alone: no baseline is given them.
        totals = _totals(samples, observations) if entry.diagnostic else None
        label = f"{baseline.config.label}: predicting"
        return baseline.predict(reader, observations, totals=totals, label=label)

    prediction = predict(data.test)
    n_seen = baseline.fitted.n_train
    seconds = {"train": fit_seconds, "predict": time.perf_counter() - began - fit_seconds}
    facts = {
        "observations_seen": n_seen,
        "epochs_seen": n_seen / len(data.train),
        "notes": [
            json.dumps(baseline.describe()),
            *filter(None, [entry.note, _beyond_edge(config, data, patch)]),
        ],
    }
    if entry.kept:
        extra = {"scores": _test_score(prediction, data), "seed": config.seed}
        _keep_model(folder, baseline, config.baseline, data, patch, extra)
    parameters, flops = baseline.fitted.n_parameters, baseline.fitted.flops()
    return Outcome(prediction, predict, parameters, flops, seconds, facts, device=where.type)


def _totals(samples: Sequence[Sample], observations: Observations) -> Float[np.ndarray, " n"]:
    """Return the total counts of some observations."""
    out = np.zeros(len(observations))
    for number, sample in enumerate(samples):
        at = observations.slide_index == number
        out[at] = sample.obs["total_counts"].to_numpy(np.float64)[observations.row[at]]
    return out


def _beyond_edge(config: RunConfig, data: FoldData, patch: Patch) -> str | None:
    """Say of how many test observations a baseline's own patch leaves the image; None for the grid's."""
    assert config.baseline is not None
    if config.baseline.entry.patch is None:
        return None
    inside = 0
    for number, sample in enumerate(data.dataset.samples):
        xy, slide = data.test.xy_px[data.test.slide_index == number], sample.slide
        width = patch.width_px(sample.um_per_px)
        within = window_inside(xy, width, width_px=slide.width_px, height_px=slide.height_px)
        inside += int(within.sum())
    beyond = len(data.test) - inside
    return f"its patch leaves the image at {beyond} of {len(data.test)} test observations" if beyond else None


def _joint(*labels: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Return one integer label for each combination of several."""
    return np.unique(np.stack(labels, axis=1), axis=0, return_inverse=True)[1].ravel()

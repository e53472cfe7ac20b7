"""One configuration on one fold with one seed -> one run folder, which can be resumed.

The folder is complete when it holds the marker ``DONE``, written last.  Without it the run goes
on from its checkpoint and ends with the same numbers.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from jaxtyping import Float

from prestige.baselines.checks import check_own_patch, check_weights, why_not
from prestige.baselines.fitted import fit_baseline
from prestige.baselines.shuffled import shuffle_within
from prestige.bundle import write_bundle
from prestige.config import RESULT_VERSION, RunConfig, read_run, run_hash
from prestige.data.audit import audit_split
from prestige.data.dataset import Dataset, open_dataset, read_dataset
from prestige.data.observations import Observations, gather, targets
from prestige.data.panel import Panel, fit_panel
from prestige.data.patches import Patch, PatchReader, resolve_patch, window_inside
from prestige.data.sample import Sample
from prestige.data.split import TEST, TRAIN, VALIDATION, Fold, make_folds
from prestige.errors import ConfigError, StorageError, storing
from prestige.evaluate import evaluate
from prestige.evaluate.shifts import shifted_file, shifted_moments
from prestige.infer import predict_observations
from prestige.models.encoders import check_encoder, encoders
from prestige.models.losses import losses
from prestige.models.predictor import build_predictor, count_flops, count_parameters
from prestige.predictions import write_predictions
from prestige.progress import logged
from prestige.provenance import forget_peak_memory, hardware, peak_memory_bytes, versions
from prestige.schedule import Plan, TrainConfig, plan_steps
from prestige.stats import Moments, spatial_blocks
from prestige.train import TrainData, make_fabric, train

MARKER = "DONE"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FoldData:
    """What all runs of one fold share: sides, panel, and expression on the log1p scale."""

    dataset: Dataset
    fold: Fold
    panel: Panel
    train: Observations
    train_y: Float[np.ndarray, "n g"]
    validation: Observations
    validation_y: Float[np.ndarray, "v g"]
    test: Observations
    test_y: Float[np.ndarray, "t g"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a predictor of any kind leaves behind for the manifest and the scores."""

    prediction: Float[np.ndarray, "t g"]
    predict: Callable[[Observations], np.ndarray]
    parameters: int
    flops: int | None
    seconds: dict[str, float]
    facts: dict[str, Any]
    history: tuple[dict[str, Any], ...] = ()
    device: str = "cpu"


def train_from_yaml(path: Path, folder: Path, *, device: str = "auto") -> Path:
    """Do the run of one RUN.yaml in ``folder``, or go on with it; return the folder.

    Raises
    ------
    PrestigeError
        When the settings or the data are wrong; nothing is written then.
    """
    config = read_run(path)
    check_names(config)  # opening the samples may take minutes
    if config.train is not None:
        make_fabric(config.train.precision, device)
    dataset = open_dataset(read_dataset(config.dataset))
    patch = resolve_patch(config.patch, [sample.um_per_px for sample in dataset.samples])
    largest = config.largest_patch_um or patch.patch_um
    config = config.model_copy(update={"largest_patch_um": largest})
    check_names(config, patch)
    check_runs([config], dataset)
    made = make_folds(dataset.samples, config.split, largest_patch_um=largest)
    folds = {fold.index: fold for fold in made}
    if config.fold not in folds:
        raise ConfigError(
            f"there is no fold {config.fold}",
            where=path,
            expected=f"one of {', '.join(map(str, sorted(folds)))}",
        )
    fold = folds[config.fold]
    audit_split(dataset.samples, [fold], config.split, largest_patch_um=largest).settle()
    if (reason := why_not(config.baseline, fold)) is not None:
        raise ConfigError(f"{config.encoder} has no meaning here: {reason}", where=path)
    return execute(config, prepare_fold(dataset, fold, config), folder, device=device)


def check_names(config: RunConfig, patch: Patch | None = None) -> None:
    """Check that encoder and loss exist, and fit the patch where it is known, before computing.

    Raises
    ------
    ConfigError, ModelError
        With the nearest name that exists, or the patch sizes that fit.
    """
    if config.train is not None:
        losses.get(config.train.loss)
    if config.network is not None:
        if patch is not None:
            check_encoder(config.network.encoder, input_px=patch.input_px)
        elif not config.network.encoder.startswith("timm:"):
            encoders.get(config.network.encoder)


def check_runs(configs: Sequence[RunConfig], dataset: Dataset) -> None:
    """Check that patches of baselines fit the data, and that starting weights can be had, before computing.

    Raises
    ------
    ConfigError, ModelError
        Saying what does not fit, or which weights cannot be had.
    """
    um = [sample.um_per_px for sample in dataset.samples]
    patches = [resolve_patch(config.patch, um) for config in configs]
    for config, patch in zip(configs, patches, strict=True):
        if config.baseline is not None:
            check_own_patch(config.baseline, patch, dataset.samples, buffer_um=config.split.buffer_um)
    check_weights(
        (config.network, patch.input_px)
        for config, patch in zip(configs, patches, strict=True)
        if config.network is not None
    )


def prepare_fold(dataset: Dataset, fold: Fold, config: Any) -> FoldData:
    """Fit the panel on the training side and gather the three sides.  ``config`` is a run's or a bench's."""
    panel = fit_panel(dataset.samples, fold, config.panel)
    sides = {side: gather(dataset.samples, fold, side) for side in (TRAIN, VALIDATION, TEST)}
    y = {side: targets(dataset.samples, chosen, panel) for side, chosen in sides.items()}
    return FoldData(
        dataset, fold, panel, sides[TRAIN], y[TRAIN], sides[VALIDATION], y[VALIDATION], sides[TEST], y[TEST]
    )


def execute(config: RunConfig, data: FoldData, folder: Path, *, device: str = "auto") -> Path:
    """Do one run in ``folder``, or go on with it, or find it done; return the folder.

    Raises
    ------
    StorageError
        When the folder holds something else, or cannot be written.
    """
    digest = run_hash(config, data.dataset.fingerprint)
    if not _claim(folder, config, digest):
        return folder
    began = time.perf_counter()
    forget_peak_memory()
    with logged(folder / "log.txt"):
        samples = data.dataset.samples
        patch = resolve_patch(config.patch, [sample.um_per_px for sample in samples])
        _log.info(
            "%s, patch %g um as %d px, %s", config.encoder, patch.patch_um, patch.input_px, data.fold.name
        )
        reader = PatchReader([sample.slide for sample in samples], patch)
        work = _run_baseline if config.trained is None else _run_model
        outcome = work(config, data, reader, patch, folder, device)
        _write_results(config, data, patch, outcome, folder, began)
        _log.info("done, %.0f seconds", outcome.seconds["total"])
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    write_whole(folder / MARKER, digest + "\n")
    return folder


def _write_results(
    config: RunConfig, data: FoldData, patch: Patch, outcome: Outcome, folder: Path, began: float
) -> None:
    """Score the predictions and write all that the report reads."""
    samples = data.dataset.samples
    scoring = time.perf_counter()
    ids = np.array([sample.id for sample in samples])
    um = np.array([sample.um_per_px for sample in samples])
    result = evaluate(
        outcome.prediction,
        data.test_y,
        genes=data.panel.genes,
        sample_of=ids[data.test.slide_index],
        xy_um=data.test.xy_px * um[data.test.slide_index, None],
        train_mean=data.panel.train_mean,
        block_um=config.evaluation.block_um,
    )
    shifted = _shifted(config, data, outcome, ids, um)
    outcome.seconds["score"] = time.perf_counter() - scoring
    # A run that went on from a checkpoint has spent more than this process saw.
    outcome.seconds["total"] = max(time.perf_counter() - began, sum(outcome.seconds.values()))
    manifest = _manifest(config, data, patch, outcome)
    patient_of = {sample.id: sample.patient for sample in samples}
    scores = result.scores.assign(
        patient=result.scores["sample"].map(patient_of),
        **{name: manifest[name] for name in _ON_EVERY_SCORE},
    )
    with storing(folder):
        scores.to_parquet(folder / "scores.parquet", index=False)
    result.moments.save(folder / "moments.npz")
    for shift, moments in shifted.items():
        moments.save(folder / shifted_file(shift))
    model = {name: manifest[name] for name in ("encoder", "patch_um", "input_px", "visible_um")}
    write_predictions(folder / "predictions", outcome.prediction, data.test, samples, data.panel, model)
    with storing(folder):
        pd.DataFrame(outcome.history, columns=list(_HISTORY)).to_csv(folder / "history.csv", index=False)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


_ON_EVERY_SCORE = (
    "encoder", "variant", "baseline", "pretrained", "parameters", "flops",
    "patch_um", "input_px", "visible_um", "fold", "seed",
)  # fmt: skip


def _shifted(
    config: RunConfig, data: FoldData, outcome: Outcome, ids: np.ndarray, um: np.ndarray
) -> dict[float, Moments]:
    """Score the test side again with all centres moved, as far as the settings ask for it."""
    if not config.evaluation.shifts_um:
        return {}
    xy_um = data.test.xy_px * um[data.test.slide_index, None]
    return shifted_moments(
        outcome.predict,
        data.test,
        data.test_y,
        shifts_um=config.evaluation.shifts_um,
        um_per_px=um.tolist(),
        sample_of=ids[data.test.slide_index],
        block_of=spatial_blocks(xy_um, config.evaluation.block_um),
        genes=data.panel.genes,
    )


_HISTORY = ("phase", "step", "seconds", "learning_rate", "train_loss", "validation_score")


def is_done(folder: Path) -> bool:
    """Say whether a run folder is complete."""
    return (folder / MARKER).exists()


def _run_model(
    config: RunConfig, data: FoldData, reader: PatchReader, patch: Patch, folder: Path, device: str
) -> Outcome:
    assert config.trained is not None
    assert config.train is not None
    facts: dict[str, Any] = {}
    if config.baseline is not None:
        facts["notes"] = [json.dumps({"baseline": config.baseline.label, "why": config.baseline.entry.why})]
        labels = shuffle_within(data.train_y, data.train.slide_index, seed=config.seed)
        data = replace(data, train_y=labels)
    fabric = make_fabric(config.train.precision, device)
    predictor = build_predictor(
        config.trained,
        input_px=patch.input_px,
        train_mean=data.panel.train_mean,
        train_std=data.panel.train_std,
        seed=config.seed,
    )
    flops = count_flops(predictor, patch.input_px)
    feed = TrainData(reader, data.train, data.train_y, data.validation, data.validation_y)
    result = train(
        predictor, feed, config.train, folder=folder / "checkpoints", seed=config.seed, fabric=fabric
    )
    began = time.perf_counter()
    predict = partial(
        predict_observations,
        predictor,
        reader,
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
    facts |= {
        "steps": result.steps,
        "batch_size": min(config.train.batch_size, len(data.train)),
        "observations_seen": result.observations_seen,
        "epochs_seen": result.observations_seen / len(data.train),
        "learning_rates_tried": list(config.train.learning_rates),
        "learning_rate": result.learning_rate,
        "best_step": result.best_step,
        "validation_score": result.validation_score,
        "budget": {
            "kind": config.train.budget.kind,
            "minutes": config.train.budget.minutes,
            "steps": result.steps,
            "seconds_per_step": result.plan.seconds_per_step,
            "converged": _converged(config.train, result.plan),
        },
        "precision": fabric._precision.precision,
    }
    write_bundle(
        folder / "model",
        copy.deepcopy(predictor).cpu(),
        model=config.trained,
        panel=data.panel,
        patch=patch,
        extra={
            "um_per_px": sorted({sample.um_per_px for sample in data.dataset.samples}),
            "data_fingerprints": {sample.id: sample.fingerprint for sample in data.dataset.samples},
            "validation_score": result.validation_score,
            "seed": config.seed,
            "fold": data.fold.name,
            "labels": "measured" if config.baseline is None else "shuffled within samples",
        },
    )
    parameters, used = count_parameters(predictor), fabric.device.type
    return Outcome(prediction, predict, parameters, flops, seconds, facts, result.history, used)


def _converged(config: TrainConfig, plan: Plan) -> bool | None:
    """Say whether the score stopped rising before the most steps were taken; None under other budgets."""
    if config.budget.kind != "convergence":
        return None
    return plan.main_steps < plan_steps(config).main_steps


def _variant(config: RunConfig) -> str | None:
    """Return in words what sets a model apart from others of the same encoder, None where nothing does."""
    if config.model is None:
        return None
    return ", ".join(config.model.peculiarities) or None


def _run_baseline(
    config: RunConfig, data: FoldData, reader: PatchReader, patch: Patch, folder: Path, device: str
) -> Outcome:
    assert config.baseline is not None
    began = time.perf_counter()
    samples, entry = data.dataset.samples, config.baseline.entry
    um = np.array([sample.um_per_px for sample in samples])
    blocks = spatial_blocks(data.train.xy_px * um[data.train.slide_index, None], config.evaluation.block_um)
    where = make_fabric("32-true", device if config.network is not None else "cpu").device
    fitted = fit_baseline(
        config.baseline,
        reader,
        data.train,
        data.train_y,
        block_of_train=_joint(data.train.slide_index, blocks),
        gap_um=config.split.buffer_um,
        totals=_totals(samples, data.train) if entry.diagnostic else None,
        seed=config.seed,
        device=where,
    )
    fit_seconds = time.perf_counter() - began

    def predict(observations: Observations) -> np.ndarray:
        # Counts of the test side are for the diagnostic alone: no baseline is given them.
        totals = _totals(samples, observations) if entry.diagnostic else None
        return fitted.predict(reader, observations, totals=totals)

    prediction = predict(data.test)
    seconds = {"train": fit_seconds, "predict": time.perf_counter() - began - fit_seconds}
    facts = {
        "observations_seen": fitted.n_train,
        "epochs_seen": fitted.n_train / len(data.train),
        "notes": [
            json.dumps(fitted.describe()),
            *filter(None, [entry.note, _beyond_edge(config, data, patch)]),
        ],
    }
    return Outcome(
        prediction, predict, fitted.n_parameters, fitted.flops(), seconds, facts, device=where.type
    )


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


def _joint(*labels: np.ndarray) -> np.ndarray:
    """Return one integer label for each combination of several."""
    return np.unique(np.stack(labels, axis=1), axis=0, return_inverse=True)[1].ravel()


def _manifest(config: RunConfig, data: FoldData, patch: Patch, outcome: Outcome) -> dict[str, Any]:
    samples, network, baseline = data.dataset.samples, config.network, config.baseline
    # What looks at no patch has none; the mean keeps that of the grid's first, as older runs have it.
    blind = baseline is not None and not baseline.entry.reads_patches and baseline.name != "mean"
    notes = [*data.fold.notes, *data.panel.notes]
    notes += [*(f"{sample.id}: {note}" for sample in samples for note in sample.notes)]
    return {
        "schema": "prestige.run/1",
        "result_version": RESULT_VERSION,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "encoder": config.encoder,
        "variant": _variant(config),
        "baseline": baseline is not None,
        "diagnostic": baseline is not None and baseline.entry.diagnostic,
        # Weights from a file are a start like those that were downloaded: never beside one from scratch.
        "pretrained": network is not None and (network.pretrained or network.checkpoint is not None),
        "parameters": outcome.parameters,
        "flops": outcome.flops,
        "patch_um": None if blind else patch.patch_um,
        "patch_px": None if blind else config.patch.patch_px,
        "input_px": None if blind else patch.input_px,
        "visible_um": None if blind else patch.visible_um,
        "fold": data.fold.index,
        "fold_name": data.fold.name,
        "seed": config.seed,
        "n_train": len(data.train),
        "n_validation": len(data.validation),
        "n_test": len(data.test),
        "n_genes": len(data.panel.genes),
        "dropped": dict(data.fold.dropped),
        "seconds": {name: round(value, 3) for name, value in outcome.seconds.items()},
        "peak_memory_bytes": peak_memory_bytes(),
        "hardware": hardware(outcome.device),
        "versions": versions(),
        "data_fingerprints": {sample.id: sample.fingerprint for sample in samples},
        **outcome.facts,
        "notes": [*outcome.facts.get("notes", ()), *notes],
    }


def _claim(folder: Path, config: RunConfig, digest: str) -> bool:
    """Make the folder this run's own; return False where the run is done already."""
    settings = folder / "config.yaml"
    if settings.exists():
        found = yaml.safe_load(settings.read_text(encoding="utf-8")) or {}
        if found.get("hash") != digest:
            raise StorageError(
                "the folder holds a run with other settings or data",
                where=folder,
                remedy="give another folder, or delete this one",
            )
        return not is_done(folder)
    # What a kill or a full disk left of the settings themselves is no reason to refuse.
    begun = settings.name + ".partial"
    if folder.exists() and any(path.name != begun for path in folder.iterdir()):
        raise StorageError(
            "the folder is not empty and holds no run", where=folder, remedy="give another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"the folder cannot be made ({error.strerror})", where=folder) from error
    raw = {"hash": digest, **config.model_dump(mode="json")}
    write_whole(settings, yaml.safe_dump(raw, sort_keys=False))
    return True


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    temporary = path.with_name(path.name + ".partial")
    with storing(path):
        try:
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

"""One configuration on one fold with one seed -> one run folder, which can be resumed.

The folder is complete when it holds the marker ``DONE``, written last.  Without it the run goes
on from its checkpoint and ends with the same numbers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from prestige.baselines.checks import check_own_patch, check_weights, why_not
from prestige.compute.devices import make_fabric
from prestige.compute.locks import held
from prestige.compute.partials import remove_partials
from prestige.compute.progress import logged, say
from prestige.compute.provenance import forget_peak_memory, hardware, peak_memory_bytes, versions
from prestige.config import RESULT_VERSION, RunConfig, read_run, run_hash
from prestige.data.dataset import Dataset, dataset_inputs, open_dataset, read_dataset
from prestige.data.fold import FoldData, audited_folds, prepare_fold
from prestige.data.observations import positions_um
from prestige.data.patches.reader import Patch, resolve_patch
from prestige.errors import ConfigError
from prestige.evaluate import evaluate
from prestige.evaluate.shifts import shifted_moments
from prestige.models.encoders import check_encoder, encoders
from prestige.models.losses import losses
from prestige.prediction.files import write_predictions
from prestige.records.manifest import Hardware, Manifest, Seconds
from prestige.records.run import RunFolder
from prestige.runs.outcome import Outcome, outcome_of
from prestige.stats.moments import Moments, spatial_blocks

_log = logging.getLogger(__name__)


def train_from_yaml(path: Path | str, folder: Path | str, *, device: str = "auto") -> Path:
    """Do the run of one RUN.yaml in ``folder``, or go on with it; return the folder.

    Raises
    ------
    PrestigeError
        When the settings or the data are wrong; nothing is written then.

    Examples
    --------
    >>> import prestige
    >>> folder = prestige.train_from_yaml("run.yaml", "trained", device="cpu")
    >>> (folder / "model" / "model.json").is_file()
    True
    """
    path, folder = Path(path), Path(folder)
    config = read_run(path)
    check_names(config)  # opening the samples may take minutes
    RunFolder(folder).check(inputs=[path, *dataset_inputs(config.dataset)])
    if config.train is not None:
        make_fabric(config.train.precision, device)
    dataset = open_dataset(read_dataset(config.dataset))
    patch = resolve_patch(config.patch, [sample.um_per_px for sample in dataset.samples])
    largest = config.largest_patch_um or patch.patch_um
    config = config.model_copy(update={"largest_patch_um": largest})
    check_runs([config], dataset)
    (fold,), audit = audited_folds(
        dataset.samples, config.split, largest_patch_um=largest, only=config.fold, where=path
    )
    audit.settle()
    if (reason := why_not(config.baseline, fold)) is not None:
        raise ConfigError(f"{config.name} has no meaning here: {reason}", where=path)
    return execute(config, prepare_fold(dataset, fold, config.panel), folder, device=device)


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
            network = config.network
            check_encoder(network.encoder, input_px=patch.input_px, arguments=network.arguments)
        elif not config.network.encoder.startswith("timm:"):
            encoders.get(config.network.encoder)


def check_runs(configs: Sequence[RunConfig], dataset: Dataset) -> None:
    """Check all that can be wrong once the data are open, before computing.

    Names, patches of encoders and of baselines, starting weights.

    Raises
    ------
    ConfigError, ModelError
        Saying what does not fit, or which weights cannot be had.
    """
    um = [sample.um_per_px for sample in dataset.samples]
    pairs = [(config, resolve_patch(config.patch, um)) for config in configs]
    for config, patch in pairs:
        check_names(config, patch)
        if config.baseline is not None:
            check_own_patch(config.baseline, patch, dataset.samples, buffer_um=config.split.buffer_um)
    check_weights((config.network, patch.input_px) for config, patch in pairs if config.network is not None)


def execute(
    config: RunConfig, data: FoldData, folder: Path, *, device: str = "auto", words: str | None = None
) -> Path:
    """Do one run in ``folder``, or go on with it, or find it done; return the folder.

    Parameters
    ----------
    words
        What to say when it begins.

    Raises
    ------
    BusyError
        When another process works on this run.
    StorageError
        When the folder holds something else, or cannot be written.
    """
    digest = run_hash(config, data.dataset.fingerprint)
    run = RunFolder(folder)
    if run.claim(digest, config.model_dump(mode="json")):
        with held(run.settings, wait=False):
            if not run.is_done():
                if words is not None:
                    say(words)
                if run.marker.exists():
                    say(f"run {run.name}: {run.fault()}: it is done again")
                    run.undo()
                remove_partials(folder)
                _execute(config, data, run, device=device)
                run.mark_done(digest)
    return folder


def _execute(config: RunConfig, data: FoldData, folder: RunFolder, *, device: str) -> None:
    """Do one run in a folder that is its own, or go on with it."""
    began = time.perf_counter()
    forget_peak_memory()
    with logged(folder.log):
        samples = data.dataset.samples
        patch = resolve_patch(config.patch, [sample.um_per_px for sample in samples])
        _log.info("%s, patch %g um as %d px, %s", config.name, patch.patch_um, patch.input_px, data.fold.name)
        outcome = outcome_of(config, data, patch, folder.path, device=device)
        _write_results(config, data, patch, outcome, folder, began)
        _log.info("done, %.0f seconds", outcome.seconds["total"])


def _write_results(
    config: RunConfig, data: FoldData, patch: Patch, outcome: Outcome, folder: RunFolder, began: float
) -> None:
    """Score the predictions and write all that the report reads."""
    samples = data.dataset.samples
    scoring = time.perf_counter()
    ids = np.array([sample.id for sample in samples])
    xy_um = positions_um(samples, data.test)
    result = evaluate(
        outcome.prediction,
        data.test_y,
        genes=data.panel.genes,
        sample_of=ids[data.test.slide_index],
        xy_um=xy_um,
        train_mean=data.panel.train_mean,
        block_um=config.evaluation.block_um,
    )
    outcome.seconds["score"] = time.perf_counter() - scoring
    shifting = time.perf_counter()
    shifted = _shifted(config, data, outcome, ids, xy_um)
    if shifted:
        outcome.seconds["shift"] = time.perf_counter() - shifting
    # A run that went on from a checkpoint has spent more than this process saw.
    outcome.seconds["total"] = max(time.perf_counter() - began, sum(outcome.seconds.values()))
    manifest = _manifest(config, data, patch, outcome)
    patient_of = {sample.id: sample.patient for sample in samples}
    scores = result.scores.assign(patient=result.scores["sample"].map(patient_of))
    model = {name: getattr(manifest, name) for name in ("encoder", "patch_um", "input_px", "visible_um")}
    write_predictions(folder.predictions, outcome.prediction, data.test, samples, data.panel, model)
    folder.write(manifest, scores, result.moments, shifted, outcome.history)


def _shifted(
    config: RunConfig, data: FoldData, outcome: Outcome, ids: np.ndarray, xy_um: np.ndarray
) -> dict[float, Moments]:
    """Score the test side again with all centres moved, as far as the settings ask for it."""
    if not config.evaluation.shifts_um:
        return {}
    return shifted_moments(
        outcome.predict,
        data.test,
        data.test_y,
        shifts_um=config.evaluation.shifts_um,
        um_per_px=[sample.um_per_px for sample in data.dataset.samples],
        sample_of=ids[data.test.slide_index],
        block_of=spatial_blocks(xy_um, config.evaluation.block_um),
        genes=data.panel.genes,
    )


def _manifest(config: RunConfig, data: FoldData, patch: Patch, outcome: Outcome) -> Manifest:
    samples, network, baseline = data.dataset.samples, config.network, config.baseline
    # What looks at no patch has none; the mean keeps that of the grid's first, as older runs have it.
    blind = baseline is not None and not baseline.entry.reads_patches and baseline.name != "mean"
    facts = dict(outcome.facts)
    notes = [*facts.pop("notes", ()), *data.fold.notes, *data.panel.notes]
    notes += [f"{sample.id}: {note}" for sample in samples for note in sample.notes]
    return Manifest(
        result_version=RESULT_VERSION,
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        encoder=config.name,
        changed={} if config.model is None else config.model.changed,
        baseline=baseline is not None,
        diagnostic=baseline is not None and baseline.entry.diagnostic,
        # Weights from a file are a start like those that were downloaded: never beside one from scratch.
        pretrained=network is not None and (network.pretrained or network.checkpoint is not None),
        parameters=outcome.parameters,
        flops=outcome.flops,
        patch_um=None if blind else patch.patch_um,
        patch_px=None if blind else config.patch.patch_px,
        input_px=None if blind else patch.input_px,
        visible_um=None if blind else patch.visible_um,
        fold=data.fold.index,
        fold_name=data.fold.name,
        seed=config.seed,
        n_train=len(data.train),
        n_validation=len(data.validation),
        n_test=len(data.test),
        n_genes=len(data.panel.genes),
        dropped=dict(data.fold.dropped),
        seconds=Seconds(**{name: round(value, 3) for name, value in outcome.seconds.items()}),
        peak_memory_bytes=peak_memory_bytes(),
        hardware=Hardware.model_validate(hardware(outcome.device)),
        versions=versions(),
        data_fingerprints={sample.id: sample.fingerprint for sample in samples},
        notes=tuple(notes),
        **facts,
    )

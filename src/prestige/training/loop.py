"""Training of one predictor: :func:`train` is the plan, :func:`fit` the loop.

Every batch is a pure function of the seed and the step, so a run that was killed goes on from
its last checkpoint and ends with the very same numbers.  The settings are in `schedule.py`,
what a checkpoint holds in `state.py`.
"""

from __future__ import annotations

import copy
import logging
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from lightning_fabric import Fabric
from torch import Tensor

from prestige import metrics
from prestige.compute.progress import Progress
from prestige.compute.provenance import working_seconds
from prestige.compute.signals import end_if_asked, heard_between_steps, is_asked_to_end
from prestige.errors import ModelError, StorageError
from prestige.models.losses import losses
from prestige.models.predictor import Predictor
from prestige.prediction.infer import predict_observations
from prestige.training.batches import STEP_SEED, BatchLoader, TrainData
from prestige.training.cuda_graph import WARMUP_STEPS, GraphedStep
from prestige.training.schedule import Plan, TrainConfig, plan_steps, schedule
from prestige.training.state import TrainingState, load_checkpoint, pack, save_checkpoint, unpack

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """How a training went; the predictor itself holds the best state afterwards.

    ``steps`` are all that were computed; ``observations_seen`` are those of the kept training alone, without
    the trials of learning rates that lost.
    """

    plan: Plan
    learning_rate: float
    validation_score: float
    best_step: int
    steps: int
    observations_seen: int
    train_seconds: float
    validate_seconds: float
    history: tuple[dict[str, Any], ...]


def train(
    predictor: Predictor, data: TrainData, config: TrainConfig, *, folder: Path, seed: int, fabric: Fabric
) -> TrainResult:
    """Train ``predictor`` in place and leave it in the state that scored best on validation.

    First each learning rate has its trial: all train from the same weights through a short schedule of
    their own, down to zero.  The one with the best validation score then goes on through the long one; of
    those that are as good as equal, the highest.  Early stopping selects the state, and never shortens
    the training: the best one on validation is what remains.

    Parameters
    ----------
    folder
        Where the checkpoints are kept; one that is found there is gone on from.
    seed
        Determines the batches, their augmentation and dropout, each as a function of the step.

    Raises
    ------
    ModelError
        When no learning rate gave a finite validation score, or there is less than one batch.
    """
    rates = list(config.learning_rates)
    job = _start(predictor, data, config, folder=folder, seed=seed, fabric=fabric)
    state = job.state
    with closing(job), Progress("training", state.total_steps()) as progress:
        progress.start_at(state.steps_done())
        while state.phase < len(rates):
            rate = rates[state.phase]
            with heard_between_steps():
                fit(job, f"trial-{rate:g}", rate, state.plan.trial_steps, progress)
                job.end_trial()
                end_if_asked()
        rate = rates[job.winner()] if len(rates) > 1 else rates[0]
        with heard_between_steps():
            fit(job, "main", rate, state.plan.main_steps, progress)
    if not job.best:
        if not np.ptp(np.asarray(job.loader.validation[1]), axis=0).any():
            raise ModelError(
                "no gene of the panel varies on the validation side, so no state of the network is the best",
                remedy="choose other genes, or a larger validation side",
            )
        raise ModelError(
            f"no finite validation score with the learning rates {', '.join(map(str, rates))}",
            remedy="try smaller `learning_rates`, or look for faults in the data with `prestige inspect`",
        )
    predictor.load_state_dict(job.best)
    return TrainResult(
        plan=state.plan,
        learning_rate=rate,
        validation_score=state.best_score,
        best_step=state.best_step,
        steps=state.total_steps(),
        observations_seen=state.plan.main_steps * job.loader.batch_size,
        train_seconds=state.train_seconds,
        validate_seconds=state.validate_seconds,
        history=tuple(state.history),
    )


def fit(job: Job, phase: str, rate: float, until: int, progress: Progress) -> None:
    """Take one phase from wherever it stands to step ``until``: the training loop.

    A signal is heard after a step, where a checkpoint can be written from which the training goes on.
    """
    state, config = job.state, job.config
    saved_at = time.monotonic()
    job.model.train()
    batches = job.loader.batches(state.step, until)
    while state.step < until:
        began = working_seconds()
        lr = rate * schedule(state.step, state.span(), config.warmup_share, state.decay_from)
        job.set_rate(lr)
        x, y = next(batches)
        torch.manual_seed(job.seed * STEP_SEED + state.step)
        loss = job.step(x, y)
        state.step += 1
        state.train_seconds += working_seconds() - began
        job.recent.append(loss)
        progress.advance(1)

        if state.step == until or (phase == "main" and state.step % state.plan.validate_every == 0):
            state.train_seconds += job.wait()
            score = job.validate()
            state.note(phase, lr, float(torch.stack(job.recent).mean()), score)
            job.recent.clear()
            if phase == "main":
                if score > state.best_score:
                    state.best_score, state.best_step = score, state.step
                    job.best = {name: tensor.clone() for name, tensor in job.predictor.state_dict().items()}
                until = state.plan_decay(config)
            progress.advance(0, note=f"{phase}, validation {score:.4f}")
            _log.info(
                "%s, step %d of %d: learning rate %.3g, validation %.4f",
                phase,
                state.step,
                until,
                lr,
                score,
            )
        if is_asked_to_end() or time.monotonic() - saved_at > config.checkpoint_seconds:
            job.save()
            saved_at = time.monotonic()
        end_if_asked()
    batches.close()


@dataclass(eq=False)
class Job:
    """The parts of one training, and the few things that are done to them."""

    predictor: Predictor
    fabric: Fabric
    loader: BatchLoader
    config: TrainConfig
    seed: int
    folder: Path
    state: TrainingState
    initial: dict[str, Tensor]
    best: dict[str, Tensor] = field(default_factory=dict)
    recent: list[Tensor] = field(default_factory=list)  # losses since the last validation

    def __post_init__(self) -> None:
        self.on_gpu = self.fabric.device.type == "cuda"
        self.bare = _optimizer(self.predictor, self.config, self.fabric.device)
        self.model, self.optimizer = self.fabric.setup(self.predictor, self.bare)  # the same, wrapped
        self._compiled = None
        if self.config.compile:
            torch.compiler.reset()  # of what was compiled before, too much would turn compiling off
            self._compiled = torch.compile(self.predictor, dynamic=False)
        self._take = GraphedStep(self._plain_step, self.fabric.device) if self.on_gpu else self._plain_step

    def step(self, x: Float[Tensor, "b 3 d d"], y: Float[Tensor, "b g"]) -> Float[Tensor, ""]:
        """Take one step of the optimizer and return the loss on the standardised scale."""
        return self._take(x, y)

    def set_rate(self, rate: float) -> None:
        """Set the learning rate, where the optimizer keeps it: as a number, or on the device."""
        for group in self.bare.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def wait(self) -> float:
        """Wait for the device to finish; return the seconds it took."""
        began = working_seconds()
        if self.on_gpu:
            torch.cuda.synchronize(self.fabric.device)
        return working_seconds() - began

    def close(self) -> None:
        """Give back what the steps hold; none follows."""
        del self._take, self._compiled

    def _plain_step(self, x: Float[Tensor, "b 3 d d"], y: Float[Tensor, "b g"]) -> Float[Tensor, ""]:
        self.optimizer.zero_grad(set_to_none=True)
        loss = losses.get(self.config.loss)(self._forward(x), self.predictor.standardise(y))
        self.fabric.backward(loss)
        self.fabric.clip_gradients(
            self.model, self.optimizer, max_norm=self.config.gradient_clip, error_if_nonfinite=False
        )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def _forward(self, x: Float[Tensor, "b 3 d d"]) -> Float[Tensor, "b g"]:
        if self._compiled is None:
            return self.model(x)
        with self.fabric.autocast():
            return self._compiled(x).float()

    def validate(self) -> float:
        """Return the validation score: mean per-gene Pearson within a sample, averaged over samples."""
        began = working_seconds()
        observations, truth = self.loader.validation
        prediction = predict_observations(
            self.predictor,
            self.loader.data.reader,
            observations,
            forward=self.model,
            batch_size=self.loader.batch_size,
        )
        self.model.train()
        self.state.validate_seconds += working_seconds() - began
        return validation_score(prediction, truth, observations.slide_index)

    def winner(self) -> int:
        """Return the number of the learning rate that goes on from its trial."""
        return self.state.winner(self.config.learning_rates, self.config.lr_trial_tie)

    def end_trial(self) -> None:
        """Keep where this learning rate got to, and make ready for the next, or for the main phase."""
        state = self.state
        state.trial_scores.append(float(state.history[-1]["validation_score"]))
        save_checkpoint(self._trial_file(state.phase), state, pack(self.predictor, self.bare))
        state.phase += 1
        if state.phase < state.n_rates:
            state.step = 0
            self.predictor.load_state_dict(self.initial)
            for slots in self.bare.state.values():
                for slot in slots.values():
                    slot.zero_()  # where it lies: a captured step knows no other place
        else:
            path = self._trial_file(self.winner())
            if not path.exists():  # of a training that an older version began
                path = self.folder / f"race-{self.winner()}.safetensors"
            winner = load_checkpoint(path)
            if winner is None:
                raise StorageError(
                    "the checkpoint of the best trial is missing",
                    where=self._trial_file(self.winner()),
                    remedy="delete its folder; the training starts over",
                )
            unpack(winner[1], self.predictor, self.bare, where=path)
        self.save()

    def save(self) -> None:
        """Write the checkpoint."""
        self.state.recent_losses = [float(loss) for loss in self.recent]
        save_checkpoint(
            self.folder / "checkpoint.safetensors", self.state, pack(self.predictor, self.bare, self.best)
        )

    def _trial_file(self, number: int) -> Path:
        return self.folder / f"trial-{number}.safetensors"


def validation_score(
    prediction: Float[np.ndarray, "n g"], truth: Float[np.ndarray, "n g"], sample: Int[np.ndarray, " n"]
) -> float:
    """Return per-gene Pearson within a sample, averaged over genes, then over samples.

    Genes that do not vary in the truth are left out; a constant prediction of one that does
    counts as 0 (rule 5 of the science).  NaN when nothing could be scored, and when a prediction
    is not finite: the training has diverged, and what is left of it shall win nothing.
    """
    if not np.isfinite(prediction).all():
        return float("nan")
    scores = []
    for number in np.unique(sample):
        rows = sample == number
        per_gene = metrics.pearson(prediction[rows], truth[rows])
        varies = np.ptp(truth[rows], axis=0) > 0
        if varies.any():
            scores.append(float(np.nan_to_num(per_gene[varies]).mean()))
    return float(np.mean(scores)) if scores else float("nan")


def _start(
    predictor: Predictor, data: TrainData, config: TrainConfig, *, folder: Path, seed: int, fabric: Fabric
) -> Job:
    """Set up a training, or take it up where its checkpoint left it."""
    predictor.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    loader = BatchLoader(data, config, seed, fabric.device)
    initial = {name: tensor.clone() for name, tensor in predictor.state_dict().items()}
    path, n_rates = folder / "checkpoint.safetensors", len(config.learning_rates)
    kept = load_checkpoint(path)
    if kept is not None and kept[0].n_rates != n_rates:
        raise StorageError(
            f"is the checkpoint of a training with {kept[0].n_rates} learning rates",
            where=path,
            expected=f"{n_rates}",
            remedy="delete its folder; the training starts over",
        )
    if kept is None:
        plan = _time_plan(predictor, loader, config, folder=folder, fabric=fabric)
        state = TrainingState(plan=plan, n_rates=n_rates, phase=0 if n_rates > 1 else n_rates)
        if config.budget.patience is not None:
            state.decay_from = int(0.8 * plan.main_steps)
    else:
        state = kept[0]
    job = Job(predictor, fabric, loader, config, seed, folder, state, initial)
    if kept is None:
        _log.info("%s: %s", config.budget.kind, state.plan)
        job.save()
    else:
        _log.info("goes on at step %d of phase %d", state.step, state.phase)
        job.best = unpack(kept[1], predictor, job.bare, where=path)
        job.recent = [torch.tensor(loss, device=fabric.device) for loss in state.recent_losses]
    return job


def _optimizer(predictor: Predictor, config: TrainConfig, device: torch.device) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, 2019); vectors (biases, norms) are not decayed."""
    parameters = [p for p in predictor.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    on_gpu = device.type == "cuda"
    rate = config.learning_rates[0]
    lr = torch.tensor(rate, device=device) if on_gpu else rate  # all that a captured step reads lies there
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), fused=True, capturable=on_gpu)


def _time_plan(
    predictor: Predictor, loader: BatchLoader, config: TrainConfig, *, folder: Path, fabric: Fabric
) -> Plan:
    """Make the budget a number of steps, by timing some on a copy that is thrown away."""
    if config.budget.minutes is None:
        return plan_steps(config)
    state = TrainingState(plan=Plan(trial_steps=0, main_steps=1, validate_every=1), n_rates=1)
    job = Job(copy.deepcopy(predictor), fabric, loader, config, 0, folder, state, {})
    job.model.train()
    seconds_per_step = _time_steps(job, max(config.budget.minutes * 60 * 0.02, 1.0))
    if job.on_gpu:
        job.validate()  # once without the clock: libraries choose their kernels
        state.validate_seconds = 0.0
    job.validate()
    job.close()
    return plan_steps(
        config, seconds_per_step=seconds_per_step, seconds_per_validation=state.validate_seconds
    )


def _time_steps(job: Job, allowed: float) -> float:
    """Return the seconds of a step, from steps that take about ``allowed`` seconds after the first few.

    On the CPU it is their median.  A GPU is given work ahead, as in training, so there it is their mean.
    """
    first, most = (WARMUP_STEPS + 2, 1000) if job.on_gpu else (2, 38)
    marks = [working_seconds()]
    for x, y in job.loader.batches(0, first + most):
        job.step(x, y)
        if len(marks) <= first:
            job.wait()
        marks.append(working_seconds())  # from batch to batch: waiting for the loader is part of a step
        if len(marks) > first + 3 and marks[-1] - marks[first] > allowed:
            break
    job.wait()
    if job.on_gpu:
        return (working_seconds() - marks[first]) / (len(marks) - 1 - first)
    return float(np.median(np.diff(marks)[first:]))

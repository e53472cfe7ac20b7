"""Where a training stands, in one file: tensors in safetensors, the rest as JSON in its header."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors.torch import save_file
from torch import Tensor, nn

from prestige.compute.files import whole_file
from prestige.compute.tensors import misfits, read_tensors, refuse_absurd
from prestige.errors import StorageError, reading
from prestige.training.schedule import Plan, TrainConfig

_SCHEMA = "prestige.training.state/2"
_FIRST_SCHEMA = "prestige.training.state/1"
_OVER = "delete its folder; the training starts over"
_SLOTS = frozenset({"step", "exp_avg", "exp_avg_sq"})
"""What AdamW keeps of a parameter."""
_HISTORY = frozenset({"phase", "step", "validation_score"})
"""What is asked of a row of the history."""
_SINCE_FIRST = {"race_scores": "trial_scores", "race_steps": "trial_steps"}


@dataclass
class TrainingState:
    """All of a training's progress that is not a tensor.

    ``phase`` counts the trials of the learning rates; the main phase has the number ``n_rates``.
    """

    plan: Plan
    n_rates: int
    phase: int = 0
    step: int = 0
    train_seconds: float = 0.0
    validate_seconds: float = 0.0
    trial_scores: list[float] = field(default_factory=list)
    best_score: float = float("-inf")
    best_step: int = -1
    decay_from: int | None = None
    recent_losses: list[float] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)

    def span(self) -> tuple[int, int]:
        """Return the first step of the schedule that is being run, and the one before which it ends."""
        if self.phase < self.n_rates:
            return 0, self.plan.trial_steps
        return self.plan.trial_steps, self.plan.main_steps

    def winner(self, rates: Sequence[float], tie: float) -> int:
        """Return the number of the learning rate that goes on.

        It is the highest of those whose trial scored within a share ``tie`` of the best one's: near ties
        are noise, and short trials lean to lower rates than whole trainings do.
        """
        scores = [
            score if score == score else float("-inf") for score in self.trial_scores
        ]  # NaN is the lowest
        best = max(scores)
        near = [i for i, score in enumerate(scores) if score >= best - tie * abs(best) or score == best]
        return max(near, key=lambda i: rates[i])

    def total_steps(self) -> int:
        """Return the steps that the whole training takes, losing trials included."""
        return self.plan.total_steps(self.n_rates)

    def steps_done(self) -> int:
        """Return the steps taken so far, losing trials included."""
        if self.n_rates == 1:
            return self.step
        if self.phase < self.n_rates:
            return self.phase * self.plan.trial_steps + self.step
        return (self.n_rates - 1) * self.plan.trial_steps + self.step

    def note(self, phase: str, learning_rate: float, train_loss: float, score: float) -> None:
        """Add one line to the history: where the training stood at a validation."""
        self.history.append(
            {
                "phase": phase,
                "step": self.step,
                "seconds": round(self.train_seconds, 3),
                "learning_rate": learning_rate,
                "train_loss": train_loss,
                "validation_score": score,
            }
        )

    def plan_decay(self, config: TrainConfig) -> int:
        """Return the last step; under a budget of convergence, fix it once the score has stopped rising."""
        patience = config.budget.patience
        if patience is not None and (self.decay_from is None or self.step < self.decay_from):
            main = [row["step"] for row in self.history if row["phase"] == "main"]
            if sum(step > self.best_step for step in main) >= patience:
                self.decay_from = self.step
                tail = max(self.step // 4, self.plan.validate_every)
                self.plan = self.plan.model_copy(
                    update={"main_steps": min(self.step + tail, self.plan.main_steps)}
                )
        return self.plan.main_steps

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps({**asdict(self), "plan": self.plan.model_dump()})

    @classmethod
    def from_json(cls, text: str) -> TrainingState:
        """Read back what :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            When it is something else, or says of itself what cannot be.
        """
        raw = _renamed(json.loads(text))
        strange = sorted(raw.keys() - {one.name for one in fields(cls)})
        if strange:
            raise ValueError(f"'{strange[0]}' is no part of it")
        state = TypeAdapter(cls).validate_python({**raw, "plan": Plan(**_renamed(raw["plan"]))})
        state.check()
        return state

    def check(self) -> None:
        """Check that the numbers belong to each other.

        Raises
        ------
        ValueError
            With what cannot be.
        """
        plan, trials = self.plan, len(self.trial_scores)
        # A trial's own file is written between its score and the next phase.
        scored = trials == 0 if self.n_rates == 1 else trials in (self.phase, self.phase + 1)
        facts = {
            "the plan": min(plan.trial_steps, plan.main_steps) >= 0 and plan.validate_every >= 1,
            "the phase": self.n_rates >= 1 and 0 <= self.phase <= self.n_rates,
            "the step": 0 <= self.step <= max(plan.trial_steps, plan.main_steps),
            "the scores of the trials": scored and trials <= self.n_rates,
            "the best score": not math.isnan(self.best_score) and self.best_step >= -1,
            "the history": all(row.keys() >= _HISTORY and type(row["step"]) is int for row in self.history),
        }
        wrong = [name for name, holds in facts.items() if not holds]
        if wrong:
            raise ValueError(f"{wrong[0]} cannot be")


def pack(
    model: nn.Module, optimizer: torch.optim.Optimizer, best: dict[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Gather the tensors of model, optimizer and best state under flat names."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in (best or {}).items()}
    for number, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{slot}": torch.as_tensor(value) for slot, value in slots.items()}
    return tensors


def unpack(
    tensors: dict[str, Tensor],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    where: Path | str = "the checkpoint",
) -> dict[str, Tensor]:
    """Put back what :func:`pack` gathered; return the best state (empty when there was none).

    What the optimizer holds already is overwritten where it lies: a captured step knows no other place.
    Weights that are NaN are those of a trial that diverges, and come back; those of the best state are not.

    Raises
    ------
    StorageError
        When the tensors are not those of this model and optimizer, of the file ``where``; nothing is put
        back then.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    parts = _parts(tensors, model.state_dict(), where)
    slots = _slots(parts["optimizer"], parameters, where)
    refuse_absurd(parts["best"], where=where, kind=StorageError, remedy=_OVER)
    model.load_state_dict(parts["model"])
    if optimizer.state:
        for number, values in slots.items():
            for slot, tensor in values.items():
                optimizer.state[parameters[number]][slot].copy_(tensor)
        return parts["best"]
    for number, values in slots.items():
        for slot, tensor in values.items():
            if tensor.shape == parameters[number].shape:
                # In the parameter's memory order: the fused optimizer walks both as flat memory.
                values[slot] = torch.empty_like(parameters[number]).copy_(tensor)
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    return parts["best"]


def _parts(
    tensors: dict[str, Tensor], wanted: Mapping[str, Tensor], where: Path | str
) -> dict[str, dict[str, Tensor]]:
    """Return the tensors by what they belong to; those of the model and of the best state are ``wanted``."""
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        owner, _, rest = name.partition(".")
        if owner not in parts:
            raise _other(name, where)
        parts[owner][rest] = tensor
    for part, needed in (("model", True), ("best", bool(parts["best"]))):
        if needed and (other := misfits(wanted, parts[part])):
            raise _other(f"{part}.{other[0]}", where)
    return parts


def _slots(
    tensors: dict[str, Tensor], parameters: Sequence[Tensor], where: Path | str
) -> dict[int, dict[str, Tensor]]:
    """Return what the optimizer keeps of each parameter, by its number."""
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, slot = name.partition(".")
        if not (number.isascii() and number.isdigit()) or int(number) >= len(parameters):
            raise _other(f"optimizer.{name}", where)
        shape = torch.Size() if slot == "step" else parameters[int(number)].shape
        if slot not in _SLOTS or tensor.shape != shape or not tensor.is_floating_point():
            raise _other(f"optimizer.{name}", where)
        slots.setdefault(int(number), {})[slot] = tensor
    for number, values in slots.items():
        if values.keys() != _SLOTS:
            raise _other(f"optimizer.{number}.{min(_SLOTS - values.keys())}", where)
    return slots


def _other(name: str, where: Path | str) -> StorageError:
    return StorageError(
        f"its tensor '{name}' is missing, or not that of this training",
        where=where,
        expected="the checkpoint of this very run",
        remedy=_OVER,
    )


def save_checkpoint(path: Path, state: TrainingState, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint so that a kill at any moment leaves the old one or the new one, whole.

    Raises
    ------
    StorageError
        When the disk is full or the folder cannot be written.
    """
    header = {"schema": _SCHEMA, "state": state.to_json()}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with whole_file(path) as partial:
        save_file(plain, partial, header)


def load_checkpoint(path: Path, *, device: str = "cpu") -> tuple[TrainingState, dict[str, Tensor]] | None:
    """Read a checkpoint, or return None where there is none.

    Raises
    ------
    StorageError
        When the file is broken or was written in another form.
    """
    if not path.exists():
        return None
    tensors, header = read_tensors(path, kind=StorageError, remedy=_OVER, device=device)
    if header.get("schema") not in (_SCHEMA, _FIRST_SCHEMA):
        raise StorageError(
            f"the checkpoint is of the form {header.get('schema')!r}",
            where=path,
            expected=_SCHEMA,
            remedy=_OVER,
        )
    with reading(path, part="the state of the training", expected=_SCHEMA, remedy=_OVER, kind=StorageError):
        state = TrainingState.from_json(header.get("state") or header["standing"])
    return state, tensors


def _renamed(raw: dict[str, Any]) -> dict[str, Any]:
    return {_SINCE_FIRST.get(name, name): value for name, value in raw.items()}

"""Where a training stands, in one file: tensors in safetensors, the rest as JSON in its header."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from prestige.compute.files import whole_file
from prestige.errors import StorageError
from prestige.training.schedule import Plan, TrainConfig

_SCHEMA = "prestige.training.state/2"
_FIRST_SCHEMA = "prestige.training.state/1"
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
        """Read back what :meth:`to_json` wrote."""
        raw = _renamed(json.loads(text))
        return cls(**{**raw, "plan": Plan(**_renamed(raw["plan"]))})


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
    tensors: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Put back what :func:`pack` gathered; return the best state (empty when there was none).

    What the optimizer holds already is overwritten where it lies: a captured step knows no other place.
    """
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        owner, rest = name.split(".", 1)
        parts[owner][rest] = tensor
    model.load_state_dict(parts["model"])
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        number, slot = name.split(".", 1)
        slots.setdefault(int(number), {})[slot] = tensor
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
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
    try:
        with safe_open(path, framework="pt", device=device) as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"the checkpoint cannot be read ({error})",
            where=path,
            remedy="delete it; the training starts over",
        ) from error
    if header.get("schema") not in (_SCHEMA, _FIRST_SCHEMA):
        raise StorageError(
            f"the checkpoint is of the form {header.get('schema')!r}",
            where=path,
            expected=_SCHEMA,
            remedy="delete it; the training starts over",
        )
    return TrainingState.from_json(header.get("state") or header["standing"]), tensors


def _renamed(raw: dict[str, Any]) -> dict[str, Any]:
    return {_SINCE_FIRST.get(name, name): value for name, value in raw.items()}

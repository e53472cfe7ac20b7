"""How long a predictor trains and at which learning rate: settings and plain arithmetic, no torch.

The budget is the same for every configuration of a bench.  It is a number of steps, a number of
minutes (made into steps by timing a few of them before step 0), or training to convergence.  Out
of it come the trials of the learning rates: all start from the same weights and run one short
schedule, down to zero; the one that stands best on validation goes on through the long one (near ties go
to the highest rate).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import Field, model_validator

from prestige.compute.progress import say
from prestige.data.patches.augment import AugmentConfig
from prestige.settings import Settings

OLD_NAMES = {"race_share": "lr_trial_share", "race_tie": "lr_trial_tie"}
"""Keys that had another name; runs are still told apart by it (:func:`prestige.config.run_hash`)."""


class Budget(Settings):
    """What every configuration may spend: exactly one of the three.

    ``minutes`` is the time it takes on this machine when nothing else runs, validation during
    training included.  ``patience`` trains until the validation score has not risen for so many
    validations (then the learning rate decays); ``steps`` is beside it the most that it may take.
    """

    minutes: float | None = Field(default=None, gt=0)
    steps: int | None = Field(default=None, ge=1)
    patience: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_rule(self) -> Budget:
        if self.patience is not None:
            if self.steps is None or self.minutes is not None:
                raise ValueError("training to convergence needs `patience` and the most `steps` it may take")
        elif (self.minutes is None) == (self.steps is None):
            raise ValueError("give one of `minutes`, `steps`, or `patience` with `steps`")
        return self

    @property
    def kind(self) -> Literal["minutes", "steps", "convergence"]:
        """Which of the three rules this is."""
        if self.patience is not None:
            return "convergence"
        return "minutes" if self.minutes is not None else "steps"


class TrainConfig(Settings):
    """Everything that determines a training besides the data and the model.

    Attributes
    ----------
    lr_trial_share
        Part of the budget that each learning rate is tried for; the best one's trial is kept and goes on.
    lr_trial_tie
        Trials within this share of the best one's score count as equal, and the highest of their rates goes
        on: short trials lean to lower rates than whole trainings do (docs/log.md).
    validations
        How many stand between the first step and the last one.  Under a budget of minutes a slow
        network gets fewer, so that all of them take at most ``validation_share`` of the minutes; one at
        the end of each trial and one at the end of the training always remain.
    validation_observations
        How many observations each of them is made on: the same ones for every configuration.
    compile
        Whether the network's steps are compiled (``torch.compile``).  On a GPU a step is then a fifth to a
        third shorter, once half a minute has gone into compiling; that is not part of a budget of minutes.
    """

    budget: Budget
    batch_size: int = Field(default=128, ge=2)
    learning_rates: tuple[float, ...] = Field(default=(2e-3, 4e-3, 8e-3), min_length=1)
    lr_trial_share: float = Field(default=0.06, gt=0, lt=0.3)
    lr_trial_tie: float = Field(default=0.02, ge=0, lt=1)
    warmup_share: float = Field(default=0.05, ge=0, lt=0.5)
    weight_decay: float = Field(default=0.2, ge=0)
    gradient_clip: float = Field(default=1.0, gt=0)
    loss: str = "mse"
    augment: AugmentConfig = AugmentConfig()
    validations: int = Field(default=12, ge=1)
    validation_observations: int = Field(default=4096, ge=16)
    validation_share: float = Field(default=0.1, gt=0, lt=0.5)
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    compile: bool = False
    checkpoint_seconds: float = Field(default=60.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, raw: Any) -> Any:
        """Take the names of version 0.1 for one version more, with a note."""
        if not isinstance(raw, Mapping):
            return raw
        old = [name for name in OLD_NAMES if name in raw]
        for name in old:
            if OLD_NAMES[name] in raw:
                raise ValueError(f"`{name}` is the old name of `{OLD_NAMES[name]}`: give one of them")
            _note_old(name)
        return {OLD_NAMES.get(name, name): value for name, value in raw.items()}

    @model_validator(mode="after")
    def _rates(self) -> TrainConfig:
        if any(rate <= 0 for rate in self.learning_rates):
            raise ValueError("learning rates must be above 0")
        if len(set(self.learning_rates)) != len(self.learning_rates):
            raise ValueError("a learning rate stands twice")
        if len(self.learning_rates) * self.lr_trial_share >= 0.9:
            raise ValueError("the trials of the learning rates would take 90 % of the budget or more")
        return self


@cache
def _note_old(name: str) -> None:
    """Say once a process that a key has another name now."""
    say(f"note: `{name}` is `{OLD_NAMES[name]}` now; the old name is read for one version more")


class Plan(Settings):
    """A budget made concrete: how many steps each part takes.  Stored, so that a resumed run keeps it.

    ``trial_steps`` are taken for each learning rate; the winner goes on from there to step
    ``main_steps``.  ``total_steps`` is what is computed in all.
    """

    trial_steps: int
    main_steps: int
    validate_every: int
    seconds_per_step: float | None = None
    seconds_per_validation: float | None = None

    def total_steps(self, n_rates: int) -> int:
        """Return the steps computed in all, those of the losing trials included."""
        return self.main_steps + (n_rates - 1) * self.trial_steps


def plan_steps(
    config: TrainConfig, *, seconds_per_step: float = 0.0, seconds_per_validation: float = 0.0
) -> Plan:
    """Turn the budget into steps.

    A budget of T steps with R learning rates and a share s for each trial gives trial = s T steps
    and main = T - (R - 1) s T.  For minutes, T is what remains of them after the validations that
    their share allows, over the seconds that a step was timed at.
    """
    rates = len(config.learning_rates)
    validations, trials = config.validations, rates if rates > 1 else 0
    if config.budget.minutes is not None:
        seconds = config.budget.minutes * 60
        allowed = int(config.validation_share * seconds / max(seconds_per_validation, 1e-9))
        validations = min(validations, max(allowed - trials, 1))
        spare = seconds - (validations + trials) * seconds_per_validation
        total = max(int(spare / max(seconds_per_step, 1e-9)), 2 * rates + validations)
    else:
        total = config.budget.steps or 1
    trial = max(int(total * config.lr_trial_share), 1) if rates > 1 else 0
    main = max(total - (rates - 1) * trial, trial + 1)
    return Plan(
        trial_steps=trial,
        main_steps=main,
        validate_every=max(math.ceil(main / validations), 1),
        seconds_per_step=seconds_per_step or None,
        seconds_per_validation=seconds_per_validation or None,
    )


def schedule(step: int, span: tuple[int, int], warmup_share: float, decay_from: int | None = None) -> float:
    """Return the learning rate of one step as a share of its peak: linear warm-up, half a cosine to zero.

    With ``decay_from`` None the cosine spans all that follows the warm-up (Loshchilov and Hutter,
    2017; the trial that goes on is their warm restart).  Training to convergence holds the peak
    until ``decay_from`` and lets the cosine span the rest.

    Parameters
    ----------
    step
        Which step.
    span
        First step of the schedule, and the one before which it ends.
    warmup_share
        Part of the span that the warm-up takes.
    decay_from
        From where on the rate falls.
    """
    first, end = span
    warmup = first + max(int((end - first) * warmup_share), 1)
    if step < warmup:
        return (step - first + 1) / (warmup - first + 1)
    start = warmup if decay_from is None else max(decay_from, warmup)
    if step < start:
        return 1.0
    share = (step - start) / max(end - start, 1)
    return 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))

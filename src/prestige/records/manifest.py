"""``manifest.json``: what a run was, what it was made with, and what it took."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pydantic import Field

from prestige.records.configuration import Changed, Configuration
from prestige.records.schema import Number, Record, parse, read_json

SCHEMA = "prestige.run/2"
_REMEDY = "delete the run's folder and start the same command again: it is made anew"


class Seconds(Record):
    """How long each step of a run took, in seconds; NaN for one that it did not have."""

    timing: Number = math.nan
    train: Number = math.nan
    validation: Number = Field(default=math.nan, alias="validate")
    predict: Number = math.nan
    score: Number = math.nan
    shift: Number = math.nan
    total: Number = math.nan


class Budget(Record):
    """How long a training was allowed to take: ``kind`` is "minutes", "steps" or "convergence"."""

    kind: str | None = None
    minutes: Number = math.nan
    steps: int | None = None
    seconds_per_step: Number = math.nan
    converged: bool | None = None


class Hardware(Record):
    """What a run was computed on."""

    cpu: str | None = None
    cores: int | None = None
    threads: int | None = None
    device: str | None = None
    platform: str | None = None


class Manifest(Record):
    """What is known of a run.

    Attributes
    ----------
    encoder
        The encoder's name, or a baseline's or diagnostic's with its prefix.
    changed
        Settings of the model that differ from their defaults.
    pretrained
        Whether it started from weights, downloaded or from a file.
    parameters, flops
        What was trained or fitted, and the operations of one prediction.
    patch_um, patch_px, input_px
        The patch; None for a baseline that looks at none.  ``patch_px`` where the yaml gave it so.
    visible_um
        Width left visible of a patch whose rest is greyed out.
    n_train, n_validation, n_test, n_genes
        Observations of each side, and genes of the panel.
    dropped
        Why observations are on no side, and how many.
    steps, batch_size, observations_seen, epochs_seen, learning_rates_tried, learning_rate, best_step,
    validation_score, budget, precision
        Of a training.
    """

    result_version: int | None = None
    finished_at: str | None = None
    encoder: str
    changed: dict[str, Any] = Field(default={})
    baseline: bool = False
    diagnostic: bool = False
    pretrained: bool = False
    parameters: int | None = None
    flops: int | None = None
    patch_um: float | None = None
    patch_px: int | None = None
    input_px: int | None = None
    visible_um: float | None = None
    fold: int = 0
    fold_name: str = ""
    seed: int = 0
    n_train: int | None = None
    n_validation: int | None = None
    n_test: int | None = None
    n_genes: int | None = None
    dropped: dict[str, int] = Field(default={})
    seconds: Seconds = Seconds()
    peak_memory_bytes: int | None = None
    hardware: Hardware = Hardware()
    versions: dict[str, str] = Field(default={})
    data_fingerprints: dict[str, str] = Field(default={})
    steps: int | None = None
    batch_size: int | None = None
    observations_seen: int | None = None
    epochs_seen: Number = math.nan
    learning_rates_tried: tuple[float, ...] = ()
    learning_rate: Number = math.nan
    best_step: int | None = None
    validation_score: Number = math.nan
    budget: Budget = Budget()
    precision: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def configuration(self) -> Configuration:
        """The point of the grid that the run is of."""
        return Configuration(
            pretrained=self.pretrained,
            baseline=self.baseline,
            encoder=self.encoder,
            patch_um=math.inf if self.patch_um is None else self.patch_um,
            input_px=self.input_px or 0,
            visible_um=math.inf if self.visible_um is None else self.visible_um,
            changed=Changed.of(self.changed),
            diagnostic=self.diagnostic,
        )


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, of today's schema or an older one.

    Raises
    ------
    DataError
        When it is missing, cut off, something else, or of a newer version.
    """
    raw, version = read_json(path, SCHEMA, remedy=_REMEDY)
    if version == 1:
        raw["changed"] = changed_of_words(str(raw.get("variant") or ""))
    return parse(Manifest, raw, path, remedy=_REMEDY)


def changed_of_words(words: str) -> dict[str, Any]:
    """Return the settings that version 1 kept as prose: "readout whole, learning rates 0.001 / 0.004"."""
    # The start comes last: a file's name may hold commas.
    others, _, start = f", {words}".partition(", from ")
    changed: dict[str, Any] = {}
    for setting in filter(None, others.split(", ")):
        name, _, value = setting.rpartition(" ")
        if setting.startswith("learning rates "):
            rates = setting.removeprefix("learning rates ").split(" / ")
            changed["learning_rates"] = [float(rate) for rate in rates]
        else:
            changed[name] = float(value) if name == "dropout" else value
    return {**changed, "checkpoint": start} if start else changed

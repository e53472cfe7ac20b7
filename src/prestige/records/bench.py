"""``bench.json``: what a bench says of itself beside its runs, and what is read of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pydantic import Field

from prestige.records.schema import Number, Record, parse, read_json

SCHEMA = "prestige.bench/1"
_REMEDY = "run the bench again: finished runs are kept"


class SampleRecord(Record):
    """A sample of the data set."""

    id: str
    patient: str | None = None
    source: str | None = None
    covariates: dict[str, Any] = Field(default={})
    n_obs: int | None = None
    n_measured: int | None = None
    um_per_px: Number = math.nan
    um_per_px_assumed: bool = False
    width_px: int | None = None
    height_px: int | None = None
    notes: tuple[str, ...] = ()


class DatasetRecord(Record):
    """The data set."""

    name: str = ""
    samples: tuple[SampleRecord, ...] = ()


class SideCounts(Record):
    """Observations of each side of a fold."""

    train: int | None = None
    validation: int | None = None
    test: int | None = None


class SetRecord(Record):
    """A gene set as a fold's panel has it: ``genes`` of it are in the panel, and ``text`` says so."""

    genes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    scored: bool = False
    text: str = ""
    source: str = ""


class CorrelationRecord(Record):
    """How far apart the test side's expression is alike: its length in um, and the structured share."""

    length_um: Number = math.nan
    structured: Number = math.nan
    longest_um: Number = math.nan


class FoldRecord(Record):
    """A fold: its sides, what was dropped and why, its gene sets, its correlation length."""

    index: int
    name: str = ""
    counts: SideCounts = SideCounts()
    dropped: dict[str, int] = Field(default={})
    notes: tuple[str, ...] = ()
    gene_sets: dict[str, SetRecord] = Field(default={})
    correlation: CorrelationRecord | None = None


class FindingRecord(Record):
    """What the audit of the split found; ``accepted`` names the setting that allows it."""

    name: str
    severity: str
    text: str
    samples: tuple[str, ...] = ()
    fold: int | None = None
    accepted: str | None = None


class DistanceRecord(Record):
    """The least distance between two sides of a fold, um; NaN where no slide has both."""

    fold: int
    train_test_um: Number = Field(default=math.nan, alias="train and test")
    validation_test_um: Number = Field(default=math.nan, alias="validation and test")
    train_validation_um: Number = Field(default=math.nan, alias="train and validation")


class AuditRecord(Record):
    """The audit of the split: what it looked at, what it found."""

    findings: tuple[FindingRecord, ...] = ()
    checked: tuple[str, ...] = ()
    distances: tuple[DistanceRecord, ...] = ()


class SkippedRecord(Record):
    """A baseline that has no meaning on a fold, and why."""

    name: str
    fold: int
    reason: str


class PanelSettings(Record):
    """How genes were chosen: a rule's name, "the list FILE" or the genes; counts are scaled to ``total``."""

    genes: str | tuple[str, ...] | None = None
    n: int | None = None
    total: Number = math.nan


class PanelRecord(Record):
    """The panel: its settings, and the genes that every fold's panel has."""

    config: PanelSettings = PanelSettings()
    n_genes_common: int | None = None


class EvaluationRecord(Record):
    """How runs were scored: over blocks of this width, um, and again at these shifts, um."""

    block_um: Number = math.nan
    shifts_um: tuple[float, ...] = ()


class TruthRecord(Record):
    """The known answer of a phantom: ``oracle`` has the best possible score at each width, um."""

    radius_um: Number = math.nan
    margin: Number = math.nan
    oracle: dict[float, float] = Field(default={})
    right_patch_um: Number = math.nan


class RunEntry(Record):
    """A run that is done: its folder, from the bench's."""

    folder: str


class BenchRecord(Record):
    """What a bench says of itself.

    Attributes
    ----------
    split, train
        The settings as they were given, to be shown.
    runs
        Those that are done; None where it is not known.
    finished
        Whether these are all; None where it is not known.
    """

    name: str = ""
    dataset: DatasetRecord = DatasetRecord()
    split: dict[str, Any] = Field(default={})
    folds: tuple[FoldRecord, ...] = ()
    audit: AuditRecord = AuditRecord()
    skipped: tuple[SkippedRecord, ...] = ()
    panel: PanelRecord = PanelRecord()
    evaluation: EvaluationRecord = EvaluationRecord()
    train: dict[str, Any] = Field(default={})
    truth: TruthRecord | None = None
    runs: tuple[RunEntry, ...] | None = None
    finished: bool | None = None

    @property
    def within_section(self) -> bool:
        """Whether training and test tissue may be of one section, and so of one patient."""
        return bool(self.split.get("within_section"))

    @property
    def buffer_um(self) -> float:
        """The distance between the sides, um; NaN where it is not recorded."""
        return float(self.split.get("buffer_um", math.nan))


def read_record(path: Path) -> BenchRecord:
    """Read a bench's record.

    Raises
    ------
    DataError
        When it is cut off, something else, or of a newer version.
    """
    raw, _ = read_json(path, SCHEMA, remedy=_REMEDY)
    return parse(BenchRecord, raw, path, remedy=_REMEDY)

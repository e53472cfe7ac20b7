"""How far the scores vary over trainings and patients, and what runs of equal minutes took."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from prestige.analysis.summary import Summary
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.records.manifest import Manifest
from prestige.stats.spread import Spread

_MINUTES_TOLERANCE = 1.25


@dataclass(frozen=True)
class EncoderSpread:
    """How far the encoders' scores vary, root mean square over the encoders; NaN is not known.

    Attributes
    ----------
    n_patients
        Most patients that any was scored on, 0 where they are not recorded.
    seeds, blocks, patients
        Standard deviation over seeds of the scores of all tissue, their standard error over resampled
        tissue, and the standard deviation over patients.
    n_both
        Encoders of which the spread of one patient's score is known over seeds and over patients.
    seeds_of_patient, patients_of_both
        These two spreads, of these encoders.
    n_more
        Of how many of them it is larger over patients.
    """

    n_patients: int
    seeds: float
    blocks: float
    patients: float
    n_both: int
    seeds_of_patient: float
    patients_of_both: float
    n_more: int


def spreads(summary: Summary) -> dict[Configuration, Spread]:
    """Return the spread of each configuration that was compared, in the order of the table."""
    rows = summary.table[summary.table["compared"]]
    return dict(zip(rows["configuration"], rows["spread"], strict=True))


def encoder_spread(summary: Summary) -> EncoderSpread | None:
    """Return how far the scores of the encoders vary, None where none was compared."""
    every = [one for key, one in spreads(summary).items() if not key.baseline and not key.control]
    if not every:
        return None
    both = [one for one in every if math.isfinite(one.seeds_of_patient) and math.isfinite(one.patients)]
    return EncoderSpread(
        n_patients=max(one.n_patients for one in every),
        seeds=_root_mean_square(one.seeds for one in every),
        blocks=_root_mean_square(one.blocks for one in every),
        patients=_root_mean_square(one.patients for one in every),
        n_both=len(both),
        seeds_of_patient=_root_mean_square(one.seeds_of_patient for one in both),
        patients_of_both=_root_mean_square(one.patients for one in both),
        n_more=sum(one.patients > one.seeds_of_patient for one in both),
    )


def unequal_minutes(bench: Bench) -> tuple[float, float, float] | None:
    """Return the minutes runs of equal minutes were planned for, and the least and most that they took.

    None where they took about the same, and without such runs.
    """
    runs = [run.manifest for run in bench.runs if not run.configuration.baseline]
    timed = [run for run in runs if run.budget.kind == "minutes" and math.isfinite(_seconds(run))]
    spent = [_seconds(run) / 60 for run in timed]
    if not spent or max(spent) <= _MINUTES_TOLERANCE * min(spent):
        return None
    return timed[-1].budget.minutes, min(spent), max(spent)


def _seconds(run: Manifest) -> float:
    return run.seconds.train + run.seconds.validation


def _root_mean_square(values: Iterable[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.sqrt(np.mean(np.square(finite)))) if finite else math.nan

"""How far a score varies: from training to training, and from patient to patient.

Deviations are of different things: of one patient's score, or of the mean over all tissue, which varies less.
Only those of one thing are set side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prestige.errors import DataError
from prestige.stats.moments import Moments, resampled_means

MIN_SEEDS = 3
"""Trainings of each configuration from which their spread is known well enough to claim something."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations of one configuration's score; NaN where there is nothing to take one of.

    Attributes
    ----------
    seeds, n_seeds
        Of the score of all the tissue, over trainings from other seeds.
    seeds_of_patient
        Of one patient's score, over trainings from other seeds: root mean square over patients.
    patients, n_patients
        Of one patient's score, over patients: the mean over its sections and folds, seeds averaged first.
        It holds the chance of which of the patient's tissue was measured.
    sections, n_sections
        Of one section's score, over sections, whosever they are.
    blocks
        Standard error of the score of all the tissue, over resampled tissue.
    """

    seeds: float = math.nan
    n_seeds: int = 0
    seeds_of_patient: float = math.nan
    patients: float = math.nan
    n_patients: int = 0
    sections: float = math.nan
    n_sections: int = 0
    blocks: float = math.nan


def spread_of(
    runs: Sequence[Moments],
    by_seed: Sequence[float],
    *,
    se: float | None = None,
    patient_of: Mapping[str, str] | None = None,
    seed_of: Sequence[int] | None = None,
) -> Spread:
    """Return how far a configuration's score varies.

    Parameters
    ----------
    runs
        Its moments, of all folds and seeds, over the genes that are scored.
    by_seed
        The score of each seed, as :class:`~prestige.stats.Compared` has it.
    se
        Standard error of the score over blocks, None where there is none.
    patient_of
        The patient of each sample; left out, patients are not known.
    seed_of
        The seed of each of the runs; left out, ``seeds_of_patient`` is not known.

    Raises
    ------
    DataError
        When runs and seeds differ in number.
    """
    if seed_of is not None and len(seed_of) != len(runs):
        raise DataError(f"{len(seed_of)} seeds of {len(runs)} runs", where="spread", expected="one each")
    of_section: dict[str, list[float]] = {}
    trained: dict[str, dict[int, list[float]]] = {}  # patient -> seed -> scores of sections and folds
    for number, moments in enumerate(runs):
        for name in np.unique(moments.sample):
            rows = moments.sample == name
            score = resampled_means(np.ones((1, int(rows.sum()))), moments, rows)[0]
            if np.isfinite(score):
                of_section.setdefault(str(name), []).append(float(score))
                if seed_of is not None and patient_of is not None and name in patient_of:
                    by = trained.setdefault(patient_of[str(name)], {})
                    by.setdefault(seed_of[number], []).append(float(score))
    of_patient: dict[str, list[float]] = {}
    for name, scores in of_section.items():
        if patient_of is not None and name in patient_of:
            of_patient.setdefault(patient_of[name], []).extend(scores)
    return Spread(
        seeds=_deviation(by_seed),
        n_seeds=len(by_seed),
        seeds_of_patient=_root_mean_square([_over_seeds(by) for by in trained.values()]),
        patients=_deviation([float(np.mean(scores)) for scores in of_patient.values()]),
        n_patients=len(of_patient),
        sections=_deviation([float(np.mean(scores)) for scores in of_section.values()]),
        n_sections=len(of_section),
        blocks=math.nan if se is None else se,
    )


def _over_seeds(scores: Mapping[int, Sequence[float]]) -> float:
    """Return the deviation over seeds of one patient's score; seeds without one of its sections are left."""
    most = max(len(one) for one in scores.values())
    return _deviation([float(np.mean(one)) for one in scores.values() if len(one) == most])


def _root_mean_square(values: Sequence[float]) -> float:
    finite = np.array([value for value in values if math.isfinite(value)])
    return float(np.sqrt(np.mean(np.square(finite)))) if len(finite) else math.nan


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

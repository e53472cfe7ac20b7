"""How far a score varies: from training to training, and from patient to patient, or within one patient."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prestige.stats.moments import Moments, resampled_means

MIN_SEEDS = 3
"""Trainings of each configuration from which their spread is known well enough to claim something."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations of one configuration's score; NaN where there is nothing to take one of.

    Attributes
    ----------
    seeds, n_seeds
        Over trainings from other seeds, each scored on all the tissue.
    patients, n_patients
        Over patients, each the mean over its sections and folds, seeds averaged first.
    sections, n_sections
        Over sections, whosever they are.
    blocks
        Of the score of all the tissue over resampled blocks, which is its standard error.
    """

    seeds: float = math.nan
    n_seeds: int = 0
    patients: float = math.nan
    n_patients: int = 0
    sections: float = math.nan
    n_sections: int = 0
    blocks: float = math.nan

    @property
    def tissue(self) -> tuple[str, float]:
        """The widest kind of tissue that there is more than one of, and the spread over it."""
        if self.n_patients > 1:
            return "patients", self.patients
        return ("sections", self.sections) if self.n_sections > 1 else ("blocks", self.blocks)


def spread_of(
    runs: Sequence[Moments],
    by_seed: Sequence[float],
    *,
    se: float | None = None,
    patient_of: Mapping[str, str] | None = None,
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
    """
    of_section: dict[str, list[float]] = {}
    for moments in runs:
        for name in np.unique(moments.sample):
            rows = moments.sample == name
            score = resampled_means(np.ones((1, int(rows.sum()))), moments, rows)[0]
            if np.isfinite(score):
                of_section.setdefault(str(name), []).append(float(score))
    of_patient: dict[str, list[float]] = {}
    for name, scores in of_section.items():
        if patient_of is not None and name in patient_of:
            of_patient.setdefault(patient_of[name], []).extend(scores)
    return Spread(
        seeds=_deviation(by_seed),
        n_seeds=len(by_seed),
        patients=_deviation([float(np.mean(scores)) for scores in of_patient.values()]),
        n_patients=len(of_patient),
        sections=_deviation([float(np.mean(scores)) for scores in of_section.values()]),
        n_sections=len(of_section),
        blocks=math.nan if se is None else se,
    )


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

"""How far the scores vary from training to training and from patient to patient, side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from prestige.analysis.summary import Summary
from prestige.records.configuration import Configuration
from prestige.stats.spread import MIN_SEEDS, Spread

UNKNOWN = "\N{EN DASH}"
_HEAD = [
    "configuration",
    "Pearson",
    "seeds",
    "SD over seeds, all tissue",
    "SD over seeds, one patient",
    "SD over patients",
    "standard error over tissue",
]


def spreads(summary: Summary) -> dict[Configuration, Spread]:
    """Return the spread of each configuration that was compared, in the order of the table."""
    rows = summary.table[summary.table["compared"]]
    return dict(zip(rows["configuration"], rows["spread"], strict=True))


def spread_facts(summary: Summary) -> dict[str, Any]:
    """Return what the page says: ``head``, ``rows`` and ``text``; {} where nothing was compared."""
    found = spreads(summary)
    if not found:
        return {}
    scores = dict(zip(summary.table["configuration"], summary.table["score"], strict=True))
    rows = [
        [
            key.label,
            f"{scores[key]:.3f}",
            str(one.n_seeds),
            _written(one.seeds),
            _of_patients(one, one.seeds_of_patient),
            _of_patients(one, one.patients),
            _written(one.blocks),
        ]
        for key, one in found.items()
    ]
    return {"head": _HEAD, "rows": rows, "text": spread_text(summary)}


def spread_text(summary: Summary) -> str:
    """Say how far encoders' scores vary over seeds and over patients, and which is more where that is asked.

    Both are then of one patient's score.  With one patient there is no such spread, and no verdict.
    """
    found = {key: one for key, one in spreads(summary).items() if not key.baseline and not key.control}
    if not found:
        return ""
    if max(one.n_patients for one in found.values()) < 2:
        return _of_all_tissue(list(found.values()))
    of_patients = _root_mean_square(one.patients for one in found.values())
    both = [
        one for one in found.values() if math.isfinite(one.seeds_of_patient) and math.isfinite(one.patients)
    ]
    if not both:
        return (
            f"The encoders' scores of single patients vary from patient to patient with a standard deviation "
            f"of {of_patients:.3f} (root mean square over encoders; it holds the chance of which tissue of a "
            "patient was measured). Each was trained from one seed, so whether they vary more from training "
            "to training is unknown."
        )
    seeds = _root_mean_square(one.seeds_of_patient for one in both)
    patients = _root_mean_square(one.patients for one in both)
    more = sum(one.patients > one.seeds_of_patient for one in both)
    over_patients = f"from patient to patient (standard deviation {patients:.3f})"
    over_seeds = f"from seed to seed ({seeds:.3f})"
    if patients > seeds:
        said = f"more {over_patients} than {over_seeds}"
    else:
        said, more = f"no more {over_patients} than {over_seeds}", len(both) - more
    return (
        f"The encoders' scores of single patients vary {said}, root mean square over encoders; so it is for "
        f"{more} of {len(both)} of them. Of the first, a part is the chance of which tissue of a patient was "
        "measured. All configurations share the tissue, so their differences vary less."
    )


def _of_all_tissue(found: list[Spread]) -> str:
    """Say how far scores of all tissue vary over seeds, and their standard error, without a verdict."""
    patients = max(one.n_patients for one in found)
    few = "All is of one patient: no spread over patients." if patients else "Patients are not recorded."
    seeds = _root_mean_square(one.seeds for one in found)
    error = _root_mean_square(one.blocks for one in found)
    over_seeds = (
        f"vary from seed to seed with a standard deviation of {seeds:.3f}"
        if math.isfinite(seeds)
        else "are each of one seed, so how far they vary from training to training is unknown"
    )
    over_tissue = (
        f"their standard error over resampled tissue is {error:.3f}"
        if math.isfinite(error)
        else "how far they vary over the tissue is not known either"
    )
    return f"{few} The encoders' scores of all tissue {over_seeds}; {over_tissue} (root mean squares)."


def spread_record(summary: Summary, keys: Iterable[Configuration]) -> dict[str, Any]:
    """Return the spreads of some configurations for other programs; None is not applicable or not known."""
    found = spreads(summary)
    rows = [
        {
            "configuration": key.label,
            "n_seeds": one.n_seeds,
            "sd_seeds": _known(one.seeds),
            "sd_seeds_of_patient": _known(one.seeds_of_patient),
            "n_patients": one.n_patients or None,
            "sd_patients": _known(one.patients),
            "n_sections": one.n_sections,
            "sd_sections": _known(one.sections),
            "se_blocks": _known(one.blocks),
        }
        for key in keys
        if (one := found.get(key)) is not None
    ]
    return {"text": spread_text(summary), "rows": rows}


def seeds_limit(summary: Summary, keys: Iterable[Configuration]) -> list[str]:
    """Say what too few trainings of each encoder leave open."""
    found = [one.n_seeds for key, one in spreads(summary).items() if key in set(keys) and not key.baseline]
    fewest, most = min(found, default=MIN_SEEDS), max(found, default=MIN_SEEDS)
    if fewest >= MIN_SEEDS:
        return []
    needed = f"a bench that claims something needs {MIN_SEEDS}"
    if fewest < most:
        return [
            f"{fewest} to {most} seeds: the spread over trainings is not known of every encoder; {needed}."
        ]
    if fewest == 1:
        return [f"One seed: the spread over trainings is unknown; {needed}."]
    return [f"{fewest} seeds: the spread over trainings is hardly known; {needed}."]


def _of_patients(one: Spread, value: float) -> str:
    if one.n_patients > 1:
        return f"{_written(value)} ({one.n_patients})"
    return "n/a: one patient" if one.n_patients == 1 else "n/a: not recorded"


def _root_mean_square(values: Iterable[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.sqrt(np.mean(np.square(finite)))) if finite else math.nan


def _written(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else UNKNOWN


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""How far the scores vary from training to training and from patient to patient, side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from prestige.report.load import Configuration
from prestige.report.summary import Summary
from prestige.stats.spread import MIN_SEEDS, Spread

UNKNOWN = "\N{EN DASH}"
_TISSUE = {
    "patients": "from patient to patient",
    "sections": "from section to section",
    "blocks": "over resampled blocks of this tissue",
}
_COLUMNS = {"sections": "SD over sections", "blocks": "SD over resampled blocks"}


def spreads(summary: Summary) -> dict[Configuration, Spread]:
    """Return the spread of each configuration that was compared, in the order of the table."""
    rows = summary.table[summary.table["compared"]]
    return dict(zip(rows["configuration"], rows["spread"], strict=True))


def spread_facts(summary: Summary) -> dict[str, Any]:
    """Return what the page says: ``head``, ``rows`` and ``text``; {} where nothing was compared."""
    found = spreads(summary)
    if not found:
        return {}
    kind = _kind(found.values())
    head = ["configuration", "Pearson", "seeds", "SD over seeds", "SD over patients"]
    head += [_COLUMNS[kind]] if kind in _COLUMNS else []
    scores = dict(zip(summary.table["configuration"], summary.table["score"], strict=True))
    rows = []
    for key, one in found.items():
        row = [key.label, f"{scores[key]:.3f}", str(one.n_seeds), _written(one.seeds), _of_patients(one)]
        rows.append(row + ([_written(getattr(one, kind))] if kind in _COLUMNS else []))
    return {"head": head, "rows": rows, "text": spread_text(summary)}


def spread_text(summary: Summary) -> str:
    """Say which is larger for encoders, the spread over seeds or that over patients (sections, blocks)."""
    found = {key: one for key, one in spreads(summary).items() if not key.baseline and not key.control}
    if not found:
        return ""
    kind = _kind(found.values())
    tissue = {key: getattr(one, kind) for key, one in found.items()}
    both = [key for key, one in found.items() if math.isfinite(one.seeds) and math.isfinite(tissue[key])]
    of_tissue = _root_mean_square(tissue.values())
    few = _few(found.values())
    if not math.isfinite(of_tissue):
        return f"{few}How far scores vary over the tissue is not known here either."
    if not both:
        return (
            f"{few}The encoders' scores vary {_TISSUE[kind]} with a standard deviation of {of_tissue:.3f} "
            "(root mean square). Each was trained from one seed, so whether they vary more from training to "
            "training is unknown."
        )
    seeds, other = (
        _root_mean_square(values)
        for values in ([found[key].seeds for key in both], [tissue[key] for key in both])
    )
    more = sum(tissue[key] > found[key].seeds for key in both)
    if other > seeds:
        said = (
            f"vary more {_TISSUE[kind]} (standard deviation {other:.3f}) than from seed to seed ({seeds:.3f})"
        )
        count = more
    else:
        said = (
            f"vary more from seed to seed (standard deviation {seeds:.3f}) than {_TISSUE[kind]} ({other:.3f})"
        )
        count = len(both) - more
    shared = " All configurations share the tissue, so their differences vary less." if other > seeds else ""
    return (
        f"{few}The encoders' scores {said}, root mean square; so it is for {count} of {len(both)} of them."
        f"{shared}"
    )


def spread_record(summary: Summary, keys: Iterable[Configuration]) -> dict[str, Any]:
    """Return the spreads of some configurations for other programs; None is not applicable or not known."""
    found = spreads(summary)
    rows = [
        {
            "configuration": key.label,
            "n_seeds": one.n_seeds,
            "sd_seeds": _known(one.seeds),
            "n_patients": one.n_patients or None,
            "sd_patients": _known(one.patients),
            "n_sections": one.n_sections,
            "sd_sections": _known(one.sections),
            "sd_blocks": _known(one.blocks),
        }
        for key in keys
        if (one := found.get(key)) is not None
    ]
    return {"text": spread_text(summary), "rows": rows}


def seeds_limit(summary: Summary, keys: Iterable[Configuration]) -> list[str]:
    """Say what too few trainings of each encoder leave open."""
    found = [one.n_seeds for key, one in spreads(summary).items() if key in set(keys) and not key.baseline]
    fewest = min(found, default=MIN_SEEDS)
    if fewest >= MIN_SEEDS:
        return []
    needed = f"a bench that claims something needs {MIN_SEEDS}"
    if fewest == 1:
        return [f"One seed: the spread over trainings is unknown; {needed}."]
    return [f"{fewest} seeds: the spread over trainings is hardly known; {needed}."]


def _kind(found: Iterable[Spread]) -> str:
    return next((one.tissue[0] for one in found), "blocks")


def _few(found: Iterable[Spread]) -> str:
    patients = max(one.n_patients for one in found)
    if patients > 1:
        return ""
    return "All is of one patient: no spread over patients. " if patients else "Patients are not recorded. "


def _of_patients(one: Spread) -> str:
    if one.n_patients > 1:
        return f"{_written(one.patients)} ({one.n_patients})"
    return "n/a: one patient" if one.n_patients == 1 else "n/a: not recorded"


def _root_mean_square(values: Iterable[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.sqrt(np.mean(np.square(finite)))) if finite else math.nan


def _written(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else UNKNOWN


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

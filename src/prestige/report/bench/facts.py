"""What the page says of spreads, ceilings, registration and effects: sentences and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from prestige.analysis.effects import INTERACTION, OF_PARAMETERS, OF_WIDTH, Effects
from prestige.analysis.sensitivity import BestAtShift
from prestige.analysis.spread import EncoderSpread, spreads
from prestige.analysis.summary import Summary
from prestige.records.configuration import MEAN_BASELINE
from prestige.report.style import MICRO
from prestige.stats.ceilings import MIN_SHOWN
from prestige.stats.effects import Contrast
from prestige.stats.spread import Spread
from prestige.text import format_number, written

_HEAD = [
    "configuration",
    "Pearson",
    "seeds",
    "SD over seeds, all tissue",
    "SD over seeds, one patient",
    "SD over patients",
    "standard error over tissue",
]


def spread_facts(summary: Summary, spread: EncoderSpread | None) -> dict[str, Any]:
    """Return what the page says: ``head``, ``rows`` and ``text``; {} where nothing was compared."""
    of_all = spreads(summary)
    if not of_all:
        return {}
    scores = dict(zip(summary.table["configuration"], summary.table["score"], strict=True))
    rows = [
        [
            key.label,
            f"{scores[key]:.3f}",
            str(one.n_seeds),
            written(one.seeds, ".4f"),
            _of_patients(one, one.seeds_of_patient),
            _of_patients(one, one.patients),
            written(one.blocks, ".4f"),
        ]
        for key, one in of_all.items()
    ]
    return {"head": _HEAD, "rows": rows, "text": spread_text(spread)}


def spread_text(spread: EncoderSpread | None) -> str:
    """Say how far encoders' scores vary over seeds and over patients, and which is more where that is asked.

    Both are then of one patient's score.  With one patient there is no such spread, and no verdict.
    """
    if spread is None:
        return ""
    if spread.n_patients < 2:
        return _of_all_tissue(spread)
    if not spread.n_both:
        return (
            f"The encoders' scores of single patients vary from patient to patient with a standard deviation "
            f"of {spread.patients:.3f} (root mean square over encoders; it holds the chance of which tissue "
            "of a patient was measured). Each was trained from one seed, so whether they vary more from "
            "training to training is unknown."
        )
    over_patients = f"from patient to patient (standard deviation {spread.patients_of_both:.3f})"
    over_seeds = f"from seed to seed ({spread.seeds_of_patient:.3f})"
    if spread.patients_of_both > spread.seeds_of_patient:
        verdict, n_alike = f"more {over_patients} than {over_seeds}", spread.n_more
    else:
        verdict, n_alike = f"no more {over_patients} than {over_seeds}", spread.n_both - spread.n_more
    return (
        f"The encoders' scores of single patients vary {verdict}, root mean square over encoders; so it is "
        f"for {n_alike} of {spread.n_both} of them. Of the first, a part is the chance of which tissue of a "
        "patient was measured. All configurations share the tissue, so their differences vary less."
    )


def _of_all_tissue(spread: EncoderSpread) -> str:
    """Say how far scores of all tissue vary over seeds, and their standard error, without a verdict."""
    one = "All is of one patient: no spread over patients."
    few = one if spread.n_patients else "Patients are not recorded."
    over_seeds = (
        f"vary from seed to seed with a standard deviation of {spread.seeds:.3f}"
        if math.isfinite(spread.seeds)
        else "are each of one seed, so how far they vary from training to training is unknown"
    )
    over_tissue = (
        f"their standard error over resampled tissue is {spread.blocks:.3f}"
        if math.isfinite(spread.blocks)
        else "how far they vary over the tissue is not known either"
    )
    return f"{few} The encoders' scores of all tissue {over_seeds}; {over_tissue} (root mean squares)."


def _of_patients(one: Spread, value: float) -> str:
    if one.n_patients > 1:
        return f"{written(value, '.4f')} ({one.n_patients})"
    return "n/a: one patient" if one.n_patients == 1 else "n/a: not recorded"


def ceiling_facts(fractions: pd.DataFrame, n_genes: int) -> dict[str, Any]:
    """Return what the page says of ceilings: ``text``, and ``head`` and ``rows`` of a table, or {}.

    Parameters
    ----------
    fractions
        Of :func:`prestige.analysis.ceilings.fractions`.
    n_genes
        Genes in the panel of every fold.
    """
    if fractions.empty or not math.isfinite(fractions["fraction"].iloc[0]):
        return {}
    everyone: list[Any] = list(fractions.itertuples())
    shown = [row for row in everyone if row.configuration.encoder != MEAN_BASELINE]
    best = (shown or everyone)[0]
    text = (
        "Counts are noisy, so no reader of the image can reach a correlation of 1. "
        f"For {best.n_genes:,} of {n_genes:,} genes the ceiling can be told from noise "
        f"(lower bound above {MIN_SHOWN:g}). It is {best.ceiling:.2f} on average, and "
        f"{best.configuration.label} reaches {best.fraction:.0%} of it. "
        "Overdispersion of the assay makes ceilings too high and fractions too low."
    )
    head = ["configuration", "genes", "mean Pearson of these", "mean ceiling", "fraction of the ceiling"]
    rows = [
        [
            row.configuration.label,
            f"{row.n_genes:,}",
            f"{row.score:.3f}",
            f"{row.ceiling:.3f}",
            f"{row.fraction:.1%}",
        ]
        for row in everyone
    ]
    return {"text": text, "head": head, "rows": rows}


def sensitivity_facts(table: pd.DataFrame, bests: Sequence[BestAtShift], margin: float) -> dict[str, Any]:
    """Return what the page says: ``text``, ``head`` and ``rows`` of a table; {} without shifted scores.

    Parameters
    ----------
    table, bests, margin
        Of :func:`prestige.analysis.sensitivity.shifted_scores` and ``best_at_shifts``.
    """
    if not bests:
        return {}
    clauses = []
    for one in bests:
        width = "" if one.patch_um is None else f", patches of {format_number(one.patch_um)} {MICRO}"
        where = "where they are" if one.shift_um == 0 else f"moved by {format_number(one.shift_um)} {MICRO}"
        clauses.append(f"{where}: {one.best.label} ({one.score:.3f}){width}")
    head = ["configuration", *(f"moved by {format_number(float(shift))} {MICRO}" for shift in table.columns)]
    return {
        "text": f"The best encoder, and the smallest patch within {margin:g} of it, with the centres "
        f"{'; '.join(clauses)}.",
        "head": head,
        "rows": [[key.label, *(f"{score:.3f}" for score in table.loc[key])] for key in table.index],
    }


def effect_facts(effects: Effects) -> dict[str, Any]:
    """Return what the page says: a table's ``head`` and ``rows``, and what stays ``open``; {} for neither.

    ``reason`` is why there are no intervals, None where there are some.  The intervals of all effects hold
    together.
    """
    if not effects.tested and not effects.untested:
        return {}
    head = ["what is asked", "effect on the score", "95 % interval, all at once", "answer"]
    rows = [
        [name, *effect_words(effect, change=name.endswith((INTERACTION, OF_WIDTH, OF_PARAMETERS)))]
        for name, effect in effects.tested.items()
    ]
    return {
        "head": head if rows else [],
        "rows": rows,
        "open": [f"{name}: {lack}" for name, lack in effects.untested.items()],
        "reason": effects.reason,
    }


def effect_words(effect: Contrast, *, change: bool) -> list[str]:
    """Return an effect's size, its interval, and what that shows (of a ``change``: of another effect)."""
    size = f"{effect.estimate:+.4f}"
    if effect.low is None or effect.high is None:
        return [size, "none", "not decided"]
    interval = f"{effect.low:+.4f} to {effect.high:+.4f}"
    verdicts = {1: "a gain", -1: "a loss", 0: "neither a gain nor a loss is shown"}
    if change:
        verdicts = {1: "it brings more", -1: "it brings less", 0: "no change is shown"}
    return [size, interval, verdicts[effect.sign]]

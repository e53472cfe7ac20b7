"""What the page "Biology" says: sentences of every part, findings at its head, the numbers beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from prestige.biology.agreement import agreement
from prestige.biology.settings import THE_REGION
from prestige.biology.space.structure import Structure
from prestige.biology.study import PARTS, Study
from prestige.report.biology.genes import (
    activity_sentences,
    condition_sentences,
    correlation_sentences,
    enrichment_sentences,
    type_sentences,
)
from prestige.report.biology.phrases import capital, mean_text
from prestige.report.biology.space import (
    domain_sentences,
    gradient_sentences,
    neighbourhood_sentences,
    structure_sentences,
)

WARNED = ("over-smoothed", "no structure predicted")
HALF_DEPTH = (
    "**At half the depth:** the counts of every observation are dealt into two halves. The prediction, with "
    "the counting noise of a half, is compared with one half; the other half is compared with it too "
    "(**halves**), which is what a perfect prediction would reach."
)
HALF_SHORT = (
    "At half the depth: the prediction with noise against one half of the counts. Halves: the other half "
    "against the same one, which is what a perfect prediction would reach."
)
_HEADLINE = {"conditions": 1, "gradients": 1}
"""Part -> which of its sentences is the finding, where it is not the first."""


_SENTENCES: dict[str, Callable[[Any], list[str]]] = {
    "structure": structure_sentences,
    "correlations": correlation_sentences,
    "domains": domain_sentences,
    "activity": activity_sentences,
    "enrichment": enrichment_sentences,
    "cell_types": type_sentences,
    "conditions": condition_sentences,
    "gradients": gradient_sentences,
}


def sentences(study: Study) -> dict[str, list[str]]:
    """Return the sentences part by part; of a part that could not be answered, why."""
    lines_of: dict[str, list[str]] = {}
    for part, name in PARTS.items():
        if part in _SENTENCES and (answer := getattr(study, part)) is not None:
            lines_of[part] = _SENTENCES[part](answer)
        elif part in study.skipped:
            lines_of[part] = [f"Nothing is said of {name}: {study.skipped[part]}."]
    if study.gradients is not None:
        if study.neighbourhoods is not None:
            lines_of["gradients"] += neighbourhood_sentences(study.neighbourhoods)
        if study.region_name != THE_REGION:
            lines_of["gradients"] = [_with_name(text, study.region_name) for text in lines_of["gradients"]]
    return lines_of


def _with_name(text: str, name: str) -> str:
    if text.startswith("Region by "):  # the sentence on what it is
        text = f"{capital(name)}, by {text.removeprefix('Region by ')}"
    return text.replace(THE_REGION, name)


def verdict_of(study: Study) -> str:
    """Return the verdict on smoothing, "not judged" where structure was not looked at."""
    return study.structure.verdict if study.structure is not None else "not judged"


def findings(study: Study, sets_text: str = "") -> list[tuple[str, str]]:
    """Return (what it is about, one sentence) of each part, the structure in space first."""
    lines_of = {part: _headline(part, lines) for part, lines in sentences(study).items()}
    rows = [("structure in space", lines_of.pop("structure"))] if "structure" in lines_of else []
    rows.append(("scores", scores_sentence(study)))
    if sets_text:
        rows.append(("gene sets", sets_text.split(". ", 1)[-1]))  # what follows the method
    named = PARTS | ({} if study.region_name == THE_REGION else {"gradients": f"around {study.region_name}"})
    return rows + [(named[part], text) for part, text in lines_of.items()]


def title_of(part: str, study: Study) -> str:
    """Return the title of a section, with the name of the region where it has one."""
    return f"Around {study.region_name}" if part == "gradients" else capital(PARTS[part])


def _headline(part: str, lines: Sequence[str]) -> str:
    return lines[min(_HEADLINE.get(part, 0), len(lines) - 1)]


def scores_sentence(study: Study) -> str:
    """Return the mean of the genes' scores, with its interval; constant predictions are named."""
    genes, mean = agreement(study.evaluation.moments), study.mean_score
    n = int((genes.n_samples > 0).sum())
    if not n:
        return "No gene has a score: nothing varies in the measurement."
    if (genes.n_constant == genes.n_samples).all():
        return (
            f"The prediction is constant in every section, for all {n:,} genes that vary in the measurement: "
            "their Pearson is not defined and counts 0."
        )
    why = "" if mean.low is not None else f"; no interval: {interval_note(study)}"
    text = f"Mean Pearson of {n:,} genes over observations, within sections: {mean_text(mean)}{why}."
    if n_constant := int((genes.n_constant > 0).sum()):
        text += (
            f" The prediction of {n_constant:,} of them is constant in a section or more, and counts 0 there."
        )
    return text


def interval_note(study: Study) -> str:
    """Return what the intervals of means rest on, or why there are none."""
    return study.mean_score.note.removeprefix("no interval: ").rstrip(".")


def tiles(study: Study) -> list[dict[str, str]]:
    """Return the few numbers that stand beside the findings."""
    shown = []
    if study.structure is not None:
        shown.append(_structure_tile(study.structure))
    mean = study.mean_score
    if math.isfinite(mean.value):
        span = "" if mean.low is None or mean.high is None else f"95 %: {mean.low:.2f} to {mean.high:.2f}"
        if not np.isfinite(study.scores).any():
            span = "constant predictions count 0"
        shown.append(_tile("genes, mean Pearson", mean.value, span))
    if study.activity is not None and study.activity.means:
        means = study.activity.means
        note = _reach(means["halves"].value)
        shown.append(_tile("pathway activity at half the depth", means["noisy_half"].value, note))
    if study.domains is not None:
        one = study.domains
        note = _reach(one.ari_halves, one.ari_depth)
        shown.append(_tile("domains (ARI) at half the depth", one.ari_half, note))
    if study.cell_types is not None and study.cell_types.kappa:
        kappa = study.cell_types.kappa
        note = _reach(kappa["halves"], kappa["depth"])
        shown.append(_tile("cell types (kappa) at half the depth", kappa["noisy_half"], note))
    if study.conditions is not None:
        kept, depth = (study.conditions.kept[name] for name in ("predicted", "depth"))
        value = f"{kept.kept:.0f} of {kept.top}"
        note = f"as predicted; by chance {kept.by_chance:.1f}, depth alone {depth.kept:.0f}"
        shown.append({"name": "largest differences kept", "value": value, "note": note, "mark": ""})
    return shown


def _structure_tile(structure: Structure) -> dict[str, str]:
    length = structure.smoothing.length_um
    note = f"smoothing length {length:.3g} \N{MICRO SIGN}m" if math.isfinite(length) else ""
    mark = "warn" if structure.verdict in WARNED else ""
    return {"name": "structure in space", "value": structure.verdict.capitalize(), "note": note, "mark": mark}


def _tile(name: str, value: float, note: str) -> dict[str, str]:
    text = f"{value:.2f}" if math.isfinite(value) else "\N{EN DASH}"
    return {"name": name, "value": text, "note": note, "mark": ""}


def _reach(value: float, depth: float = math.nan) -> str:
    parts = [f"halves of the measurement reach {value:.2f}"] if math.isfinite(value) else []
    parts += [f"depth alone {depth:.2f}"] if math.isfinite(depth) else []
    return ", ".join(parts)

"""What the page "Biology" says first: findings, the few numbers beside them, and the record for programs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from prestige.biology.agreement import Mean, agreement, mean_agreement
from prestige.biology.settings import THE_REGION
from prestige.biology.space.structure import Structure
from prestige.biology.study import PARTS, Study

SCHEMA = "prestige.biology/1"
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
_MEANS: WeakKeyDictionary[Study, Mean] = WeakKeyDictionary()  # of studies that are in use
_HEADLINE = {"conditions": 1, "gradients": 1}
"""Part -> which of its sentences is the finding, where it is not the first."""


def with_units(text: str) -> str:
    """Write micrometres as a reader should see them."""
    return re.sub(r"(?<=\d )um\b", "\N{MICRO SIGN}m", text)


def verdict_of(study: Study) -> str:
    """Return the verdict on smoothing, "not judged" where structure was not looked at."""
    return study.structure.verdict if study.structure is not None else "not judged"


def findings(study: Study, sets_text: str = "") -> list[tuple[str, str]]:
    """Return (what it is about, one sentence) of each part, the structure in space first."""
    told = {part: _headline(part, said) for part, said in study.sentences().items()}
    rows = [("structure in space", told.pop("structure"))] if "structure" in told else []
    rows.append(("scores", scores_sentence(study)))
    if sets_text:
        rows.append(("gene sets", sets_text.split(". ", 1)[-1]))  # what follows the method
    return rows + [(_called(part, study), text) for part, text in told.items()]


def _called(part: str, study: Study) -> str:
    return f"around {study.region_name}" if _has_name(part, study) else PARTS[part]


def _has_name(part: str, study: Study) -> bool:
    return part == "gradients" and study.region_name != THE_REGION


def title_of(part: str, study: Study, title: str) -> str:
    """Return the title of a section, with the name of the region where it has one."""
    return f"Around {study.region_name}" if _has_name(part, study) else title


def _headline(part: str, said: Sequence[str]) -> str:
    return said[min(_HEADLINE.get(part, 0), len(said) - 1)]


def scores_sentence(study: Study) -> str:
    """Return the mean of the genes' scores, with its interval; constant predictions are named."""
    found, mean = agreement(study.evaluation.moments), mean_score(study)
    n = int((found.n_samples > 0).sum())
    if not n:
        return "No gene has a score: nothing varies in the measurement."
    if (found.n_constant == found.n_samples).all():
        return (
            f"The prediction is constant in every section, for all {n:,} genes that vary in the measurement: "
            "their Pearson is not defined and counts 0."
        )
    why = "" if mean.low is not None else f"; no interval: {interval_note(study)}"
    text = f"Mean Pearson of {n:,} genes over observations, within sections: {mean.text}{why}."
    n_constant = int((found.n_constant > 0).sum())
    if n_constant:
        text += (
            f" The prediction of {n_constant:,} of them is constant in a section or more, and counts 0 there."
        )
    return text


def interval_note(study: Study) -> str:
    """Return what the intervals of means rest on, or why there are none."""
    return mean_score(study).note.removeprefix("no interval: ").rstrip(".")


def mean_score(study: Study) -> Mean:
    """Return the mean of the genes' scores: bootstrapped once for a study."""
    if study not in _MEANS:
        _MEANS[study] = mean_agreement(study.evaluation.moments, patient_of=study.pair.patient_of)
    return _MEANS[study]


def tiles(study: Study) -> list[dict[str, str]]:
    """Return the few numbers that stand beside the findings."""
    found = []
    if study.structure is not None:
        found.append(_structure_tile(study.structure))
    mean = mean_score(study)
    if math.isfinite(mean.value):
        span = "" if mean.low is None or mean.high is None else f"95 %: {mean.low:.2f} to {mean.high:.2f}"
        if not np.isfinite(study.scores).any():
            span = "constant predictions count 0"
        found.append(_tile("genes, mean Pearson", mean.value, span))
    if study.activity is not None and study.activity.means:
        means = study.activity.means
        found.append(
            _tile(
                "pathway activity at half the depth", means["noisy_half"].value, _reach(means["halves"].value)
            )
        )
    if study.domains is not None:
        one = study.domains
        note = _reach(one.ari_halves, one.ari_depth)
        found.append(_tile("domains (ARI) at half the depth", one.ari_half, note))
    if study.cell_types is not None and study.cell_types.kappa:
        kappa = study.cell_types.kappa
        note = _reach(kappa["halves"], kappa["depth"])
        found.append(_tile("cell types (kappa) at half the depth", kappa["noisy_half"], note))
    if study.conditions is not None:
        kept, depth = (study.conditions.kept[name] for name in ("predicted", "depth"))
        value = f"{kept.kept:.0f} of {kept.top}"
        note = f"as predicted; by chance {kept.by_chance:.1f}, depth alone {depth.kept:.0f}"
        found.append({"name": "largest differences kept", "value": value, "note": note, "mark": ""})
    return found


def _structure_tile(found: Structure) -> dict[str, str]:
    length = found.smoothing.length_um
    note = f"smoothing length {length:.3g} \N{MICRO SIGN}m" if math.isfinite(length) else ""
    warned = "warn" if found.verdict in WARNED else ""
    return {"name": "structure in space", "value": found.verdict.capitalize(), "note": note, "mark": warned}


def _tile(name: str, value: float, note: str) -> dict[str, str]:
    return {
        "name": name,
        "value": f"{value:.2f}" if math.isfinite(value) else "\N{EN DASH}",
        "note": note,
        "mark": "",
    }


def _reach(value: float, depth: float = math.nan) -> str:
    parts = [f"halves of the measurement reach {value:.2f}"] if math.isfinite(value) else []
    parts += [f"depth alone {depth:.2f}"] if math.isfinite(depth) else []
    return ", ".join(parts)


def record(
    study: Study, *, title: str, subtitle: str, notes: Sequence[str], set_facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a program reads of a study: verdict, key numbers, and all sentences by part."""
    pair = study.pair
    sentences = {"scores": [scores_sentence(study)], **study.sentences()}
    if set_facts:
        sentences["sets"] = [set_facts["text"], *set_facts["notes"]]
    found = {
        "schema": SCHEMA,
        "title": title,
        "subtitle": subtitle,
        "notes": list(notes),
        "samples": [str(name) for name in np.unique(pair.sample_of.astype(np.str_))],
        "n_observations": len(pair),
        "n_genes": len(pair.genes),
        "verdict": verdict_of(study),
        "numbers": numbers(study),
        "sentences": sentences,
        "skipped": dict(study.skipped),
    }
    return _plain(found)


def numbers(study: Study) -> dict[str, Any]:
    """Return the key numbers part by part."""
    found: dict[str, Any] = {"scores": {"mean_pearson": _of_mean(mean_score(study))}}
    if (one := study.structure) is not None:
        found["structure"] = {
            "smoothing_length_um": [one.smoothing.length_um, one.smoothing.low_um, one.smoothing.high_um],
            "smoothing_length_halves_um": one.halves.length_um,
            "structure_lost": [one.smoothing.lost, one.smoothing.lost_low, one.smoothing.lost_high],
            "observations_averaged": one.smoothing.averaged,
            "spacing_um": one.smoothing.spacing_um,
            "variance_ratio": one.variance_ratio,
            "variance_ratio_halves": one.variance_ratio_halves,
            "signal_ratio": one.signal_ratio,
            "morans_i": {
                str(key).removeprefix("morans_i_"): value
                for key, value in one.table.filter(like="morans_i_").mean().items()
            },
        }
    if study.correlations is not None:
        rows = study.correlations.table.set_index("set").filter(like="agreement")
        found["correlations"] = rows.to_dict(orient="index")
    if (one := study.domains) is not None:
        names = ("ari", "ari_half", "ari_halves", "ari_depth", "ari_shuffled")
        found["domains"] = {name: getattr(one, name) for name in names} | {"intervals": dict(one.intervals)}
    if (one := study.activity) is not None:
        found["activity"] = {name: _of_mean(mean) for name, mean in one.means.items()}
    if (one := study.cell_types) is not None:
        found["cell_types"] = {
            "same": dict(one.same),
            "kappa": dict(one.kappa),
            "kappa_intervals": dict(one.kappa_intervals),
            "composition": {name: _of_mean(mean) for name, mean in one.means.items()},
        }
    return found | _optional_numbers(study)


def _optional_numbers(study: Study) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if (one := study.conditions) is not None:
        found["conditions"] = {name: vars(kept) for name, kept in one.kept.items()}
    if (one := study.gradients) is not None:
        changed = one.table["p_adjusted_measured"] <= 0.05
        found["gradients"] = {
            "n_tested": len(one.table),
            "n_measured": int(changed.sum()),
            "n_kept": int((changed & (one.table["p_adjusted_noisy"] <= 0.05)).sum()),
            "n_depth": int((changed & (one.table["p_adjusted_depth"] <= 0.05)).sum()),
            "mean_curve_correlation": float(one.table.loc[changed, "curves"].mean()),
        }
    if (region := study.region) is not None:
        found["region"] = {"n_components": region.n_components, "n_inside": int(region.inside.sum())}
    return found


def _of_mean(mean: Mean) -> list[float | None]:
    return [mean.value, mean.low, mean.high]


def _plain(value: Any) -> Any:
    """Return what JSON has words for; a number that is none becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value

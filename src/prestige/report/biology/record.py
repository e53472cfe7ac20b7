"""What a program reads of a study, as ``biology.json`` holds it: verdict, key numbers, sentences by part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prestige.biology.agreement import Mean
from prestige.biology.space.gradients import LEVEL
from prestige.biology.study import Study
from prestige.report.biology.words import scores_sentence, sentences, verdict_of

SCHEMA = "prestige.biology/1"


def record(
    study: Study, *, title: str, subtitle: str, notes: Sequence[str], set_facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a program reads of a study: verdict, key numbers, and all sentences by part."""
    pair = study.pair
    lines_of = {"scores": [scores_sentence(study)], **sentences(study)}
    if set_facts:
        lines_of["sets"] = [set_facts["text"], *set_facts["notes"]]
    kept = {
        "schema": SCHEMA,
        "title": title,
        "subtitle": subtitle,
        "notes": list(notes),
        "samples": [str(name) for name in np.unique(pair.sample_of.astype(np.str_))],
        "n_observations": len(pair),
        "n_genes": len(pair.genes),
        "verdict": verdict_of(study),
        "numbers": numbers(study),
        "sentences": lines_of,
        "skipped": dict(study.skipped),
    }
    return _plain(kept)


def numbers(study: Study) -> dict[str, Any]:
    """Return the key numbers part by part."""
    numbers: dict[str, Any] = {"scores": {"mean_pearson": _of_mean(study.mean_score)}}
    if (one := study.structure) is not None:
        numbers["structure"] = {
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
        numbers["correlations"] = rows.to_dict(orient="index")
    if (one := study.domains) is not None:
        numbers["domains"] = one.indices | {"intervals": dict(one.intervals)}
    if (one := study.activity) is not None:
        numbers["activity"] = {name: _of_mean(mean) for name, mean in one.means.items()}
    if (one := study.cell_types) is not None:
        numbers["cell_types"] = {
            "same": dict(one.same),
            "kappa": dict(one.kappa),
            "kappa_intervals": dict(one.kappa_intervals),
            "composition": {name: _of_mean(mean) for name, mean in one.means.items()},
        }
    return numbers | _optional_numbers(study)


def _optional_numbers(study: Study) -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    if (one := study.conditions) is not None:
        numbers["conditions"] = {name: vars(kept) for name, kept in one.kept.items()}
    if (one := study.gradients) is not None:
        changed = one.table["p_adjusted_measured"] <= LEVEL
        numbers["gradients"] = {
            "n_tested": len(one.table),
            "n_measured": int(changed.sum()),
            "n_kept": int((changed & (one.table["p_adjusted_noisy"] <= LEVEL)).sum()),
            "n_depth": int((changed & (one.table["p_adjusted_depth"] <= LEVEL)).sum()),
            "mean_curve_correlation": float(one.table.loc[changed, "curves"].mean()),
        }
    if (region := study.region) is not None:
        numbers["region"] = {"n_components": region.n_components, "n_inside": int(region.inside.sum())}
    return numbers


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

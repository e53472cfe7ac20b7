"""An answer and what stands behind it as plain values, for other programs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from prestige.analysis.answer import Answer
from prestige.analysis.effects import Effects
from prestige.analysis.spread import spreads
from prestige.analysis.summary import Summary
from prestige.records.configuration import Configuration
from prestige.stats.block_width import Blocks
from prestige.stats.recommend import Recommendation


def answer_record(summary: Summary, answer: Answer) -> dict[str, Any]:
    """Return one group's answer in numbers and labels; None is not applicable or not known."""
    group = next(group for group in summary.groups if group.pretrained == answer.pretrained)
    return {
        "pretrained": answer.pretrained,
        "best": answer.best.label,
        "pearson": answer.score,
        "interval": answer.interval,
        "tied": None if answer.tied is None else [key.label for key in answer.tied],
        "patch_um": answer.patch_um,
        "patch_shown": answer.patch_shown,
        "margin": answer.margin,
        "baselines": {name: _known(score) for name, score in answer.baselines.items()},
        "right_patch_um": answer.right_patch_um,
        "agrees": answer.agrees,
        "recommended": advice_record(answer.recommendation),
        "blocks": blocks_record(summary.blocks),
        "spread": {"rows": spread_rows(summary, group.results)},
    }


def effect_records(effects: Effects) -> list[dict[str, Any]]:
    """Return each effect that was tested: its name, estimate, and the ends of its interval."""
    return [
        {"effect": name, "estimate": one.estimate, "low": one.low, "high": one.high}
        for name, one in effects.tested.items()
    ]


def advice_record(advice: Recommendation[Configuration] | None) -> dict[str, Any] | None:
    """Return the recommendation in labels."""
    if advice is None:
        return None
    kinds = ("not_worse", "not_above_floor", "undecided", "worse")
    names = {name: [key.label for key in getattr(advice, name)] for name in kinds}
    return {
        "chosen": None if advice.chosen is None else advice.chosen.label,
        "patch_um": None if advice.chosen is None else advice.chosen.patch_um,
        "margin": advice.margin,
        "reason": advice.reason,
        **names,
    }


def blocks_record(blocks: Blocks | None) -> dict[str, Any] | None:
    """Return which blocks stand behind the intervals.

    ``correlation_length_um`` is None where it lies beyond the tissue or none is known, and ``wide_enough``
    then false or None.
    """
    if blocks is None:
        return None
    has_length = not blocks.endless and (blocks.length_um > 0 or not blocks.unknown)
    return {
        "kept_um": blocks.kept_um,
        "merged_um": blocks.width_um,
        "correlation_length_um": blocks.length_um if has_length else None,
        "wide_enough": blocks.wide_enough,
    }


def spread_rows(summary: Summary, keys: Iterable[Configuration]) -> list[dict[str, Any]]:
    """Return the spreads of some configurations; None is not applicable or not known."""
    of_all = spreads(summary)
    return [
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
        if (one := of_all.get(key)) is not None
    ]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""The answer for other programs: ``answer.json``."""

from __future__ import annotations

import math
from typing import Any

from prestige.analysis.advice import advice_record
from prestige.analysis.answer import Answer
from prestige.analysis.blocks import blocks_record
from prestige.analysis.spread import spread_record
from prestige.analysis.summary import Summary


def answer_record(summary: Summary, answer: Answer, questions: dict[str, Any]) -> dict[str, Any]:
    """Return one group's answer as plain values; ``questions`` are the facts of its effects."""
    group = next(group for group in summary.groups if group.pretrained == answer.pretrained)
    return {
        "text": answer.text,
        "limits": [limit.replace("**", "") for limit in answer.limits],
        "pretrained": answer.pretrained,
        "best": answer.best.label,
        "pearson": answer.score,
        "interval": answer.interval,
        "tied": None if answer.tied is None else [key.label for key in answer.tied],
        "patch_um": answer.patch_um,
        "patch_shown": answer.patch_shown,
        "margin": answer.margin,
        "baselines": {
            name: score if math.isfinite(score) else None for name, score in answer.baselines.items()
        },
        "right_patch_um": answer.right_patch_um,
        "agrees": answer.agrees,
        "recommended": advice_record(summary, group, answer.margin),
        "blocks": blocks_record(summary.blocks),
        "spread": spread_record(summary, group.standings),
        "questions": questions.get("rows", []),
        "not_asked": questions.get("open", []),
    }

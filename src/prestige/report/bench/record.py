"""The answer for other programs: ``answer.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prestige.report.bench.answer import plain


def with_words(
    record: dict[str, Any], lines: Sequence[str], limits: Sequence[str], spread: str, effects: dict[str, Any]
) -> dict[str, Any]:
    """Return the record of an answer with what the page says of it.

    Parameters
    ----------
    record
        Of :func:`prestige.analysis.record.answer_record`.
    lines, limits, spread
        The lead, what does not follow from it, and what is said of the spreads.
    effects
        Of :func:`prestige.report.bench.facts.effect_facts`.
    """
    return {
        "text": plain(lines),
        "limits": [plain([limit]) for limit in limits],
        **record,
        "spread": {"text": spread, **record["spread"]},
        "questions": effects.get("rows", []),
        "not_asked": effects.get("open", []),
    }

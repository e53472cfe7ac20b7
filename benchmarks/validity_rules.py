"""When a row of `validity.py` passes: nothing false is claimed, and it could have been."""

from __future__ import annotations

from typing import Any


def null_passed(chosen: Any, intervals: int, configurations: int) -> bool:
    """Return whether nothing is recommended though every configuration has an interval."""
    return chosen is None and intervals == configurations > 0


def own_passed(named: float | None, narrowest: float, interval: str | None, verdict: str) -> bool:
    """Return whether the narrowest patch is named and a wider one is no gain by its interval ("none": no).

    The words are those of the report's record.
    """
    return named == narrowest and interval not in (None, "none") and verdict != "a gain"


def parameters_passed(claimed: bool, gap_low: float | None) -> bool:
    """Return whether no gain is claimed though there are bounds to claim one by."""
    return not claimed and gap_low is not None

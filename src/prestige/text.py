"""Numbers as a reader should see them: short, and a dash where there is none."""

from __future__ import annotations

import math
from typing import Any


def number(value: Any) -> float:
    """Return a float, NaN for None and what cannot be read as one."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def format_number(value: float) -> str:
    """Write a width with at most three significant digits and no trailing zeros."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def si(value: float) -> str:
    """Write a large number shortly: 1.2 M, 340 k."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.3g}"

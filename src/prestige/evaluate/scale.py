"""Scales of expression, as ``--scale`` names them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from prestige.errors import ConfigError

SCALES = "log1p:TOTAL (log1p of counts scaled to TOTAL), log1p, total:TOTAL or counts"


@dataclass(frozen=True)
class Scale:
    """A scale of expression: counts, perhaps scaled to a total, perhaps log1p of that."""

    total: float | None
    log1p: bool

    def __str__(self) -> str:
        if self.total is None:
            return "log1p" if self.log1p else "counts"
        return f"{'log1p' if self.log1p else 'total'}:{self.total:g}"


def parse_scale(text: str) -> Scale:
    """Read "log1p:100", "log1p", "total:100" or "counts".

    Raises
    ------
    ConfigError
        When it is none of them.
    """
    matched = re.fullmatch(r"(log1p|total|counts)(?::([0-9.eE+]+))?", text.strip())
    kind, number = matched.groups() if matched else ("", None)
    try:
        total = float(number) if number else None
    except ValueError:
        kind, total = "", None
    fits = kind == "log1p" or kind == ("counts" if total is None else "total")
    if not fits or (total is not None and not (0 < total < float("inf"))):
        raise ConfigError(f"unknown scale '{text}'", where="--scale", expected=SCALES)
    return Scale(total, kind == "log1p")

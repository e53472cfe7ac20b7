"""What every page shares: its templates and filters."""

from __future__ import annotations

import math
import re
from typing import Any

import jinja2
from markupsafe import Markup, escape

from prestige.report.bench import tables
from prestige.text import number


def render(template: str, context: dict[str, Any]) -> str:
    """Fill one of the package's templates; everything is escaped, and an unknown name is a fault."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("prestige.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(strong=strong, score=score, metric=metric, json=_json)
    return environment.get_template(template).render(context)


def strong(text: str) -> Markup:
    """Turn ``**x**`` into strong text, everything else escaped."""
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text))))


def score(value: Any) -> str:
    """Write a score with three digits, a dash where there is none."""
    found = number(value)
    return f"{found:.3f}" if math.isfinite(found) else "\N{EN DASH}"


def metric(name: str) -> str:
    """Write a metric's name as a reader should see it."""
    known = {
        "pearson": "Pearson",
        "spearman": "Spearman",
        "challenge_spearman": "Spearman (challenge)",
        "cosine": "cosine",
    }
    stem = name.removesuffix(tables.CENTRED)
    return known.get(stem, stem.upper()) + (", centred" if stem != name else "")


def _json(value: Any) -> Markup:
    return Markup(tables.json_for_page(value))

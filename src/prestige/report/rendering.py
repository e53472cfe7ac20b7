"""What every page shares: its templates and filters."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from prestige.report.spreadsheet import for_spreadsheets
from prestige.text import written

CENTRED = "_centred"
"""Ends the name of a metric from which each gene's training mean was taken off."""


def render(template: str, context: dict[str, Any]) -> str:
    """Fill one of the package's templates; everything is escaped, and an unknown name is a fault."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("prestige.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(strong=strong, score=score, metric=metric, json=json_for_page)
    return environment.get_template(template).render(context)


def strong(text: str) -> Markup:
    """Turn ``**x**`` into strong text, everything else escaped."""
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text))))


def score(value: Any) -> str:
    """Write a score with three digits, a dash where there is none."""
    return written(value, ".3f")


def metric(name: str) -> str:
    """Write a metric's name as a reader should see it."""
    known = {
        "pearson": "Pearson",
        "spearman": "Spearman",
        "challenge_spearman": "Spearman (challenge)",
        "cosine": "cosine",
    }
    stem = name.removesuffix(CENTRED)
    return known.get(stem, stem.upper()) + (", centred" if stem != name else "")


def listed(items: Sequence[str]) -> str:
    """Write "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Write each table as ``folder/<name>.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        for_spreadsheets(table).to_csv(
            folder / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n"
        )


def json_for_page(data: Any) -> Markup:
    """Write JSON that may stand inside a script element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))

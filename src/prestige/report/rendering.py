"""What every page shares: its templates and filters, and a folder that is written whole or not at all."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from prestige.errors import StorageError, storing
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


@contextmanager
def replacing(folder: Path, own: Collection[str]) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``folder`` once all is written in it.

    Parameters
    ----------
    own
        Names that a folder of this kind holds.  One that holds anything else is left as it is.

    Raises
    ------
    StorageError
        When the folder holds other files, or the disk refuses.
    """
    partial, old = (folder.with_name(f".{folder.name}.{end}") for end in ("partial", "old"))
    with storing(folder):
        check_own(folder, own)
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            yield partial
            shutil.rmtree(old, ignore_errors=True)
            if folder.exists():
                os.replace(folder, old)
            try:
                os.replace(partial, folder)
            except OSError:
                if old.exists():
                    os.replace(old, folder)
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def check_own(folder: Path, own: Collection[str]) -> None:
    """Refuse a folder that holds anything besides the names in ``own``, and a file in its place.

    Raises
    ------
    StorageError
        When something would be lost.
    """
    if not folder.exists():
        return
    with storing(folder):
        other = sorted(path.name for path in folder.iterdir() if path.name not in own)
    if other:
        raise StorageError(
            f"holds '{other[0]}', which is not of this page and would be lost",
            where=folder,
            expected="a new folder, or one that this page was written to before",
            remedy="choose another folder",
        )

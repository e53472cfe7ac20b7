"""The page "Biology" of one study: what is kept of the tissue's biology, measured beside predicted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from prestige.analysis.frames import set_scores_table
from prestige.analysis.gene_sets.scores import SetScores
from prestige.biology.study import Study
from prestige.compute.files import whole_folder
from prestige.inputs import real_path
from prestige.records.configuration import Configuration
from prestige.report.biology import tables as facts
from prestige.report.biology.maps import sections_of
from prestige.report.biology.parts import Maker, parts_of, set_part
from prestige.report.biology.record import record
from prestige.report.biology.words import (
    HALF_DEPTH,
    HALF_SHORT,
    WARNED,
    findings,
    interval_note,
    tiles,
    verdict_of,
)
from prestige.report.gene_sets.tables import score_facts
from prestige.report.rendering import render, write_tables
from prestige.report.style import drawing, save_figure, with_units
from prestige.text import format_number

OWN = ("index.html", "biology.json", "figures/*.png", "figures/*.svg", *facts.FILES)
"""What the folder of a page holds."""


def write_biology(
    study: Study,
    folder: Path,
    *,
    title: str,
    subtitle: str,
    notes: Sequence[str] = (),
    genes: Sequence[str] = (),
    sets: tuple[SetScores, Configuration] | None = None,
) -> Path:
    """Write ``index.html``, ``biology.json``, ``figures/`` and ``tables/`` of a study.

    The folder is replaced as a whole: it is the old page or the new one.

    Parameters
    ----------
    title, subtitle
        Of the page: what was asked, and of which predictions.
    notes
        Lines at its head, beside those of the pair.
    genes
        Shown on maps.  Those that are not in the pair are named on the page.
    sets
        Scores of gene sets beside their random sets, and whose they are.

    Returns
    -------
    Path
        Of the page, which is one file that needs no network.

    Raises
    ------
    StorageError
        When the folder holds other files, or cannot be written.
    """
    folder = real_path(folder)
    notes = list(dict.fromkeys([*notes, *study.pair.notes]))
    set_facts = score_facts(*sets) if sets is not None else {}
    with whole_folder(folder, ours=OWN) as partial, drawing():
        extra = {"set_scores": set_scores_table(sets[0])} if sets is not None and set_facts else {}
        write_tables(partial / "tables", facts.csv_tables(study) | extra)
        kept = record(study, title=title, subtitle=subtitle, notes=notes, set_facts=set_facts)
        text = json.dumps(kept, indent=1, ensure_ascii=False, allow_nan=False)
        (partial / "biology.json").write_text(text, encoding="utf-8")

        def save(name: str, figure: Figure | None) -> str | None:
            return None if figure is None else save_figure(figure, partial / "figures" / name)

        maker = Maker(study, sections_of(study.pair), save)
        parts = [set_part(maker, sets, set_facts)] if sets is not None and set_facts else []
        parts += parts_of(maker, genes)
        context = _head(study, notes, set_facts) | {"title": title, "subtitle": subtitle, "parts": parts}
        (partial / "index.html").write_text(render("biology.html.j2", context), encoding="utf-8")
    return folder / "index.html"


def _head(study: Study, notes: Sequence[str], set_facts: dict[str, Any]) -> dict[str, Any]:
    pair = study.pair
    names, count = np.unique(pair.sample_of.astype(np.str_), return_counts=True)
    named = ", ".join(f"{name} ({n:,})" for name, n in list(zip(names, count, strict=True))[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    of = f": {named}{more}" if len(names) > 1 else f", {names[0]}"
    told_first = [(what, with_units(text)) for what, text in findings(study, set_facts.get("text", ""))]
    verdict = verdict_of(study)
    warning = ""
    if verdict in WARNED:  # said above all else, and once
        warning = told_first.pop(0)[1][len(verdict) :]  # the sentence begins with it
    sections = f"{len(names)} section{'s' if len(names) > 1 else ''}"
    return {
        "of": [
            ("observations", f"{len(pair):,} of {sections}{of}"),
            ("genes", f"{len(pair.genes):,}"),
            ("scale", f"log1p of counts per {format_number(pair.total)}"),
        ],
        "notes": notes,
        "warned": verdict in WARNED,
        "verdict": verdict,
        "warning": warning,
        "findings": told_first,
        "tiles": tiles(study),
        "intervals": interval_note(study) if study.mean_score.low is not None else "",
        "half_depth": HALF_DEPTH,
        "half_short": HALF_SHORT,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }  # fmt: skip

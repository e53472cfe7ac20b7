"""What an error of registration would do to the answer: the scores with all centres moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from prestige.analysis.answer import Answer, choose_patch
from prestige.analysis.summary import Standing, Summary
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.stats.moments import Moments, mean_gene_pearson
from prestige.text import format_number

MICRO = "\N{MICRO SIGN}m"


def shifted_scores(bench: Bench, summary: Summary) -> pd.DataFrame:
    """Return the score of each compared configuration (rows) at each shift in um (columns).

    Mean per-gene Pearson within a sample, over the genes of every fold's panel, then over runs.  Shifts
    that a run lacks are left out for all; the table is empty without any.
    """
    scores: dict[Configuration, list[dict[float, float]]] = {}
    compared = set(summary.table.loc[summary.table["compared"], "configuration"])
    for run in bench.runs:
        if run.configuration in compared and run.fold in summary.folds:
            found = run.folder.read_shifted()
            own = {shift: mean_gene_pearson(_common(moments, summary)) for shift, moments in found.items()}
            scores.setdefault(run.configuration, []).append(own)
    shared = set.intersection(*(set(own) for runs in scores.values() for own in runs)) if scores else set()
    if len(shared) < 2:
        return pd.DataFrame()
    keys = [key for key in summary.table["configuration"] if key in scores]
    return pd.DataFrame(
        [[float(np.mean([own[shift] for own in scores[key]])) for shift in sorted(shared)] for key in keys],
        index=pd.Index(keys, dtype=object),
        columns=sorted(shared),
    )


def sensitivity_facts(bench: Bench, summary: Summary, answer: Answer | None) -> dict[str, Any]:
    """Return what the page says: ``text``, ``head`` and ``rows`` of a table; {} without shifted scores."""
    table = shifted_scores(bench, summary)
    if table.empty or answer is None:
        return {}
    group = next(group for group in summary.groups if group.pretrained == answer.pretrained)
    scores: dict[Configuration, Any] = {
        key: table.loc[key]
        for key in table.index
        if key in group.standings and not key.baseline and not key.control
    }
    if not scores:
        return {}
    parts = []
    for shift in (float(column) for column in table.columns):
        best = max(scores, key=lambda key: scores[key][shift])
        standings = {
            key: Standing(float(of_key[shift]), None, key == best, None) for key, of_key in scores.items()
        }
        chosen = choose_patch(standings, answer.margin)
        width = f", patches of {format_number(chosen[0])} {MICRO}" if chosen else ""
        where = "where they are" if shift == 0 else f"moved by {format_number(shift)} {MICRO}"
        parts.append(f"{where}: {best.label} ({standings[best].score:.3f}){width}")
    head = ["configuration", *(f"moved by {format_number(float(shift))} {MICRO}" for shift in table.columns)]
    rows = [[key.label, *(f"{score:.3f}" for score in table.loc[key])] for key in table.index]
    return {
        "text": f"The best encoder, and the smallest patch within {answer.margin:g} of it, with the centres "
        f"{'; '.join(parts)}.",
        "head": head,
        "rows": rows,
    }


def _common(moments: Moments, summary: Summary) -> Moments:
    return moments.take_genes([gene for gene in moments.genes if gene in set(summary.common_genes)])

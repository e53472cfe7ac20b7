"""The best configuration of each gene set, in words and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from prestige.analysis.analyse import Analysis
from prestige.analysis.gene_sets.comparison import BestOfSet
from prestige.analysis.summary import Result, Summary
from prestige.records.configuration import Configuration
from prestige.report.grid import grid


def set_facts(analysis: Analysis) -> dict[str, Any]:
    """Return what the page says of gene sets: ``text``, a table, a heat map for each; {} without any."""
    bests, leading = analysis.bests_of_sets, analysis.leading
    if not bests or leading is None:
        return {}
    best_of_all = bests[0].best_of_all
    maps = []
    for one in bests:
        rows, columns = grid(_as_table(analysis.summary, one.scored.group.results))
        name, n_genes = one.scored.name, len(one.scored.genes)
        maps.append({"name": name, "n": n_genes, "rows": rows, "columns": columns, "oracle": None})
    described = next((fold.gene_sets for fold in analysis.bench.record.folds if fold.gene_sets), {})
    head = ["gene set", "genes", "best encoder", "Pearson", "95 % interval"]
    head += [f"{best_of_all.label} on it", f"recommended within {leading.margin:g}", "best baseline"]
    return {
        "text": _text(bests),
        "head": head,
        "rows": [_row(one) for one in bests],
        "maps": maps,
        "small": [one.text for one in described.values() if not one.scored],
    }


def _row(one: BestOfSet) -> list[str]:
    results, best = one.scored.group.results, one.best
    interval = results[best].interval
    baselines = {key: item.score for key, item in results.items() if key.baseline}
    first = max(baselines, key=baselines.__getitem__, default=None)
    return [
        one.scored.name,
        f"{len(one.scored.genes):,}",
        best.label,
        f"{results[best].score:.3f}",
        f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "none",
        f"{results[one.best_of_all].score:.3f}",
        one.recommended.label if one.recommended else "not decided",
        f"{first.label}, {baselines[first]:.3f}" if first else "none",
    ]


def _text(bests: Sequence[BestOfSet]) -> str:
    label = bests[0].best_of_all.label
    alike = ", ".join(one.scored.name for one in bests if one.alike)
    other = ", ".join(one.scored.name for one in bests if not one.alike)
    sentences = []
    if alike:
        sentences.append(
            f"The best encoder for all genes, {label}, is the best or cannot be told from the best "
            f"for: {alike}."
        )
    if other:
        sentences.append(f"Another encoder or patch is better than {label} for: {other}.")
    return " ".join(sentences)


def _as_table(summary: Summary, results: dict[Configuration, Result]) -> pd.DataFrame:
    """Return the summary's table with the scores of a gene set in the place of its own."""
    table: Any = summary.table[summary.table["configuration"].isin(list(results))].copy()
    mine = [results[key] for key in table["configuration"]]
    bounds = [one.interval or (math.nan, math.nan) for one in mine]
    return table.assign(
        score=[one.score for one in mine],
        low=[low for low, _ in bounds],
        high=[high for _, high in bounds],
        best=[one.best for one in mine],
        tied=[one.tied for one in mine],
    )

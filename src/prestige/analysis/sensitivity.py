"""What an error of registration would do to the answer: the scores with all centres moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from prestige.analysis.answer import choose_patch
from prestige.analysis.summary import Group, Result, Summary
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.stats.moments import Moments, mean_gene_pearson


@dataclass(frozen=True)
class BestAtShift:
    """The best encoder with all centres moved, and the smallest patch within the margin (None: no patch)."""

    shift_um: float
    best: Configuration
    score: float
    patch_um: float | None


def shifted_scores(bench: Bench, summary: Summary) -> pd.DataFrame:
    """Return the score of each compared configuration (rows) at each shift in um (columns).

    Mean per-gene Pearson within a sample, over the genes of every fold's panel, then over runs.  Shifts
    that a run lacks are left out for all; the table is empty without any.
    """
    scores: dict[Configuration, list[dict[float, float]]] = {}
    compared = set(summary.table.loc[summary.table["compared"], "configuration"])
    for run in bench.runs:
        if run.configuration in compared and run.fold in summary.folds:
            kept = run.folder.read_shifted().items()
            at_shifts = {shift: mean_gene_pearson(_common(moments, summary)) for shift, moments in kept}
            scores.setdefault(run.configuration, []).append(at_shifts)
    shared: set[float] = set()
    if scores:
        shared = set.intersection(*(set(at_shifts) for runs in scores.values() for at_shifts in runs))
    if len(shared) < 2:
        return pd.DataFrame()
    keys = [key for key in summary.table["configuration"] if key in scores]
    return pd.DataFrame(
        [
            [float(np.mean([at_shifts[shift] for at_shifts in scores[key]])) for shift in sorted(shared)]
            for key in keys
        ],
        index=pd.Index(keys, dtype=object),
        columns=sorted(shared),
    )


def best_at_shifts(table: pd.DataFrame, group: Group, margin: float) -> list[BestAtShift]:
    """Return who is best among the encoders of a group at each shift; [] where it has none.

    Parameters
    ----------
    table
        Of :func:`shifted_scores`.
    margin
        How much of the score may be given up for a smaller patch.
    """
    encoders = [key for key in table.index if key in group.results and not (key.baseline or key.control)]
    if not encoders:
        return []
    bests = []
    for shift, of_all in table.items():
        scores = {key: float(of_all[key]) for key in encoders}
        best = max(encoders, key=scores.__getitem__)
        results = {key: Result(score, None, key == best, None) for key, score in scores.items()}
        patch_um, _ = choose_patch(results, margin) or (None, None)
        bests.append(BestAtShift(float(str(shift)), best, scores[best], patch_um))
    return bests


def _common(moments: Moments, summary: Summary) -> Moments:
    return moments.take_genes([gene for gene in moments.genes if gene in set(summary.common_genes)])

"""What the report says and draws of the scores of gene sets: a table on disk, a table shown, two figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from prestige.analysis.answer import Answer
from prestige.analysis.gene_sets.comparison import common_sets
from prestige.analysis.gene_sets.effects import set_question_facts, set_questions
from prestige.analysis.gene_sets.scores import set_scores, set_scores_table
from prestige.analysis.summary import Summary
from prestige.records.folders import Bench
from prestige.report.bench import tables
from prestige.report.gene_sets.figures import forest, heatmaps
from prestige.report.gene_sets.tables import score_facts, shown_configuration
from prestige.report.style import drawing, save_figure


def set_page(
    bench: Bench,
    summary: Summary,
    answer: Answer | None,
    ceilings: pd.DataFrame,
    *,
    folder: Path,
    maps: list[dict[str, Any]],
) -> Mapping[str, Any]:
    """Write the tables (``set_scores``, ``set_effects``) and figures of sets, and return what the page shows.

    Parameters
    ----------
    bench, summary, answer, ceilings
        What the report is made of.
    folder
        Of the report.
    maps
        The grid of each set, of :func:`prestige.analysis.gene_sets.comparison.set_facts`.

    Returns
    -------
    Mapping
        ``set_scores`` and ``set_effects`` ({} without sets), ``set_forest`` and ``set_maps`` (SVG, None where
        nothing is drawn).
    """
    empty = {"set_scores": {}, "set_effects": {}, "set_forest": None, "set_maps": None}
    shown, genes_of = shown_configuration(summary, answer), common_sets(bench, summary)
    if shown is None or not genes_of:
        return empty
    scores = set_scores(bench, summary, genes_of, ceilings)
    group = next(one for one in summary.groups if one.pretrained == shown.pretrained)
    asked = set_questions(summary, group, scores)
    written = {"set_scores": set_scores_table(scores)}
    tables.write_tables(folder / "tables", written | ({"set_effects": asked.table()} if asked else {}))
    with drawing():
        drawn = {"set_forest": forest(scores, shown), "set_maps": heatmaps(maps)}
        figures = {
            name: None if figure is None else Markup(save_figure(figure, folder / "figures" / name))
            for name, figure in drawn.items()
        }
    return {"set_scores": score_facts(scores, shown), "set_effects": set_question_facts(asked), **figures}

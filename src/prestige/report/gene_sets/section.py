"""The section of gene sets: what it says, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prestige.analysis.analyse import Analysis
from prestige.report.gene_sets.effects import set_effect_facts
from prestige.report.gene_sets.figures import forest, heatmaps
from prestige.report.gene_sets.tables import score_facts
from prestige.report.style import drawing, save_figure


def set_section(analysis: Analysis, folder: Path, *, maps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Draw the figures of gene sets and return what the page shows.

    Parameters
    ----------
    folder
        Of the figures.
    maps
        The grid of each set, of :func:`prestige.report.gene_sets.comparison.set_facts`.

    Returns
    -------
    dict
        ``set_scores`` and ``set_effects`` ({} without sets), ``set_forest`` and ``set_maps`` (SVG, None where
        nothing is drawn).
    """
    scores, leading = analysis.set_scores, analysis.leading
    if scores is None or leading is None or leading.shown is None:
        return {"set_scores": {}, "set_effects": {}, "set_forest": None, "set_maps": None}
    with drawing():
        drawn = {"set_forest": forest(scores, leading.shown), "set_maps": heatmaps(maps)}
        figures = {name: figure and save_figure(figure, folder / name) for name, figure in drawn.items()}
    return {
        "set_scores": score_facts(scores, leading.shown),
        "set_effects": set_effect_facts(analysis.effects_on_sets),
        **figures,
    }

"""The gene sets by which the runs of a fold are judged, as its panel has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from prestige.data.observations import Observations, positions_um
from prestige.data.panel import Panel
from prestige.data.sample import Sample
from prestige.genesets import (
    GeneSet,
    GeneSetConfig,
    PanelSet,
    collect_sets,
    most_expressed,
    most_spatially_variable,
    most_variable,
    score_sets,
    within_sample_variance,
)
from prestige.records.bench import SetRecord


def sets_of_fold(
    config: GeneSetConfig,
    samples: Sequence[Sample],
    panel: Panel,
    train: Observations,
    train_y: Float[np.ndarray, "n g"],
) -> dict[str, PanelSet]:
    """Find the wanted sets in the panel, and choose those that are chosen, on the training side alone.

    A set of as many genes as the panel has, or more, would be the panel itself and is not made.

    Parameters
    ----------
    config
        Which sets.
    samples, panel
        Of the fold.
    train, train_y
        Its n training observations and their expression on the log1p scale.

    Raises
    ------
    PrestigeError
        When a GMT file of the settings is missing or wrong.
    """
    sets = collect_sets(config)
    for chosen in _chosen(config, samples, panel, train, train_y):
        sets[chosen.name] = chosen
    return score_sets(panel.genes, sets, config.min_genes)


def _chosen(
    config: GeneSetConfig,
    samples: Sequence[Sample],
    panel: Panel,
    train: Observations,
    train_y: np.ndarray,
) -> list[GeneSet]:
    genes, chosen = panel.genes, []

    def wanted(n: int | None) -> int:
        return n if n is not None and n < len(genes) else 0

    if n := wanted(config.most_expressed):
        chosen.append(most_expressed(panel.train_mean, genes, n))
    if n := wanted(config.most_variable):
        chosen.append(most_variable(within_sample_variance(train_y, train.slide_index), genes, n))
    if n := wanted(config.most_spatially_variable):
        xy_um = positions_um(samples, train)
        chosen.append(most_spatially_variable(train_y, xy_um, train.slide_index, genes, n, seed=config.seed))
    return chosen


def describe_sets(sets: Mapping[str, PanelSet]) -> dict[str, SetRecord]:
    """Return the sets as the bench's record has them."""
    return {
        name: SetRecord(
            genes=one.members,
            missing=one.match.missing,
            scored=one.scored,
            text=one.text,
            source=one.gene_set.source,
        )
        for name, one in sets.items()
    }

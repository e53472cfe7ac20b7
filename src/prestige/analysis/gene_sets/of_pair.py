"""Scores of gene sets in one pair of measured and predicted expression, from whatever tool it came."""

from __future__ import annotations

import math

import pandas as pd

from prestige.analysis.gene_sets.scores import SetScores, score_sets_of
from prestige.analysis.values import gene_values
from prestige.biology.study import Study
from prestige.genesets import GeneSetConfig, score_sets
from prestige.records.configuration import Configuration
from prestige.stats.ceilings import MIN_SHOWN


def pair_set_scores(
    study: Study, config: GeneSetConfig, configuration: Configuration | None = None
) -> tuple[SetScores, Configuration]:
    """Score the sets of a study as those of a bench are: quartiles, share of the ceiling, random sets.

    Parameters
    ----------
    config
        How random sets are drawn, and the fewest genes of a set.
    configuration
        What made the predictions; a nameless one by default.

    Returns
    -------
    tuple
        The scores, and the configuration that stands in them.
    """
    key = configuration or Configuration(False, False, "the prediction", math.inf, 0)
    panel, genes = study.pair.genes, list(study.pair.genes)
    members = score_sets(panel, study.sets, config.min_genes)
    genes_of = {
        name: one.members for name, one in members.items() if one.scored and len(one.members) < len(genes)
    }
    values = gene_values([(0, study.evaluation.scores)]).reindex(genes)
    ceiling = study.ceiling
    table = pd.DataFrame(
        {"ceiling": ceiling.value, "lower": ceiling.lower, "usable": ceiling.lower > MIN_SHOWN},
        index=pd.Index(list(ceiling.genes)),
    )
    seeds = {key: [[study.evaluation.moments]]}
    scored = (seeds, {key: values})
    return score_sets_of((genes_of, config), panel, scored, table, study.pair.patient_of), key

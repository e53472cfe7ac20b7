"""Gene sets, by which predictions are judged and nothing is fitted.

``gmt.py`` reads the files of collections, ``match.py`` finds symbols in a panel, ``shipped.py`` has the sets
that come with the package, ``chosen.py`` those chosen on training data, ``random_sets.py`` the matched sets
they are compared with, ``settings.py`` what a yaml may say of all this.
"""

from prestige.genesets.chosen import (
    morans_i,
    most_expressed,
    most_spatially_variable,
    most_variable,
    within_sample_variance,
)
from prestige.genesets.gmt import GeneSet, read_gmt
from prestige.genesets.match import Match, PanelNames, PanelSet, aliases, match, score_sets
from prestige.genesets.random_sets import Excess, RandomSets, matched_random_sets, set_excess
from prestige.genesets.settings import MIN_GENES, SHIPPED, GeneSetConfig, GmtFile
from prestige.genesets.shipped import collect_sets, shipped_sets

__all__ = [
    "MIN_GENES",
    "SHIPPED",
    "Excess",
    "GeneSet",
    "GeneSetConfig",
    "GmtFile",
    "Match",
    "PanelNames",
    "PanelSet",
    "RandomSets",
    "aliases",
    "collect_sets",
    "match",
    "matched_random_sets",
    "morans_i",
    "most_expressed",
    "most_spatially_variable",
    "most_variable",
    "read_gmt",
    "score_sets",
    "set_excess",
    "shipped_sets",
    "within_sample_variance",
]

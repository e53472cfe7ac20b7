"""What may be claimed from scores: sums per spatial block, intervals by resampling, comparisons at once.

``moments.py`` keeps what is needed of a prediction, ``bootstrap.py`` resamples it, ``compare.py``
puts configurations side by side.
"""

from prestige.stats.bootstrap import (
    MIN_CLUSTERS,
    MIN_PATIENTS,
    block_bootstrap,
    interval,
    not_distinguishable_from_best,
)
from prestige.stats.ceilings import Ceiling, ceiling_counts, ceiling_log
from prestige.stats.compare import Compared, Comparison, compare
from prestige.stats.moments import Moments, gene_pearson, mean_gene_pearson, moments_of, spatial_blocks

__all__ = [
    "MIN_CLUSTERS",
    "MIN_PATIENTS",
    "Ceiling",
    "Compared",
    "Comparison",
    "Moments",
    "block_bootstrap",
    "ceiling_counts",
    "ceiling_log",
    "compare",
    "gene_pearson",
    "interval",
    "mean_gene_pearson",
    "moments_of",
    "not_distinguishable_from_best",
    "spatial_blocks",
]

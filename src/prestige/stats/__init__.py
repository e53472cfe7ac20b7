"""What may be claimed from scores: sums per spatial block, intervals by resampling, comparisons at once.

``moments.py`` keeps what is needed of a prediction, ``influence.py`` says what each block does to a score,
``bootstrap.py`` resamples blocks and patients, ``intervals.py`` makes intervals of the draws,
``compare.py`` puts configurations side by side, ``effects.py`` and ``recommend.py`` answer questions about
them, ``correlogram.py`` says how wide blocks must be and ``widen.py`` merges those that are not.
"""

from prestige.stats.bootstrap import MIN_CLUSTERS, MIN_PATIENTS, block_bootstrap
from prestige.stats.ceilings import Ceiling, ceiling_counts, ceiling_log
from prestige.stats.compare import Compared, Comparison, compare
from prestige.stats.correlogram import (
    BLOCK_LENGTHS,
    Correlogram,
    blocks_to_merge,
    correlation_length_um,
    correlogram,
)
from prestige.stats.effects import Contrast, contrast, contrasts, interaction_weights, slope_weights
from prestige.stats.intervals import interval, not_distinguishable_from_best
from prestige.stats.moments import (
    Moments,
    gene_pearson,
    mean_gene_pearson,
    merge_blocks,
    moments_of,
    spatial_blocks,
)
from prestige.stats.recommend import Recommendation, recommend
from prestige.stats.widen import LEAST_LENGTHS, Blocks, blocks_of_tissue, choose_blocks

__all__ = [
    "BLOCK_LENGTHS",
    "LEAST_LENGTHS",
    "MIN_CLUSTERS",
    "MIN_PATIENTS",
    "Blocks",
    "Ceiling",
    "Compared",
    "Comparison",
    "Contrast",
    "Correlogram",
    "Moments",
    "Recommendation",
    "block_bootstrap",
    "blocks_of_tissue",
    "blocks_to_merge",
    "ceiling_counts",
    "ceiling_log",
    "choose_blocks",
    "compare",
    "contrast",
    "contrasts",
    "correlation_length_um",
    "correlogram",
    "gene_pearson",
    "interaction_weights",
    "interval",
    "mean_gene_pearson",
    "merge_blocks",
    "moments_of",
    "not_distinguishable_from_best",
    "recommend",
    "slope_weights",
    "spatial_blocks",
]

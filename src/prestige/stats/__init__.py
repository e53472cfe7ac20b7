"""What may be claimed from scores, on arrays: confidence intervals by resampling, comparisons at once.

The names below are the public ones; none of them needs a run folder.  Begin with :func:`compare`.  Inside the
package modules are imported by their own names.

``moments.py`` keeps what is needed of a prediction, ``influence.py`` says what each block does to a score
(the infinitesimal jackknife), ``bootstrap.py`` resamples blocks and patients, ``intervals.py`` makes
confidence intervals of the draws, simultaneous ones (max-T: so multiple testing is met) and the confidence
set of the best, ``compare.py`` puts configurations side by side, ``effects.py`` and ``recommend.py`` answer
questions about them, ``correlogram.py`` says how wide blocks must be and ``block_width.py`` merges those
that are not.

>>> import numpy as np
>>> from prestige import stats
>>> rng = np.random.default_rng(0)
>>> xy_um = rng.uniform(0, 2000, (2000, 2))
>>> truth = rng.normal(size=(2000, 3))
>>> blocks, section = stats.spatial_blocks(xy_um, 500.0), np.full(2000, "S1")
>>> moments = stats.moments_of(truth + rng.normal(size=truth.shape), truth, section, blocks, ("A", "B", "C"))
>>> round(stats.mean_gene_pearson(moments), 1)
0.7
"""

from prestige.stats.block_width import Blocks, blocks_of_tissue
from prestige.stats.ceilings import Ceiling, ceiling_counts, ceiling_log
from prestige.stats.compare import Compared, Comparison, compare
from prestige.stats.effects import Contrast, contrast, contrasts, interaction_weights, slope_weights
from prestige.stats.moments import Moments, gene_pearson, mean_gene_pearson, moments_of, spatial_blocks
from prestige.stats.recommend import Recommendation, recommend

__all__ = [
    "Blocks",
    "Ceiling",
    "Compared",
    "Comparison",
    "Contrast",
    "Moments",
    "Recommendation",
    "blocks_of_tissue",
    "ceiling_counts",
    "ceiling_log",
    "compare",
    "contrast",
    "contrasts",
    "gene_pearson",
    "interaction_weights",
    "mean_gene_pearson",
    "moments_of",
    "recommend",
    "slope_weights",
    "spatial_blocks",
]

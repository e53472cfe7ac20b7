"""What stands under the figures of the page "Biology": how each is to be read."""

from __future__ import annotations

CAPTIONS = {
    "sets": (
        "Left: mean Pearson of the genes that have others like them, beside their random sets. Right: "
        "the difference. Bars are 95 % intervals from resampled tissue."
    ),
    "activity": (
        "Each row a pathway with its number of genes in the panel. The nearer the full dot is to the "
        "diamond, the more of what these counts can show is in the prediction."
    ),
    "activity-maps": (
        "Pathways whose halves of the measurement agree best, chosen without the prediction; the "
        "correlation is that with the prediction as it is. Colours are percentiles of the section, each "
        "side by itself: a prediction has no counting noise, so its t values reach farther than measured "
        "ones."
    ),
    "genes": (
        "Both panels of a pair have one colour scale, cut at the 1st and 99th percentile. Predictions "
        "carry no counting noise and so look smoother than any measurement."
    ),
    "structure": (
        "How alike two observations are at a distance. The predicted curve is brought to the measured height "
        "at near neighbours, so only its shape says anything: a smoother prediction is flat at first and "
        "falls later. A gap that stays far out is a difference between parts of the tissue and no smoothing. "
        "Band: the interval of the smoothing length."
    ),
    "correlations": (
        "The {n} genes with the highest measured correlations, in one order on both sides: that of a "
        "hierarchical clustering of the measured ones. Blocks on the left that are missing on the right "
        "are programmes of genes that the prediction does not have."
    ),
    "domains": (
        "Each side is clustered by itself, with equal noise; a predicted domain has the colour of the "
        "measured one that it shares most with."
    ),
    "confusion": (
        "Of the observations with a label in half of the counts (row), the percentage with each label in "
        "the prediction, and in the other half. A good prediction looks like the right panel."
    ),
    "cell-types": (
        "The label of each observation: the type whose markers stand out most, and none where none does. "
        "The prediction is shown as it is, without counting noise."
    ),
    "conditions": "Each point a gene, the prediction as it is; the largest measured differences are named.",
    "region": (
        "First: what counts as the region; a stray was marked and lies in no component. Second: the "
        "distances along which expression is looked at."
    ),
    "gradients": (
        "The genes whose measured expression changes most clearly along the distance: splines through "
        "the observations, the prediction as it is."
    ),
}
"""Figure -> its caption."""

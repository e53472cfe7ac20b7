"""How well could anything do that sees no further than a window: the oracle, and the right width.

A cell's measured values depend on its own nucleus, on the sum of the marks in its ring and on what
no image shows.  Marks are independent of each other and of all else, so to a reader of a window the
granules outside are fair coins, whatever the window shows.  With s for all that the window shows,
the best prediction of y (by squared error, and by correlation) is E[y | s], and its correlation
with y is ``sqrt(Var(E[y | s]) / Var(y))`` (the correlation ratio).

What is exact: which granules a window shows, pixel by pixel, for each cell; the law of the others;
the counting noise and the normalisation (log1p of scaled counts is drawn, not linearised).  What is
estimated: the two variances, by redrawing everything hidden ``replicates`` times for each cell and
taking the variance between cells free of the variance within (one-way random-effects analysis of
variance); with 2,000 cells the error on the mean over genes is about 0.001.  What is generous,
so that the number is an upper bound: the reader knows type and look of the own nucleus from any
window, knows a granule's mark from one visible pixel, and knows where granules lie, also outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from prestige.data.patches.reader import window_inside, window_start
from prestige.data.phantom.expression import (
    Programme,
    Ring,
    draw_hidden,
    environment_scale,
    log_normalised,
    mean_counts,
)
from prestige.data.phantom.settings import PhantomConfig
from prestige.data.phantom.tissue import Granules


@dataclass(frozen=True, eq=False)
class Seen:
    """What a window shows of each cell's ring: the sum of visible marks, and how many are hidden."""

    visible_sum: Float[np.ndarray, "n"]
    n_hidden: Int[np.ndarray, "n"]


def see(
    config: PhantomConfig,
    xy_px: Float[np.ndarray, "n 2"],
    granules: Granules,
    ring: Ring,
    width_um: float,
) -> Seen:
    """Sort the granules of each ring into those of which the window shows a pixel, and the others."""
    width = max(1, round(width_um / config.um_per_px))
    low = window_start(xy_px, width)[ring.cell] - granules.half_px
    at = granules.xy_px[ring.granule]
    shown = np.all((at >= low) & (at <= low + width - 1 + 2 * granules.half_px), axis=1)
    visible = Ring(ring.cell[shown], ring.granule[shown], ring.n_cells)
    return Seen(visible.sum(granules.mark), ring.count() - visible.count())


def inside_image(
    config: PhantomConfig, xy_px: Float[np.ndarray, "n 2"], width_um: float
) -> Bool[np.ndarray, "n"]:
    """Return which cells have their whole window in the image."""
    width = max(1, round(width_um / config.um_per_px))
    return window_inside(xy_px, width, width_px=config.size_px, height_px=config.size_px)


def oracle_per_gene(
    config: PhantomConfig,
    programme: Programme,
    own: Float[np.ndarray, "n g"],
    seen: Seen,
    rng: np.random.Generator,
) -> Float[np.ndarray, "g"]:
    """Return for each gene the best correlation that a reader of this window can reach.

    Returns
    -------
    Float[np.ndarray, "g"]
        Correlation with the measured log1p-normalised counts of these cells; 0 where nothing
        visible helps.
    """
    n, k = len(own), config.replicates
    total = np.zeros_like(own)
    squares = np.zeros(own.shape[1])
    variance = np.zeros(own.shape[1])
    for _ in range(k):
        coins = 2.0 * rng.binomial(seen.n_hidden, 0.5) - seen.n_hidden
        environment = (seen.visible_sum + coins) / environment_scale(config)
        mean = mean_counts(config, programme, own, environment, draw_hidden(config, programme, n, rng))
        value = log_normalised(rng.poisson(mean).astype(float), config.total)
        total += value
        squares += (value**2).sum(0)
        variance += value.var(0, ddof=1) / k
    within = (squares - (total**2).sum(0) / k) / (n * (k - 1))
    between = (total / k).var(0, ddof=1) - within / k
    # A gene that nothing visible drives has a variance between cells of 0 but for the error of its
    # estimate: below two standard errors it is called 0, or its root would be a bias upwards.
    error = within / k * np.sqrt(2 / n * k / (k - 1))
    between = np.where(between < 2 * error, 0.0, between)
    return np.sqrt(np.clip(between / np.maximum(variance, 1e-12), 0, 1))


def right_width(scores: dict[float, float], margin: float) -> float:
    """Return the smallest width whose score is within ``margin`` of the best."""
    best = max(scores.values())
    return min(width for width, score in scores.items() if score >= best - margin)

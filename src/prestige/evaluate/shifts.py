"""What an error of registration does to the scores: the same models, all centres of a section moved.

Image and expression are laid over each other by registration, which errs by some micrometres, for a whole
section in one direction.  The test side is predicted again at moved centres and scored on the same
measurements.  A wide patch hardly notices; so the answer may hang on how well the section was registered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped

from prestige.data.observations import Observations
from prestige.stats.moments import Moments, moments_of

MOST = 4096
"""Observations of the test side that are predicted again at each shift; drawn once, the same for all."""

Predict = Callable[[Observations], np.ndarray]


def moved(
    observations: Observations, shift_um: float, um_per_px: Sequence[float], *, seed: int
) -> Observations:
    """Return the observations with all centres of a slide moved by ``shift_um`` in one direction.

    Each slide has its own direction, drawn from the seed; it is the same one at every shift.

    Parameters
    ----------
    observations
        n of them.
    shift_um
        How far, in micrometres.
    um_per_px
        Pixel size of each slide.
    seed
        Of the directions.
    """
    angle = np.array([2 * np.pi * np.random.default_rng([seed, k]).random() for k in range(len(um_per_px))])
    step_px = shift_um / np.asarray(um_per_px)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    xy_px = observations.xy_px + step_px[observations.slide_index]
    return Observations(observations.slide_index, observations.row, xy_px)


def shifted_moments(
    predict: Predict,
    observations: Observations,
    truth: Float[np.ndarray, "n g"],
    *,
    shifts_um: Sequence[float],
    um_per_px: Sequence[float],
    sample_of: Shaped[np.ndarray, " n"],
    block_of: Int[np.ndarray, " n"],
    genes: Sequence[str],
    seed: int = 0,
) -> dict[float, Moments]:
    """Predict some of the test side at moved centres, and at the right ones; return moments for each shift.

    Parameters
    ----------
    predict
        Observations -> (m, g) expression on the log1p scale.
    observations, truth
        The test side: n observations and their measured expression.
    shifts_um
        Distances; 0 is added, so that all are scored on the same observations.
    um_per_px
        Pixel size of each slide.
    sample_of, block_of
        (n,) sample and spatial block of each observation.
    genes
        Names of the g genes.
    seed
        Of the choice of observations and of the directions; the same for all configurations of a bench.
    """
    chosen = np.arange(len(observations))
    if len(chosen) > MOST:
        chosen = np.sort(np.random.default_rng([seed, 4]).choice(len(chosen), MOST, replace=False))
    some = observations.take(chosen)
    return {
        shift: moments_of(
            predict(moved(some, shift, um_per_px, seed=seed)),
            truth[chosen],
            sample_of[chosen],
            block_of[chosen],
            genes,
        )
        for shift in dict.fromkeys([0.0, *map(float, shifts_um)])
    }

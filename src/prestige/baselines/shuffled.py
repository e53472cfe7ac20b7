"""Labels shuffled within samples: a network trained on them shows its score when the image says nothing."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def shuffle_within(
    y: Float[np.ndarray, "n g"], sample_of: Int[np.ndarray, " n"], *, seed: int
) -> Float[np.ndarray, "n g"]:
    """Return the rows of ``y`` in another order within each sample.

    Whole rows change places, so genes keep their correlations, and every sample keeps its own
    distribution: all that is lost is which observation a row belongs to.

    Parameters
    ----------
    y
        Expression of the training side.
    sample_of
        (n,) the sample of each row.
    seed
        Of the new order.
    """
    out = y.copy()
    for sample in np.unique(sample_of):
        rows = np.flatnonzero(sample_of == sample)
        out[rows] = y[np.random.default_rng([seed, int(sample)]).permutation(rows)]
    return out

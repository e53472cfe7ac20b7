"""How much of each stain lies around an observation: what says from the image alone where a region is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from prestige.baselines.features import stains
from prestige.data.observations import Observations
from prestige.data.patches.reader import Patch, PatchReader, width_px
from prestige.data.sample import Sample

WIDTH_UM = 50.0
"""Width of the square around an observation: a few cells."""

STAINS = ("haematoxylin", "eosin")
_MOST_PX, _AT_ONCE = 32, 4096


def stain_columns(
    observations: Observations, samples: Sequence[Sample]
) -> dict[str, Float[np.ndarray, " n"]]:
    """Return the mean of ``haematoxylin`` and ``eosin`` in the square around each observation.

    Decadic optical densities by the stains of Ruifrok and Johnston (2001), see
    :func:`prestige.baselines.features.stains`; beyond the image's edge its last pixels are repeated.  In an
    image smaller than the square, the square is as wide as the image.
    """
    density = np.zeros((len(STAINS), len(observations)), dtype=np.float64)
    for number in np.unique(observations.slide_index):
        slide = samples[number].slide
        width = min(WIDTH_UM, slide.um_per_px * min(slide.height_px, slide.width_px))
        side = min(_MOST_PX, width_px(width, slide.um_per_px))
        reader = PatchReader([slide], Patch(width, side))
        rows = np.flatnonzero(observations.slide_index == number)
        for start in range(0, len(rows), _AT_ONCE):
            batch = rows[start : start + _AT_ONCE]
            patches = reader(np.zeros(len(batch), dtype=np.int64), observations.xy_px[batch])
            density[:, batch] = stains(patches)[:, : len(STAINS)].mean(dim=(2, 3)).numpy().T
    return dict(zip(STAINS, density, strict=True))

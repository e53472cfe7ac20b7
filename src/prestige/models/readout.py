"""From a map of features to features of the centre and of the whole: one rule for every encoder.

Maps are read with the channels last, as they lie in memory: their gradients then lie alike.  Gradients the
other way round went down every residual path, and each addition of the two took several times as long.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def central(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c"]:
    """Return the mean over the central cells of a map.

    Along each axis these are the two middle cells where their number is even and the one middle cell where
    it is odd, so the cells taken lie symmetrically about the middle of the map.
    """
    height, width = features.shape[-2:]
    rows = slice((height - 1) // 2, height // 2 + 1)
    columns = slice((width - 1) // 2, width // 2 + 1)
    return features.permute(0, 2, 3, 1)[:, rows, columns].mean(dim=(1, 2))


def whole(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c"]:
    """Return the mean over all cells of a map."""
    return features.permute(0, 2, 3, 1).mean(dim=(1, 2))

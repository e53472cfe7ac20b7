"""From a map of features to features of the centre and of the whole: one rule for every encoder."""

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
    return features[..., rows, columns].mean(dim=(-2, -1))


def whole(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c"]:
    """Return the mean over all cells of a map."""
    return features.mean(dim=(-2, -1))


def centre_and_whole(
    features: Float[Tensor, "b c h w"],
) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b c"]]:
    """Return the means over the central cells and over all cells of a map."""
    return central(features), whole(features)

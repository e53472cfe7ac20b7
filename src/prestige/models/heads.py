"""From features to genes."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Readout = Literal["centre_whole", "whole"]


class LinearHead(nn.Module):
    """Linear map from the features of the centre and of the whole patch to the standardised genes.

    Each of the two is normalised over its features first (layer norm).  The features of untrained encoders
    differ ninefold in scale (root mean square over the whole patch at 64 px: 0.14 for VGG16, 1.25 for the
    compact family), centre and whole of one network up to fourfold; without the norm one learning rate would
    mean something else for each of them.  The weights start at zero: an untrained predictor gives every
    gene's training mean.

    Parameters
    ----------
    centre_dim, whole_dim
        Numbers of centre and of whole features.
    n_genes
        Number of genes g.
    readout
        "centre_whole" reads both, "whole" the whole patch alone.
    dropout
        Share of the features set to zero at random, in training.
    """

    def __init__(
        self, centre_dim: int, whole_dim: int, n_genes: int, readout: Readout, dropout: float
    ) -> None:
        super().__init__()
        self.norm_centre = nn.LayerNorm(centre_dim) if readout == "centre_whole" else None
        self.norm_whole = nn.LayerNorm(whole_dim)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(whole_dim + (centre_dim if readout == "centre_whole" else 0), n_genes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, centre: Float[Tensor, "b c1"], whole: Float[Tensor, "b c2"]) -> Float[Tensor, "b g"]:
        """Return the standardised expression (b, g)."""
        features = self.norm_whole(whole)
        if self.norm_centre is not None:
            features = torch.cat([self.norm_centre(centre), features], dim=1)
        return self.linear(self.dropout(features))

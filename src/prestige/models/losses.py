"""Losses on the standardised scale: prediction (b, g), target (b, g) -> one number."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from prestige.registry import Registry

Loss = Callable[[Tensor, Tensor], Tensor]
losses: Registry[Loss] = Registry("loss")

# Share of the Pearson part in "pearson_mse"; the rest is mean squared error.
PEARSON_WEIGHT = 0.5
# Added to the variance of the prediction.  An untrained head predicts a constant, where the correlation has
# no derivative; with this its gradient stays within about thirty times that of the squared error, and a
# prediction that explains 2 % of the variance loses 2 % of its correlation.
PEARSON_EPSILON = 1e-3


@losses.register("mse")
def mse(pred: Float[Tensor, "b g"], target: Float[Tensor, "b g"]) -> Float[Tensor, ""]:
    """Return the mean squared error over observations and genes."""
    return F.mse_loss(pred.float(), target.float())


@losses.register("huber")
def huber(pred: Float[Tensor, "b g"], target: Float[Tensor, "b g"]) -> Float[Tensor, ""]:
    """Return the mean Huber loss: squared within one standard deviation of the gene, linear beyond."""
    return F.huber_loss(pred.float(), target.float(), delta=1.0)


@losses.register("pearson_mse")
def pearson_mse(pred: Float[Tensor, "b g"], target: Float[Tensor, "b g"]) -> Float[Tensor, ""]:
    """Return ``w (1 - r) + (1 - w) mse``, r the mean over genes of the Pearson correlation within the batch.

    w is :data:`PEARSON_WEIGHT`.  Genes whose target is constant in the batch have no correlation and are left
    out of r; where that is all of them (a batch of one observation, say) only the squared error is returned.
    """
    pred, target = pred.float(), target.float()
    error = F.mse_loss(pred, target)
    p = pred - pred.mean(dim=0)
    t = target - target.mean(dim=0)
    variance = t.square().mean(dim=0)
    varies = variance > 1e-8
    scale = torch.sqrt((p.square().mean(dim=0) + PEARSON_EPSILON) * torch.where(varies, variance, 1.0))
    # Nothing waits for the numbers, so that a GPU's step can be captured as a CUDA graph.
    per_gene = torch.where(varies, (p * t).mean(dim=0) / scale, 0.0)
    correlation = per_gene.sum() / varies.sum().clamp_min(1)
    both = PEARSON_WEIGHT * (1.0 - correlation) + (1.0 - PEARSON_WEIGHT) * error
    return torch.where(varies.any(), both, error)

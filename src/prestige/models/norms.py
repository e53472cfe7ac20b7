"""Another normalisation layer in a network that was designed with batch normalisation.

Batch normalisation sees the other patches of a batch, group normalisation the patch alone.  Whether an
answer hangs on that choice is one of the questions of a study, so any design can be built with either.
"""

from __future__ import annotations

import math

from torch import nn

from prestige.errors import ModelError

GROUPS = 32
"""Groups of channels, or the largest number below that divides them (Wu and He, 2018, ECCV: 32)."""


def replace_batch_norm(network: nn.Module, *, where: str) -> None:
    """Put group normalisation in the place of every batch normalisation, with as many weights.

    Parameters
    ----------
    network
        Changed in place.
    where
        Name of the encoder, for the message.

    Raises
    ------
    ModelError
        When the network has no batch normalisation.
    """
    batch_norms = [
        (parent, name, child)
        for parent in network.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.BatchNorm2d)
    ]
    if not batch_norms:
        raise ModelError(
            "there is no batch normalisation to replace", where=where, remedy="leave `norm: group` out"
        )
    for parent, name, child in batch_norms:
        setattr(parent, name, _group_norm(child))


def _group_norm(batch_norm: nn.BatchNorm2d) -> nn.Module:
    channels = batch_norm.num_features
    norm = nn.GroupNorm(math.gcd(channels, GROUPS), channels, eps=batch_norm.eps, affine=batch_norm.affine)
    if batch_norm.affine:  # some designs begin with the last norm of a block at zero
        norm.load_state_dict({"weight": batch_norm.weight.data, "bias": batch_norm.bias.data})
    activation = getattr(batch_norm, "act", None)  # timm's layers hold the activation too
    if activation is None:
        return norm
    drop = getattr(batch_norm, "drop", nn.Identity())
    return nn.Sequential(norm, drop, activation)

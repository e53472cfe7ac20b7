"""The predictor: encoder and head together, and what one of them costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from prestige.errors import ModelError
from prestige.models.encoders import Encoder, build_encoder
from prestige.models.heads import LinearHead
from prestige.models.norms import replace_batch_norm
from prestige.models.settings import ModelConfig
from prestige.models.timm_weights import Architecture


class Predictor(nn.Module):
    """Patches of pixels in 0..1 -> expression of the panel's genes.

    Attributes
    ----------
    input_px : int
        Width of the patches.
    train_mean, train_std : Tensor, (g,)
        Mean and standard deviation of every gene over the training observations, on the log1p scale.
    pixel_mean, pixel_std : Tensor, (1, 3, 1, 1)
        Normalisation of the colours that the encoder expects.
    """

    train_mean: Tensor
    train_std: Tensor
    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(
        self,
        encoder: Encoder,
        head: LinearHead,
        *,
        input_px: int,
        train_mean: Float[np.ndarray, " g"],
        train_std: Float[np.ndarray, " g"],
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.input_px = input_px
        self.register_buffer("train_mean", torch.tensor(train_mean, dtype=torch.float32))
        self.register_buffer("train_std", torch.tensor(train_std, dtype=torch.float32))
        self.register_buffer("pixel_mean", torch.tensor(encoder.mean).view(1, 3, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(encoder.std).view(1, 3, 1, 1))

    def forward(self, x: Float[Tensor, "b 3 d d"]) -> Float[Tensor, "b g"]:
        """Return the standardised expression: log1p expression less ``train_mean``, over ``train_std``.

        Raises
        ------
        ModelError
            When the patches are not ``input_px`` wide.
        """
        if x.shape[-1] != self.input_px:
            raise ModelError(f"patches of {x.shape[-1]} px", where="model", expected=f"{self.input_px} px")
        centre, whole = self.encoder.of_pixels(x, self.pixel_mean, self.pixel_std)
        return self.head(centre, whole)

    def expression(self, x: Float[Tensor, "b 3 d d"]) -> Float[Tensor, "b g"]:
        """Return expression on the log1p scale, never below zero."""
        return self.to_expression(self.forward(x))

    def to_expression(self, z: Float[Tensor, "b g"]) -> Float[Tensor, "b g"]:
        """Return what standardised predictions say on the log1p scale, never below zero."""
        return (self.train_mean + self.train_std * z.float()).clamp_min(0.0)

    def standardise(self, y: Float[Tensor, "b g"]) -> Float[Tensor, "b g"]:
        """Return expression on the log1p scale as :meth:`forward` predicts it.

        A gene that was constant in training (``train_std`` 0) is divided by 1.
        """
        std = torch.where(self.train_std > 0, self.train_std, 1.0)
        return (y - self.train_mean) / std


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw from the seed alone; torch's random state is neither read nor changed.

    All weights are made on the CPU, so no accelerator's state is concerned.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def seeded_encoder(
    config: ModelConfig, *, input_px: int, seed: int, architecture: Architecture | None = None
) -> Encoder:
    """Build the encoder of some settings; random weights follow from ``seed`` alone.

    Torch's random state is neither read nor changed.

    Parameters
    ----------
    config
        Encoder, start and normalisation.
    input_px
        Width of the patches in pixels.
    seed
        Seed of the random weights.
    architecture
        What a "timm:" encoder was built from before (see :func:`~prestige.models.encoders.build_encoder`).

    Raises
    ------
    ConfigError, ModelError
        As :func:`~prestige.models.encoders.build_encoder` and
        :func:`~prestige.models.norms.replace_batch_norm`.
    """
    with _seeded(seed):
        encoder = build_encoder(
            config.encoder,
            input_px=input_px,
            pretrained=config.pretrained,
            checkpoint=config.checkpoint,
            arguments=config.arguments,
            architecture=architecture,
        )
        if config.norm == "group":
            replace_batch_norm(encoder, where=config.encoder)
    return encoder


def build_predictor(
    config: ModelConfig,
    *,
    input_px: int,
    train_mean: Float[np.ndarray, " g"],
    train_std: Float[np.ndarray, " g"],
    seed: int,
    architecture: Architecture | None = None,
) -> Predictor:
    """Build a predictor whose random weights follow from ``seed`` alone.

    Torch's random state is neither read nor changed.  The head starts at zero, so every prediction is the
    training mean.

    Parameters
    ----------
    config
        Encoder, start and readout.
    input_px
        Width of the patches in pixels.
    train_mean, train_std
        (g,) Mean and standard deviation of every gene over the training observations.
    seed
        Seed of the random weights.
    architecture
        What a "timm:" encoder was built from before (see :func:`~prestige.models.encoders.build_encoder`).

    Raises
    ------
    ConfigError, ModelError
        As :func:`seeded_encoder`, and when mean and deviation do not fit together.
    """
    if train_mean.shape != train_std.shape or train_mean.size == 0:
        raise ModelError(
            f"{train_mean.size} means and {train_std.size} deviations of genes",
            where="panel",
            expected="one of each for at least one gene",
        )
    if not (np.isfinite(train_mean).all() and np.isfinite(train_std).all() and (train_std >= 0).all()):
        raise ModelError(
            "the training mean or deviation of a gene is not finite, or a deviation is negative",
            where="panel",
        )
    encoder = seeded_encoder(config, input_px=input_px, seed=seed, architecture=architecture)
    with _seeded(seed):
        dims = encoder.centre_dim, encoder.whole_dim
        head = LinearHead(*dims, train_mean.size, config.readout, config.dropout)
    return Predictor(encoder, head, input_px=input_px, train_mean=train_mean, train_std=train_std)


def count_parameters(module: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def count_flops(predictor: nn.Module, input_px: int) -> int:
    """Return the floating point operations of predicting one patch, measured in a forward pass.

    One multiplication with its addition counts as two operations, so this is twice the number of
    multiply-accumulates (MACs) that some papers call FLOPs.  Counted are convolutions, matrix products and
    attention; additions, normalisations and activations are not.

    Parameters
    ----------
    predictor
        A predictor, or any module of (1, 3, input_px, input_px) patches.  It is left in the mode it was in.
    input_px
        Width of the patches in pixels.
    """
    first = next(predictor.parameters())
    x = torch.zeros(1, 3, input_px, input_px, dtype=first.dtype, device=first.device)
    training = predictor.training
    predictor.eval()
    try:
        # Attention as plain matrix products: the fused kernels are not all counted.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            predictor(x)
    finally:
        predictor.train(training)
    return counter.get_total_flops()

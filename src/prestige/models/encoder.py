"""What an encoder is, and the registry in which every family of encoders files itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from prestige.registry import Registry

# The usual normalisation of natural images (ImageNet), for encoders that have no weights of their own.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Encoder(nn.Module, ABC):
    """Image -> features at the centre of the patch and features of the whole patch.

    A subclass sets the attributes in ``__init__`` and defines ``forward``.  It keeps no copy of the input
    width unless its parameters depend on it, and never draws from any random state but torch's default.

    Attributes
    ----------
    centre_dim, whole_dim : int
        Numbers of centre and of whole features.
    mean, std : tuple of three floats
        Per colour (R, G, B), on pixels in 0..1: the input is ``(pixels - mean) / std``.  They travel with
        the encoder, because weights trained elsewhere expect the normalisation they were trained with.
    """

    centre_dim: int
    whole_dim: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    @abstractmethod
    def forward(self, x: Float[Tensor, "b 3 d d"]) -> tuple[Float[Tensor, "b c1"], Float[Tensor, "b c2"]]:
        """Return centre features (b, centre_dim) and whole features (b, whole_dim) of normalised patches."""

    def of_pixels(
        self, x: Float[Tensor, "b 3 d d"], mean: Float[Tensor, "1 3 1 1"], std: Float[Tensor, "1 3 1 1"]
    ) -> tuple[Float[Tensor, "b c1"], Float[Tensor, "b c2"]]:
        """Return the features of patches in 0..1, normalised here.

        A subclass that looks at less than all pixels overrides it: normalising is a pass over them.
        """
        return self((x - mean).div_(std))


@runtime_checkable
class EncoderBuilder(Protocol):
    """A function that builds one registered encoder.

    ``input_px`` is the width of the patches in pixels; a width that the design cannot take is refused with
    a :class:`~prestige.errors.ModelError` that names the widths it can.  So is ``pretrained=True`` where
    there are no weights.  ``checkpoint`` is a local safetensors file to load in place of a download.
    """

    def __call__(self, input_px: int, pretrained: bool, checkpoint: Path | None) -> Encoder:
        """Return the encoder, its weights drawn from torch's default random state unless they are loaded."""
        ...


encoders: Registry[EncoderBuilder] = Registry("encoder")

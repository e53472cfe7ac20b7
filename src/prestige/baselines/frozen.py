"""Features of a frozen encoder: built, run in evaluation mode without gradients, kept and built again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from prestige.data.patches.augment import to_float
from prestige.errors import ModelError
from prestige.models.encoders import MOST_INPUT_PX, Encoder
from prestige.models.predictor import count_flops, seeded_encoder
from prestige.models.settings import ModelConfig
from prestige.models.timm_weights import pack_architecture, unpack_architecture
from prestige.models.weights import filled
from prestige.settings import build

_BATCH_BYTES = 1 << 23  # of patches run at once: the maps inside the encoder are many times larger
_MOST = 256


@dataclass(frozen=True, eq=False)
class FrozenEncoder:
    """Patches -> features, by an encoder that nothing here trains.

    Attributes
    ----------
    encoder
        In evaluation mode, its weights without gradients.
    model
        What it was built from.
    input_px
        Width of the patches in pixels.
    readout
        "centre_whole" or "whole": which features.
    """

    encoder: Encoder
    model: ModelConfig
    input_px: int
    readout: Literal["centre_whole", "whole"]

    @property
    def n_weights(self) -> int:
        """The encoder's weights, none of them fitted here."""
        return sum(parameter.numel() for parameter in self.encoder.parameters())

    @property
    def n_features(self) -> int:
        """Number of features f."""
        return self.encoder.whole_dim + (self.encoder.centre_dim if self.readout == "centre_whole" else 0)

    @property
    def batch_size(self) -> int:
        """How many patches are run at once."""
        return max(1, min(_MOST, _BATCH_BYTES // (3 * self.input_px**2)))

    def __call__(self, patches: UInt8[Tensor, "n 3 d d"]) -> Float32[np.ndarray, "n f"]:
        """Return the features of some patches, float32."""
        device = next(self.encoder.parameters()).device
        colours = self.encoder.mean, self.encoder.std
        mean, std = (torch.tensor(colour, device=device).view(1, 3, 1, 1) for colour in colours)
        parts = []
        with torch.inference_mode():
            for some in patches.split(self.batch_size):
                x = to_float(some.to(device)).sub_(mean).div_(std)
                centre, whole = self.encoder(x)
                chosen = [centre, whole] if self.readout == "centre_whole" else [whole]
                parts.append(torch.cat(chosen, dim=1).float().cpu())
        return torch.cat(parts).numpy() if parts else np.empty((0, self.n_features), dtype=np.float32)

    def flops(self) -> int:
        """Return the floating point operations of one patch's features."""
        return count_flops(self.encoder, self.input_px)

    def pack(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return what a file keeps of it: its weights, and what JSON holds.  No path is in it."""
        state = self.encoder.state_dict()
        arrays = {name: tensor.cpu().contiguous().numpy() for name, tensor in state.items()}
        model = self.model.model_dump(mode="json")
        if self.model.checkpoint is not None:
            model["checkpoint"] = self.model.checkpoint.name
        details = {
            "model": model,
            "architecture": pack_architecture(self.encoder),
            "input_px": self.input_px,
            "readout": self.readout,
        }
        return arrays, details

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray], details: Mapping[str, Any]) -> FrozenEncoder:
        """Return what :meth:`pack` took apart, built without any connection or other file."""
        readout, input_px = details["readout"], int(details["input_px"])
        if readout not in ("centre_whole", "whole") or not 1 <= input_px <= MOST_INPUT_PX:
            raise ModelError(f"the readout is {readout!r} of {input_px} px", where="encoder")
        model = build(ModelConfig, details["model"], where="model")
        build_it = partial(
            seeded_encoder,
            model.model_copy(update={"pretrained": False, "checkpoint": None}),
            input_px=input_px,
            seed=0,
            architecture=unpack_architecture(details["architecture"]),
        )
        made = filled(build_it, {name: torch.from_numpy(array) for name, array in arrays.items()})
        return _frozen(made, model, input_px, readout, torch.device("cpu"))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that the features hang on, the weights first."""
        arrays, details = self.pack()
        out = hashlib.blake2b(digest_size=16)
        for name in sorted(arrays):
            out.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
            out.update(np.ascontiguousarray(arrays[name]).tobytes())
        details = {**details, "model": {**details["model"], "checkpoint": None}}
        out.update(json.dumps(details, sort_keys=True, default=str).encode())
        return out.hexdigest()


def freeze(
    model: ModelConfig,
    *,
    input_px: int,
    readout: Literal["centre_whole", "whole"],
    seed: int,
    device: torch.device | str = "cpu",
) -> FrozenEncoder:
    """Build an encoder to take features from.

    Parameters
    ----------
    model
        The encoder and its start; without weights of its own they are random.
    input_px
        Width of the patches in pixels.
    readout
        Which features: of the centre and the whole, or of the whole alone.
    seed
        Of random weights; torch's random state is neither read nor changed.
    device
        Where it computes, in float32.

    Raises
    ------
    ConfigError, ModelError
        As :func:`~prestige.models.predictor.seeded_encoder`.
    """
    encoder = seeded_encoder(model, input_px=input_px, seed=seed)
    return _frozen(encoder, model, input_px, readout, torch.device(device))


def _frozen(
    encoder: Encoder,
    model: ModelConfig,
    input_px: int,
    readout: Literal["centre_whole", "whole"],
    device: torch.device,
) -> FrozenEncoder:
    encoder.eval().requires_grad_(False)
    encoder.to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return FrozenEncoder(encoder, model, input_px, readout)

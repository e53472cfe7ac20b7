"""Where networks compute, and in which precision."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from prestige.errors import ConfigError


class _Mixed(MixedPrecision):
    """Mixed precision that leaves the input as it is.

    Rounded to bf16 before anything else, a patch would lose its last bit, and large ones take a pass over all
    pixels; each layer rounds what it reads anyway.
    """

    def convert_input(self, data: Any) -> Any:
        return data


def make_fabric(precision: str = "auto", device: str = "auto") -> Fabric:
    """Build the Fabric of one device; "auto" takes bf16 where the chip computes in it.

    Raises
    ------
    ConfigError
        When this machine has no such device.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the manifest says the precision
    try:
        fabric = Fabric(accelerator=device, devices=1)
    except (RuntimeError, ValueError, ImportError) as error:  # each kind of device has its own
        raise ConfigError(
            f"there is no device '{device}' on this machine", where="--device", remedy="use auto or cpu"
        ) from error
    kind = fabric.device.type
    precision = precision_on(kind, precision)
    if precision == "bf16-mixed":
        return Fabric(accelerator=device, devices=1, plugins=[_Mixed("bf16-mixed", device=kind)])
    return Fabric(accelerator=device, devices=1, precision=precision)  # pyright: ignore[reportArgumentType]


def precision_on(kind: str, precision: str = "auto") -> str:
    """Return the precision that a kind of device ("cpu", "cuda") computes in; "auto" is bf16 where it can."""
    if precision != "auto":
        return precision
    fast = torch.cuda.is_bf16_supported() if kind == "cuda" else torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if fast else "32-true"


@cache
def own_stream(device: torch.device, purpose: str) -> torch.cuda.Stream:
    """Return a CUDA stream that everything of one purpose shares, as long as the process lives.

    Memory is kept for the stream it was asked on: each stream more would keep its own.
    """
    return torch.cuda.Stream(device)

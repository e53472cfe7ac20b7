"""Files of tensors, opened by one rule: safetensors alone.

A safetensors file is a header that names tensors with their shapes, and their bytes.  Nothing in it is
executed, and the library checks that the header describes the file to its last byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from prestige.errors import PrestigeError, reading
from prestige.inputs import plain_file

MOST_HEADER_BYTES = 1 << 24
"""Of some 100,000 tensors; no network has as many."""

LARGEST = 1e18
"""Two such numbers multiplied are more than a float32 holds: no weight of a network that predicts."""

_EXPECTED = "a safetensors file"


def read_tensors(
    path: Path | str,
    *,
    kind: type[PrestigeError],
    remedy: str,
    device: str = "cpu",
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a safetensors file by name, and the words that stand in its header.

    On the CPU they are mapped: what nobody looks at takes no memory.

    Parameters
    ----------
    kind
        The class of the error.
    remedy
        What to do about a file that cannot be read.

    Raises
    ------
    PrestigeError
        Of the class ``kind``: there is no such file, it is damaged, or it is another kind of file.
    """
    path = plain_file(path, expected=_EXPECTED, kind=kind)
    with reading(path, expected=_EXPECTED, remedy=remedy, kind=kind):
        with path.open("rb") as file:
            n_header = int.from_bytes(file.read(8), "little")
        if n_header > MOST_HEADER_BYTES:
            raise ValueError(f"its header would be {n_header:,} bytes")
        with safe_open(path, framework="pt", device=device) as file:
            header = {str(key): str(value) for key, value in (file.metadata() or {}).items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    return tensors, header


def refuse_absurd(
    tensors: Mapping[str, Tensor],
    *,
    where: Path | str,
    kind: type[PrestigeError],
    remedy: str = "copy it again, or train it again with smaller learning rates",
) -> None:
    """Refuse weights that are NaN, infinite, or so large that no network could compute with them.

    Raises
    ------
    PrestigeError
        Of the class ``kind``; it names the first such tensor.
    """
    bad = [name for name, tensor in tensors.items() if not _sound(tensor)]
    if bad:
        others = f", and so are {len(bad) - 1} others" if len(bad) > 1 else ""
        raise kind(
            f"numbers of the tensor '{bad[0]}' are no weights: NaN, infinite or beyond {LARGEST:g}{others}",
            where=where,
            remedy=remedy,
        )


def _sound(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or not tensor.numel():
        return not tensor.is_complex()
    wide = tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
    low, high = (float(end) for end in torch.aminmax(wide.detach()))
    return low >= -LARGEST and high <= LARGEST  # NaN compares as False


def misfits(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """Return the names of tensors that only one of two has, or that differ in shape or in kind of number."""
    return sorted(
        name
        for name in wanted.keys() | given.keys()
        if name not in wanted or name not in given or _form(wanted[name]) != _form(given[name])
    )


def _form(tensor: Tensor) -> tuple[torch.Size, bool, bool]:
    return tensor.shape, tensor.is_floating_point(), tensor.is_complex()

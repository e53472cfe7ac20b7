"""Weights from safetensors files, loaded strictly."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from prestige.compute.tensors import misfits, read_tensors, refuse_absurd
from prestige.errors import ModelError, reading

M = TypeVar("M", bound=nn.Module)

# A name that the file has and the network lacks -> the argument of timm's designs that makes its place.
_MADE_BY = {
    "ls1.gamma": "init_values: 1.0e-5",
    "reg_token": "reg_tokens: 4",
    "q_norm.weight": "qk_norm: true",
}


def filled(build: Callable[[], M], state: Mapping[str, Tensor]) -> M:
    """Build a network for weights that were kept, and fill it with them.

    It is built without memory first, so that a description that does not fit the weights takes none: not even
    where it describes a network of terabytes.

    Parameters
    ----------
    build
        Builds the network, on the device that is the default one.
    state
        Name -> weights: all that the network has, and no others.

    Raises
    ------
    ModelError
        When names, shapes or kinds of numbers differ, or a weight is NaN, infinite or absurd.
    PrestigeError
        Whatever ``build`` raises.
    """
    with torch.device("meta"):
        other = misfits(build().state_dict(), state)
    if other:
        raise ModelError(
            f"the weights do not fit the description: {len(other)} tensors differ, the first is '{other[0]}'",
            expected="the files of one bundle, and the versions of torch and timm that wrote them or newer",
        )
    refuse_absurd(state, where="model.safetensors", kind=ModelError)
    network = build()
    network.load_state_dict(dict(state))
    return network


def load_weights(net: nn.Module, path: Path, *, unused: Collection[str] = ()) -> None:
    """Load a safetensors file into a network; every weight must be there, in the shape the network has.

    Parameters
    ----------
    net
        The network to fill.  Where its module defines timm's ``checkpoint_filter_fn``, the file passes
        through it, so a ViT's position embedding and patch projection are resampled to this patch width.
    path
        The file, with the names that ``net`` has.
    unused
        Dotted prefixes whose weights may stand in the file without being used: a classifier's.

    Raises
    ------
    ModelError
        When the file cannot be read, or its names or shapes are not those of the network.
    """
    state = _adapt(_read(path), net, path)
    state = {key: value for key, value in state.items() if not _under(key, unused)}
    wanted = net.state_dict()
    # Counters of batch norm are no weights, and older files lack them.
    missing = [key for key in wanted if key not in state and not _counts(key)]
    extra = sorted((key for key in state if key not in wanted), key=_counts)
    if missing or extra:
        raise ModelError(
            "these are not the weights of this encoder: "
            + "; ".join(filter(None, (_some("missing", missing), _some("unknown", extra)))),
            where=path,
            expected=f"the {len(wanted)} tensors of a {type(net).__name__}",
            remedy=_remedy(extra),
        )
    wrong = [key for key in state if state[key].shape != wanted[key].shape]
    if wrong:
        key = wrong[0]
        raise ModelError(
            f"{len(wrong)} tensors have another shape, the first is '{key}' with {tuple(state[key].shape)}",
            where=path,
            expected=str(tuple(wanted[key].shape)),
            remedy="name the encoder the file was saved from, or another file",
        )
    net.load_state_dict(state, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    state, _ = read_tensors(
        path,
        kind=ModelError,
        remedy="pickled files (.pt, .bin) are not read: convert them with safetensors.torch.save_file",
    )
    refuse_absurd(state, where=path, kind=ModelError)
    return state


def _adapt(state: dict[str, Tensor], net: nn.Module, path: Path) -> Mapping[str, Tensor]:
    module = sys.modules[type(net).__module__]
    adapt = getattr(module, "checkpoint_filter_fn", None)
    if adapt is None:
        return state
    remedy = _remedy(state.keys() - net.state_dict().keys())
    with reading(path, expected=f"the weights of a {type(net).__name__}", remedy=remedy, kind=ModelError):
        try:
            return adapt(state, net)
        except AssertionError as error:  # timm's own, over the file
            raise ValueError(str(error) or "its tensors are others") from error


def _remedy(unknown: Collection[str]) -> str:
    """Say what to do about names that the network lacks; some are there once an argument is given."""
    wanted = [words for part, words in _MADE_BY.items() if any(part in name for name in unknown)]
    if not wanted:
        return "name the encoder the file was saved from, or another file"
    return (
        f"build it with the arguments it was saved with, such as arguments: {{{', '.join(wanted)}}}, "
        "or name the encoder the file was saved from"
    )


def _counts(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def _under(key: str, prefixes: Collection[str]) -> bool:
    return any(key == prefix or key.startswith(prefix + ".") for prefix in prefixes)


def _some(word: str, keys: list[str]) -> str:
    if not keys:
        return ""
    shown = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
    return f"{len(keys)} {word} ({shown})"

"""Starting weights from a local safetensors file, loaded strictly."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from prestige.errors import ModelError


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
    state = _adapt(_read(path), net)
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
            remedy="name the encoder the file was saved from, or another file",
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
    try:
        return load_file(path)
    except FileNotFoundError:
        raise ModelError("no such checkpoint", where=path, expected="a safetensors file") from None
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the checkpoint cannot be read ({error})",
            where=path,
            expected="a safetensors file",
            remedy="pickled files (.pt, .bin) are not read: convert them with safetensors.torch.save_file",
        ) from error


def _adapt(state: dict[str, Tensor], net: nn.Module) -> Mapping[str, Tensor]:
    module = sys.modules[type(net).__module__]
    adapt = getattr(module, "checkpoint_filter_fn", None)
    return state if adapt is None else adapt(state, net)


def _counts(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def _under(key: str, prefixes: Collection[str]) -> bool:
    return any(key == prefix or key.startswith(prefix + ".") for prefix in prefixes)


def _some(word: str, keys: list[str]) -> str:
    if not keys:
        return ""
    shown = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
    return f"{len(keys)} {word} ({shown})"

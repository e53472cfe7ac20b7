"""Any timm model as an encoder: its own weights and normalisation, our readout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from prestige.errors import ModelError
from prestige.models.encoder import Encoder
from prestige.models.readout import central, whole
from prestige.models.timm_weights import Architecture, create_network, find_architecture
from prestige.models.weights import load_weights

# The centre is read from the deepest map that still has this many cells across: on a coarser one the
# central cells would be the whole map.
CELLS_ACROSS = 4
# More tokens across than this, each narrower than three pixels, are no longer the same kind of network.
_TOKENS_ACROSS = 16
# The widths that a refusal tries, to name those that work.
_TRIED_PX = (16, 24, 32, 48, 64, 96, 112, 128, 160, 192, 224, 256)
# What timm's models raise when a width or an argument does not suit them: assertions, torch's errors, and
# whatever their arithmetic ends in.
_MISFITS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Layout:
    """How the features of a network are laid out at one width of patches.

    Attributes
    ----------
    prefix_tokens
        None where the features are a map; else the number of tokens before those of the image.
    channels_last
        Whether the last map has its channels in its last dimension.
    centre_stage
        Which of the network's stages the centre is read from; None: the last map.
    centre_dim, whole_dim
        Numbers of features in the two.
    """

    prefix_tokens: int | None
    channels_last: bool
    centre_stage: int | None
    centre_dim: int
    whole_dim: int


class TimmEncoder(Encoder):
    """A timm network without its classifier.

    whole = mean of the last map (of a ViT: of the image's tokens after its last norm); centre = mean of the
    central cells of the deepest map with at least four cells across.  A network that halves the width five
    times has a 2 x 2 map at 64 px: there the centre and the whole would be one and the same, and the network
    could not tell the cell in the middle from its neighbours however well its earlier layers do.
    """

    def __init__(self, net: nn.Module, layout: Layout, architecture: Architecture) -> None:
        super().__init__()
        self.net: Any = net
        self.layout = layout
        self.architecture = architecture
        self.centre_dim, self.whole_dim = layout.centre_dim, layout.whole_dim
        self.mean, self.std = architecture.mean, architecture.std

    def maps(
        self, x: Float[Tensor, "b 3 d d"]
    ) -> tuple[Float[Tensor, "b c1 h h"], Float[Tensor, "b c2 k k"]]:
        """Return the map from which the centre is read, and the last one."""
        if self.layout.centre_stage is None:
            last = _as_map(self.net.forward_features(x), self.layout)
            return last, last
        last, stages = self.net.forward_intermediates(x, indices=[self.layout.centre_stage])
        return stages[0], _as_map(last, self.layout)

    def forward(self, x: Float[Tensor, "b 3 d d"]) -> tuple[Float[Tensor, "b c1"], Float[Tensor, "b c2"]]:
        """Return centre and whole features of normalised patches."""
        fine, last = self.maps(x)
        return central(fine), whole(last)


def timm_encoder(
    name: str,
    *,
    input_px: int,
    pretrained: bool = False,
    checkpoint: Path | None = None,
    architecture: Architecture | None = None,
    cls: type[TimmEncoder] = TimmEncoder,
    **arguments: Any,
) -> TimmEncoder:
    """Build an encoder from timm's name of a model, or from ``hf-hub:OWNER/NAME``.

    Parameters
    ----------
    name
        timm's name, with or without the tag of the weights ("resnet18", "resnet18.a1_in1k").
    input_px
        Width of the patches.  Networks of fixed input are built for it, a ViT with tokens to suit it
        (:func:`token_px`).
    pretrained, checkpoint
        Start from a download, or from a local safetensors file, or (neither) from random weights.
    architecture
        What an earlier encoder of this name was built from: needed for a hub's model when offline.
    cls
        The subclass that reads the features out.
    **arguments
        Of the design, passed on to timm where they are on the list of
        :mod:`prestige.models.arguments`.

    Raises
    ------
    ConfigError
        When timm knows no such model (the nearest name is given), or an argument is not passed on.
    ModelError
        When the design does not take its arguments or this width (those that it takes are named), or the
        weights cannot be had.
    """
    architecture = architecture or find_architecture(name, pretrained=pretrained, arguments=arguments)
    try:
        width = _width_arguments(architecture, input_px)
        net = create_network(name, architecture, pretrained=pretrained, **width)
        encoder, unused = _fit(net, architecture, input_px, cls)
    except _MisfitError as misfit:
        raise _refusal(name, architecture, input_px, misfit, cls) from misfit
    if checkpoint is not None:
        load_weights(net, checkpoint, unused=unused)
    return encoder


def token_px(input_px: int, native_px: int) -> int | None:
    """Return how wide a ViT's tokens are for patches of this width, or None where none would do.

    It is the widest divisor of ``input_px`` that is no wider than the design's own tokens and gives at least
    four tokens across: for a /16 design 16 px at 64, 128 and 224 px, 14 px at 56, 8 px at 32, 4 px at 16.
    """
    for width in range(min(native_px, input_px // CELLS_ACROSS), 1, -1):
        if input_px % width == 0:
            return width if width >= 3 or input_px // width <= _TOKENS_ACROSS else None
    return None


class _MisfitError(ModelError):
    """The network cannot be built for, or run on, patches of this width."""


def _width_arguments(architecture: Architecture, input_px: int) -> dict[str, Any]:
    """Return what the network must be told to take patches of this width, having tried it without memory.

    Raises
    ------
    ModelError
        When it cannot be built at any width, or (:class:`_MisfitError`) not at this one.
    """
    with torch.device("meta"):
        try:
            native = create_network("", architecture, pretrained=False)
        except _MISFITS as error:
            raise ModelError(
                f"timm cannot build '{architecture.name}' ({_misfit(error).what})",
                where="encoder",
                remedy="look at its arguments, or choose another encoder",
            ) from error
        width: dict[str, Any] = {}
        if hasattr(native, "patch_embed") and hasattr(native, "num_prefix_tokens"):
            width = {"img_size": input_px, **_token_arguments(native, input_px)}
        elif native.pretrained_cfg.get("fixed_input_size", False):
            width = {"img_size": input_px}
        try:
            create_network("", architecture, pretrained=False, **width)
        except _MISFITS as error:
            raise _misfit(error) from error
    return width


def _token_arguments(net: Any, input_px: int) -> dict[str, int]:
    """Return the width of the tokens that suits the patches; nothing where tokens come from convolutions."""
    own = getattr(net.patch_embed, "patch_size", None)
    native_px = int(own[0] if isinstance(own, list | tuple) else own or 1)
    if native_px < 2:
        return {}
    width = token_px(input_px, native_px)
    if width is None:
        near = [px for px in range(input_px - 8, input_px + 9) if token_px(px, native_px)]
        raise _MisfitError(
            f"tokens of 2 to {native_px} px do not divide it",
            expected="a width such as " + ", ".join(f"{px}" for px in near or _TRIED_PX) + " px",
        )
    return {"patch_size": width}


def _fit(
    net: Any, architecture: Architecture, input_px: int, cls: type[TimmEncoder]
) -> tuple[TimmEncoder, tuple[str, ...]]:
    """Make an encoder of a network, taking away the weights on which its features do not depend.

    They would be counted and stored and never trained.  Returned beside the encoder are the names under which
    a file of weights may have more than the encoder needs.
    """
    _keep_borders(net)
    x = torch.zeros(1, 3, input_px, input_px)
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            layout = _layout(net, x)
        encoder = cls(net, layout, architecture)
        with torch.enable_grad():
            used = _leaves(*encoder(x))
    except _MISFITS as error:
        raise _misfit(error) from error
    net.train(training)
    children = {name: {id(one) for one in child.parameters()} for name, child in net.named_children()}
    unused = [name for name, weights in children.items() if weights and used.isdisjoint(weights)]
    for name in unused:
        setattr(net, name, nn.Identity())
    for parameter in net.parameters():
        parameter.requires_grad_(id(parameter) in used)
    classifier = net.pretrained_cfg.get("classifier") or ()
    return encoder, (*unused, *([classifier] if isinstance(classifier, str) else classifier))


def _leaves(*outputs: Tensor) -> set[int]:
    """Return the ids of all tensors from which these were computed."""
    leaves: set[int] = set()
    seen: set[Any] = set()
    waiting: list[Any] = [output.grad_fn for output in outputs]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            leaves.add(id(node.variable))
        waiting += [following for following, _ in node.next_functions]
    return leaves


def _misfit(error: BaseException) -> _MisfitError:
    if isinstance(error, _MisfitError):
        return error
    return _MisfitError(" ".join(str(error).split())[:160] or type(error).__name__)


def _layout(net: Any, x: Tensor) -> Layout:
    last = net.forward_features(x)
    if not isinstance(last, Tensor) or last.ndim not in (3, 4):
        raise _MisfitError("its features are neither a map nor tokens")
    if last.ndim == 3:
        return Layout(getattr(net, "num_prefix_tokens", 0), False, None, last.shape[-1], last.shape[-1])
    dim = net.num_features
    layout = Layout(None, last.shape[1] != dim and last.shape[-1] == dim, None, dim, dim)
    cells = _as_map(last, layout).shape[-1]
    if cells < 1:
        raise _MisfitError("its last map has no cells")
    if cells >= CELLS_ACROSS or not hasattr(net, "forward_intermediates"):
        return layout
    stages = net.forward_intermediates(x)[1]
    fine = [index for index, stage in enumerate(stages) if stage.shape[-1] >= CELLS_ACROSS]
    chosen = fine[-1] if fine else 0
    return Layout(None, layout.channels_last, chosen, stages[chosen].shape[1], dim)


def _as_map(features: Tensor, layout: Layout) -> Float[Tensor, "b c h h"]:
    if layout.prefix_tokens is None:
        return features.permute(0, 3, 1, 2) if layout.channels_last else features
    tokens = features[:, layout.prefix_tokens :]
    across = round(tokens.shape[1] ** 0.5)
    if across * across != tokens.shape[1]:
        raise _MisfitError(f"its {tokens.shape[1]} tokens do not form a square")
    return tokens.transpose(1, 2).unflatten(2, (across, across))


def _keep_borders(net: nn.Module) -> None:
    """Let every halving of a map keep the border cell of an odd one.

    A map of one cell then stays one cell, so patches narrower than 32 px pass; where every map is even, as at
    multiples of 32 px, nothing changes.
    """
    for layer in net.modules():
        if isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)) and (layer.kernel_size, layer.padding) == (2, 0):
            layer.ceil_mode = True


def _refusal(
    name: str, architecture: Architecture, input_px: int, misfit: _MisfitError, cls: type[TimmEncoder]
) -> ModelError:
    works = "" if misfit.expected else ", ".join(f"{px}" for px in _TRIED_PX if _fits(architecture, px, cls))
    return ModelError(
        f"'{name}' does not take patches of {input_px} px ({misfit.what})",
        where="encoder",
        expected=misfit.expected or (f"a width such as {works} px" if works else None),
        remedy="choose another input_px or another encoder",
    )


def _fits(architecture: Architecture, input_px: int, cls: type[TimmEncoder]) -> bool:
    try:
        with torch.device("meta"):
            net = create_network(
                "", architecture, pretrained=False, **_width_arguments(architecture, input_px)
            )
            _fit(net, architecture, input_px, cls)
    except _MisfitError:
        return False
    return True

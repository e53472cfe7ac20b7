"""Patches gathered and augmented on a GPU by one kernel: each pixel is read once and written once.

Kept in a file of its own because importing it loads Triton.
"""

from __future__ import annotations

import inspect
import logging
from contextlib import nullcontext
from subprocess import SubprocessError

import numpy as np
import torch
import triton
import triton.language as tl
from jaxtyping import Int, Int32
from torch import Tensor
from triton.errors import TritonError

from prestige.data.patches.augment import AugmentParameters, pixel_orders
from prestige.data.patches.reader import GREY

_PLACE, _SLIDE = tl.constexpr(20), tl.constexpr(4)  # numbers of a patch (see `pack`) and of a slide
_log = logging.getLogger(__name__)
_AT_ONCE = tl.constexpr(1024)  # pixels
_GREY = tl.constexpr(GREY)


def _gather(out, slides, places, side: tl.constexpr, words: tl.constexpr):
    image = tl.program_id(0).to(tl.int64)
    place = places + image * _PLACE
    slide = slides + tl.load(place).to(tl.int64) * _SLIDE
    height, width, shown = tl.load(slide + 1), tl.load(slide + 2), tl.load(slide + 3)

    pixel = tl.program_id(1) * _AT_ONCE + tl.arange(0, _AT_ONCE)
    inside = pixel < side * side
    source = tl.load(place + 5) + pixel // side * tl.load(place + 6) + pixel % side * tl.load(place + 7)
    row, column = source // side, source % side
    y = tl.minimum(tl.maximum((tl.load(place + 1) + row).to(tl.int64), 0), height - 1)
    x = tl.minimum(tl.maximum((tl.load(place + 2) + column).to(tl.int64), 0), width - 1)
    first = y * width + x
    if words:
        word = tl.load(tl.load(slide).to(tl.pointer_type(tl.int32)) + first, mask=inside, other=0)
        red, green, blue = word & 255, (word >> 8) & 255, (word >> 16) & 255
    else:
        colours = tl.load(slide).to(tl.pointer_type(tl.uint8)) + 3 * first
        red = tl.load(colours, mask=inside, other=0).to(tl.int32)
        green = tl.load(colours + 1, mask=inside, other=0).to(tl.int32)
        blue = tl.load(colours + 2, mask=inside, other=0).to(tl.int32)
    down, right = row - tl.load(place + 3), column - tl.load(place + 4)
    seen = (down >= 0) & (down < shown) & (right >= 0) & (right < shown)

    red = tl.log((tl.where(seen, red, _GREY) + 1).to(tl.float32) * (1 / 256))
    green = tl.log((tl.where(seen, green, _GREY) + 1).to(tl.float32) * (1 / 256))
    blue = tl.log((tl.where(seen, blue, _GREY) + 1).to(tl.float32) * (1 / 256))
    numbers = (place + 8).to(tl.pointer_type(tl.float32), bitcast=True)
    target = out + image * (side * side * 3) + pixel * 3
    for colour in tl.static_range(3):  # pyright: ignore[reportGeneralTypeIssues]
        line = numbers + colour * 4
        light = red * tl.load(line) + green * tl.load(line + 1) + blue * tl.load(line + 2)
        light = tl.exp(light - tl.load(line + 3)) * (256 / 255) - 1 / 255
        light = tl.minimum(tl.maximum(light, 0.0), 1.0)
        tl.store(target + colour, light.to(out.dtype.element_ty), mask=inside)


_kernel = triton.jit(inspect.unwrap(_gather))  # the shape checks of the tests wrap every function they import


def gather(out: Tensor, slides: Tensor, places: Tensor, *, words: bool = True) -> None:
    """Fill a batch with patches, each turned, mirrored and its stains jittered its own way.

    Parameters
    ----------
    out
        (b, d, d, 3) contiguous, of any kind of floating point numbers: colours in 0..1.
    slides
        (s, 4) int64: address of the first pixel, height, width, width of what is shown of a patch (in px).
    places
        (b, 20) int32, as :func:`pack` returns it.
    words
        Whether a pixel is a word (red, green, blue, nothing) or three bytes.
    """
    b, side = out.shape[:2]
    grid = b, triton.cdiv(side * side, _AT_ONCE.value)
    if b:
        with torch.cuda.device(out.device) if out.is_cuda else nullcontext():
            # Fusion is what Triton does where nothing is said, in some versions with a warning.
            _kernel[grid](out, slides, places, side, words, enable_fp_fusion=True)


def works(device: torch.device) -> bool:
    """Whether the kernel can be compiled and run on a device: it is tried, on a patch of one pixel.

    A compiler may be missing, or the device be older than Triton knows.
    """
    try:
        pixel, out = (torch.zeros(shape, device=device) for shape in (1, (1, 1, 1, 3)))
        slide = torch.tensor([[pixel.data_ptr(), 1, 1, 1]], device=device)
        gather(out, slide, torch.zeros((1, _PLACE.value), dtype=torch.int32, device=device))
        torch.cuda.synchronize(device)
    except (TritonError, RuntimeError, OSError, SubprocessError) as error:
        _log.warning("patches are gathered operation by operation, which takes longer: %s", error)
        return False
    return True


def pack(
    slide_index: Int[np.ndarray, " n"],
    start: Int[np.ndarray, "n 2"],
    shown: Int[np.ndarray, "n 2"],
    side: int,
    parameters: AugmentParameters,
) -> Int32[np.ndarray, "n k"]:
    """Say in 20 numbers a patch where it lies and what becomes of it.

    Slide, first row and column of the patch, first row and column shown within it; where its symmetry begins
    in it, its steps to the next row and column; then as float32, for red, green and blue a line of the matrix
    and the shift that the optical densities go through.

    Parameters
    ----------
    slide_index
        The slide of each patch.
    start
        First column and row of each patch, in pixels of the slide.
    shown
        First column and row that are shown, in pixels of the patch.
    side
        Width of the patches.
    parameters
        What becomes of them.
    """
    places = np.empty((len(start), _PLACE.value), np.int32)
    places[:, 0], places[:, 1:3], places[:, 3:5] = slide_index, start[:, ::-1], shown[:, ::-1]
    places[:, 5:8] = pixel_orders(side)[parameters.element].numpy()
    numbers = torch.cat([parameters.matrix, parameters.shift[:, :, None]], dim=2)
    places[:, 8:].view(np.float32)[:] = numbers.flatten(1).numpy()
    return places

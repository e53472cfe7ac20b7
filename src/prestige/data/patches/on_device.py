"""Patches gathered where the network computes: the slides lie in the device's memory, a patch is an index.

A pixel is kept as one 32 bit word (red, green, blue, nothing): a gather then moves whole words, and rows of a
patch are read side by side.  That is a third more memory than the bytes, and no patch ever crosses the bus.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int, Int32, Int64, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from prestige.data.patches.augment import AugmentParameters, augment
from prestige.data.patches.reader import (
    BYTES_AUGMENTED,
    GREY,
    Patch,
    PatchReader,
    Reader,
    width_px,
    window_start,
)

if TYPE_CHECKING:
    from prestige.data.slides.slide import Slide

SHARE = 0.4
"""Part of the device's free memory that slides may take; networks and batches need the rest."""

_BYTES_A_PIXEL = 4
_BYTES_EACH = 48  # a pixel that is augmented operation by operation
_ROWS_AT_ONCE = 4096  # of a slide, while it is sent: bounds what is needed beside it
_held: dict[tuple[str, str], Tensor] = {}
"""Fingerprint and device -> words of a slide, the one used last at the end."""


class DeviceReader:
    """Does what :class:`~prestige.data.patches.reader.PatchReader` does, on a device; patches stay there.

    Patches at the slide's own resolution are the same bytes.  Resized ones may differ by one level: the
    device interpolates in float32 and rounds.

    Parameters
    ----------
    slides, patch
        As of the reader it stands for.
    device
        Where the slides lie.  They are sent once and shared by all readers of this process.
    """

    def __init__(self, slides: Sequence[Slide], patch: Patch, device: torch.device) -> None:
        self.slides, self.patch, self.device = tuple(slides), patch, device
        self._widths = [patch.width_px(slide.um_per_px) for slide in self.slides]
        self._words = _send(self.slides, device)
        self._slides = self._where()
        self._at_once = all(width == patch.input_px for width in self._widths) and _has_kernels(device)
        self.widest_px = max(self._widths, default=0)
        """Width of a patch on the slide where it has most pixels: it is resized on the device."""
        self.bytes_a_patch = (
            patch.input_px**2 * BYTES_AUGMENTED if self._at_once else self.widest_px**2 * _BYTES_EACH
        )
        """What making one takes on the device."""

    def __call__(
        self, slide_index: Int[np.ndarray, " n"], xy_px: Float[np.ndarray, "n 2"]
    ) -> UInt8[Tensor, "n 3 d d"]:
        """Return the patches of n observations as bytes on the device, channels last in memory."""
        side = self.patch.input_px
        slide_index = np.asarray(slide_index)
        numbers = np.unique(slide_index)
        if len(numbers) == 1:
            return self._of_slide(int(numbers[0]), xy_px)
        out = torch.empty((len(xy_px), side, side, 3), dtype=torch.uint8, device=self.device)
        out = out.permute(0, 3, 1, 2)
        for number in numbers:
            rows = np.flatnonzero(slide_index == number)
            out[torch.from_numpy(rows).to(self.device)] = self._of_slide(int(number), xy_px[rows])
        return out

    def augmented(
        self,
        slide_index: Int[np.ndarray, " n"],
        xy_px: Float[np.ndarray, "n 2"],
        parameters: AugmentParameters,
        dtype: torch.dtype = torch.float32,
    ) -> Float[Tensor, "n 3 d d"]:
        """Return the patches of n observations, each augmented its own way, as 0..1 on the device.

        Where no patch is resized one kernel does it all, and each pixel is read once and written once.
        """
        if not self._at_once:
            return augment(self(slide_index, xy_px), parameters).to(dtype)
        from prestige.data.patches.gather import gather

        side = self.patch.input_px
        out = torch.empty((len(xy_px), side, side, 3), dtype=dtype, device=self.device)
        gather(out, *self.table(slide_index, xy_px, parameters))
        return out.permute(0, 3, 1, 2)

    def table(
        self,
        slide_index: Int[np.ndarray, " n"],
        xy_px: Float[np.ndarray, "n 2"],
        parameters: AugmentParameters,
    ) -> tuple[Int64[Tensor, "s 4"], Int32[Tensor, "n k"]]:
        """Say on the device where slides and patches lie, as :mod:`prestige.data.patches.gather` reads it."""
        from prestige.data.patches.gather import pack

        start = window_start(xy_px, self.patch.input_px)
        shown = np.zeros_like(start)
        if self.patch.visible_um is not None:
            for number in np.unique(slide_index):
                at = slide_index == number
                shown[at] = window_start(xy_px[at], self._shown_px(int(number))) - start[at]
        places = torch.from_numpy(pack(slide_index, start, shown, self.patch.input_px, parameters))
        return self._slides, places.to(self.device, non_blocking=True)

    def _where(self) -> Int64[Tensor, "s 4"]:
        """Say where the slides lie, and how much of a patch is shown on each, as the kernel reads it."""
        table = [
            [words.data_ptr(), *words.shape, self._shown_px(number)]
            for number, words in enumerate(self._words)
        ]
        return torch.tensor(table, dtype=torch.int64, device=self.device)

    def _shown_px(self, number: int) -> int:
        """Return the width, in pixels of the slide, of what is shown of a patch."""
        if self.patch.visible_um is None:
            return self._widths[number]
        return min(self._widths[number], width_px(self.patch.visible_um, self.slides[number].um_per_px))

    def _of_slide(self, number: int, xy_px: np.ndarray) -> UInt8[Tensor, "n 3 d d"]:
        width, words = self._widths[number], self._words[number]
        start = torch.from_numpy(window_start(xy_px, width)).to(self.device, non_blocking=True)
        across = torch.arange(width, device=self.device)
        columns, rows = (
            (start[:, axis, None] + across).clamp_(0, words.shape[1 - axis] - 1) for axis in (0, 1)
        )
        pixels = words[rows[:, :, None], columns[:, None, :]]
        patches = pixels.view(torch.uint8).view(*pixels.shape, _BYTES_A_PIXEL)[..., :3]
        patches = self._greyed(patches, number, xy_px).permute(0, 3, 1, 2)
        if width != self.patch.input_px:
            return _resized(patches, self.patch.input_px)
        return patches.contiguous(memory_format=torch.channels_last)

    def _greyed(self, patches: Tensor, number: int, xy_px: np.ndarray) -> Tensor:
        """Hide what lies outside the visible width."""
        if self.patch.visible_um is None:
            return patches
        width, size = self._widths[number], self._shown_px(number)
        first = window_start(xy_px, size) - window_start(xy_px, width)  # of half pixels the place decides
        first = torch.from_numpy(first).to(self.device)
        at = torch.arange(width, device=self.device)
        columns, rows = ((at >= first[:, axis, None]) & (at < first[:, axis, None] + size) for axis in (0, 1))
        shown = rows[:, :, None, None] & columns[:, None, :, None]
        return torch.where(shown, patches, GREY)


class StreamedReader:
    """Crops as the reader that is given does; the patches are sent to a device, and augmented there.

    For slides that do not fit on the device, and for devices other than a CPU and CUDA.

    Parameters
    ----------
    reader
        What crops, best into memory that the device fetches by itself (see :meth:`PatchReader.pinned`).
    device
        Where :meth:`augmented` leaves the patches.
    """

    def __init__(self, reader: Reader, device: torch.device) -> None:
        self.device = device
        self._reader = reader
        self.widest_px, self.bytes_a_patch = reader.widest_px, reader.bytes_a_patch

    def __call__(
        self, slide_index: Int[np.ndarray, " n"], xy_px: Float[np.ndarray, "n 2"]
    ) -> UInt8[Tensor, "n 3 d d"]:
        """Return the patches of n observations as bytes, channels last in memory, to be fetched."""
        return self._reader(slide_index, xy_px)

    def augmented(
        self,
        slide_index: Int[np.ndarray, " n"],
        xy_px: Float[np.ndarray, "n 2"],
        parameters: AugmentParameters,
    ) -> Float[Tensor, "n 3 d d"]:
        """Return the patches of n observations, each augmented its own way, as 0..1 on the device."""
        cropped = self(slide_index, xy_px)
        near = cropped.to(self.device, non_blocking=True)
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()  # then `cropped` may be written over
        if not _has_kernels(self.device):
            return augment(near, parameters)
        from prestige.data.patches.gather import gather, pack

        n, side = len(near), near.shape[-1]
        start = np.column_stack([np.zeros(n, np.int64), np.arange(n) * side])  # a batch is a tall slide
        places = pack(np.zeros(n, np.int64), start, np.zeros_like(start), side, parameters)
        slide = torch.tensor([[near.data_ptr(), n * side, side, side]], device=self.device)
        out = torch.empty((n, side, side, 3), device=self.device)
        gather(out, slide, torch.from_numpy(places).to(self.device, non_blocking=True), words=False)
        return out.permute(0, 3, 1, 2)


def on_device(reader: PatchReader, device: torch.device) -> Reader:
    """Return a reader that serves a device: from its own memory where the slides fit, else by streaming.

    The CPU is served by the reader itself.
    """
    if device.type == "cpu":
        return reader
    if device.type != "cuda":
        return StreamedReader(reader, device)
    if not fits(bytes_of(reader.slides), device):
        return StreamedReader(reader.pinned(), device)
    return DeviceReader(reader.slides, reader.patch, device)


def fits(n_bytes: int, device: torch.device) -> bool:
    """Whether that much may lie in the device's memory for as long as a training takes."""
    return n_bytes <= _room(device)


@cache
def _has_kernels(device: torch.device) -> bool:
    """Whether patches are gathered there by a kernel; asked once."""
    if device.type != "cuda" or find_spec("triton") is None:
        return False
    from prestige.data.patches.gather import works

    return works(device)


def bytes_of(slides: Sequence[Slide]) -> int:
    """Return the bytes that slides take on a device."""
    return sum(slide.height_px * slide.width_px * _BYTES_A_PIXEL for slide in slides)


def _room(device: torch.device) -> float:
    """Return the bytes that slides may take, those that are there already included."""
    free = math.inf
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        free = torch.cuda.mem_get_info(device)[0] + kept
    return SHARE * (free + sum(_size(words) for (_, where), words in _held.items() if where == str(device)))


def _size(words: Tensor) -> int:
    return words.numel() * _BYTES_A_PIXEL


def _send(slides: Sequence[Slide], device: torch.device) -> list[Int32[Tensor, "h w"]]:
    """Return the words of slides on the device, sent now unless they are there; others make room for them."""
    wanted = {(slide.fingerprint, str(device)): slide for slide in slides}
    room = _room(device)
    new = bytes_of([slide for key, slide in wanted.items() if key not in _held])
    for key in [key for key in _held if key not in wanted and key[1] == str(device)]:
        if new + sum(_size(words) for words in _held.values()) <= room:
            break
        del _held[key]
    for key, slide in wanted.items():
        _held[key] = _held.pop(key) if key in _held else _words(slide, device)  # the last used stands last
    return [_held[slide.fingerprint, str(device)] for slide in slides]


def _words(slide: Slide, device: torch.device) -> Int32[Tensor, "h w"]:
    words = torch.empty((slide.height_px, slide.width_px), dtype=torch.int32, device=device)
    as_bytes = words.view(torch.uint8).view(slide.height_px, slide.width_px, _BYTES_A_PIXEL)
    for top in range(0, slide.height_px, _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        strip = torch.from_numpy(np.array(slide.pixels[rows]))
        as_bytes[rows, :, :3] = strip.to(device, non_blocking=True)
        as_bytes[rows, :, 3] = 0
    return words


def _resized(patches: UInt8[Tensor, "n 3 w w"], side: int) -> UInt8[Tensor, "n 3 d d"]:
    resized = interpolate(
        patches.float(), size=(side, side), mode="bilinear", align_corners=False, antialias=True
    )
    resized = resized.round_().clamp_(0, 255).to(torch.uint8)
    return resized.contiguous(memory_format=torch.channels_last)

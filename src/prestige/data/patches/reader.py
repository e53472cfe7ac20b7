"""Patches: the square of tissue around an observation, cropped for a whole batch in one call.

There are no patch files: slides stay memory-mapped, and a patch is a crop of them.  Importing
this file loads neither torch nor numba; constructing a :class:`PatchReader` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import Field, model_validator

from prestige.compute.threads import n_threads
from prestige.data.patches.augment import AugmentParameters, augment
from prestige.data.patches.buffers import Buffers
from prestige.data.slides.mapped import Held, read_here_and_there
from prestige.errors import ConfigError, DataError
from prestige.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from prestige.data.slides.slide import Slide

GREY = 128
"""Value of the pixels hidden by ``visible_um``."""

BYTES_CROPPED, BYTES_AUGMENTED = 3, 12
"""What a pixel takes: as bytes, and as 0..1 in float32."""

_BYTES_A_THREAD = 1 << 21


class PatchConfig(Settings):
    """What is seen of the tissue (``patch_um`` or ``patch_px``) and how finely (``input_px``).

    Attributes
    ----------
    patch_um
        Width of the tissue seen, in um.
    patch_px
        The same in slide pixels; only where all samples share ``um_per_px``.
    input_px
        Width of the network's input in pixels.  Left out: the patch's width in slide pixels.
    visible_um
        Control for field of view against input size: tissue outside this width is greyed out.
    """

    patch_um: float | None = Field(default=None, gt=0)
    patch_px: int | None = Field(default=None, ge=1)
    input_px: int | None = Field(default=None, ge=1)
    visible_um: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_width(self) -> PatchConfig:
        if (self.patch_um is None) == (self.patch_px is None):
            raise ValueError("a patch needs exactly one of patch_um and patch_px")
        return self


@dataclass(frozen=True)
class Patch:
    """One patch size: ``patch_um`` of tissue, ``input_px`` pixels, perhaps only ``visible_um`` shown."""

    patch_um: float
    input_px: int
    visible_um: float | None = None

    def width_px(self, um_per_px: float) -> int:
        """Return the patch's width on a slide, in whole slide pixels."""
        return width_px(self.patch_um, um_per_px)


def width_px(width_um: float, um_per_px: float) -> int:
    """Return the whole number of slide pixels (at least 1) nearest to a width in um."""
    return max(1, int(np.floor(width_um / um_per_px + 0.5)))


def window_start(xy_px: Float[np.ndarray, "n 2"], width: int) -> Int[np.ndarray, "n 2"]:
    """Return the first column and row of the window of ``width`` pixels centred at each place.

    Pixel centres lie at integers, so the window around x is the ``width`` pixels from
    ``floor(x - (width - 1) / 2 + 0.5)`` on.
    """
    return np.floor(np.asarray(xy_px, np.float64) - (width - 1) / 2 + 0.5).astype(np.int64)


def window_inside(
    xy_px: Float[np.ndarray, "n 2"], width: int, *, width_px: int, height_px: int
) -> Bool[np.ndarray, " n"]:
    """Say for which places the window of ``width`` pixels lies within the image."""
    start = window_start(xy_px, width)
    return np.all((start >= 0) & (start + width <= np.array([width_px, height_px])), axis=1)


def resolve_patch(config: PatchConfig, um_per_px: Sequence[float]) -> Patch:
    """Turn a patch's settings into the one patch that a run uses on all its samples.

    Without ``input_px`` the input is as wide as the patch is on the coarsest sample, so that no
    sample is enlarged beyond what was photographed.

    Raises
    ------
    ConfigError
        For ``patch_px`` where the samples differ in ``um_per_px``, and for a ``visible_um`` wider
        than the patch.
    """
    if not um_per_px:
        raise ConfigError("a patch size needs at least one sample", expected="um_per_px of the samples")
    low, high = min(um_per_px), max(um_per_px)
    if config.patch_px is not None:
        if high > low * (1 + 1e-6):
            raise ConfigError(
                f"patch_px: {config.patch_px} is a different width of tissue in each sample",
                expected=f"one um_per_px, got {low:g} to {high:g}",
                remedy=f"write patch_um: {config.patch_px * high:.4g}, input_px: {config.patch_px} instead",
            )
        patch_um = config.patch_px * float(um_per_px[0])
    else:
        assert config.patch_um is not None
        patch_um = config.patch_um
    if config.visible_um is not None and config.visible_um > patch_um * (1 + 1e-9):
        raise ConfigError(
            f"visible_um: {config.visible_um:g} is wider than the patch",
            expected=f"at most {patch_um:g} um",
        )
    return Patch(patch_um, config.input_px or width_px(patch_um, high), config.visible_um)


@runtime_checkable
class Reader(Protocol):
    """What gives a batch of patches, wherever they come from and wherever they lie afterwards.

    Training asks for :meth:`augmented` patches, prediction and baselines for the bytes.  A reader that
    crops on the processor serves a device through :class:`~prestige.data.patches.on_device.StreamedReader`.
    """

    @property
    def widest_px(self) -> int:
        """Width in pixels of the widest patch that reaches the device, where it may yet be resized."""
        ...

    @property
    def bytes_a_patch(self) -> int:
        """Memory that making one augmented patch takes where it is made."""
        ...

    def __call__(
        self, slide_index: Int[np.ndarray, " n"], xy_px: Float[np.ndarray, "n 2"], /
    ) -> UInt8[Tensor, "n 3 d d"]:
        """Return the patches of n observations as bytes, in channels-last memory order."""
        ...

    def augmented(
        self,
        slide_index: Int[np.ndarray, " n"],
        xy_px: Float[np.ndarray, "n 2"],
        parameters: AugmentParameters,
        /,
    ) -> Float[Tensor, "n 3 d d"]:
        """Return the patches of n observations, each augmented its own way, as 0..1 (float32)."""
        ...


class PatchReader:
    """Crops the patches of a batch of observations, of several slides mixed, in one call.

    A patch is cropped at the slide's own resolution; where its width there is not ``input_px`` it
    is resized with antialiasing (an area-weighted triangle filter when shrinking, bilinear when
    enlarging).  Outside the image the nearest edge pixel is repeated: reflection would show
    tissue a second time, and white would draw the border of a tissue that goes on.

    Parameters
    ----------
    slides
        The slides that ``slide_index`` counts.
    patch
        The patch size, the same tissue width on each slide.
    threads
        Threads that crop parts of one batch; the result does not depend on it.  Default: the
        processors this process may use, up to 4.
    most_mapped_bytes
        How much of the slides' files may stay in this process's memory from batch to batch: for going once
        through a slide that is larger than that.  Left out, the system decides.

    Raises
    ------
    DataError
        When the patch is larger than one of the images.

    Examples
    --------
    >>> import numpy as np
    >>> from prestige.data.slides.slide import Slide
    >>> slide = Slide(np.zeros((100, 120, 3), np.uint8), 0.5, False, "a hash of its content")
    >>> reader = PatchReader([slide], Patch(patch_um=16.0, input_px=32))
    >>> reader(np.array([0, 0]), np.array([[60.0, 50.0], [0.0, 0.0]])).shape
    torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self,
        slides: Sequence[Slide],
        patch: Patch,
        *,
        threads: int | None = None,
        most_mapped_bytes: int | None = None,
    ) -> None:
        from prestige.data.patches.crop import crop

        self.slides = tuple(slides)
        self.patch = patch
        self._crop = crop
        self._widths = [patch.width_px(slide.um_per_px) for slide in self.slides]
        self._pixels: list[np.ndarray] = []
        for number, (slide, width) in enumerate(zip(self.slides, self._widths, strict=True)):
            if width > min(slide.height_px, slide.width_px):
                raise DataError(
                    f"a patch of {patch.patch_um:g} um ({width} px) is larger than the image",
                    where=f"slide {number}",
                    expected=f"at most the image's {slide.width_px} x {slide.height_px} px",
                    remedy="choose a smaller patch or leave the sample out",
                )
            self._pixels.append(np.ascontiguousarray(np.asarray(slide.pixels)))
        self._threads = threads or n_threads()
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None
        self._held = Held(most_mapped_bytes)
        if most_mapped_bytes is None:
            read_here_and_there(self._pixels)
        self._buffers, self._native, self._augmented = Buffers(), Buffers(), Buffers()
        self.widest_px = patch.input_px
        self.bytes_a_patch = patch.input_px**2 * (BYTES_CROPPED + BYTES_AUGMENTED)

    def pinned(self) -> PatchReader:
        """Return a reader that leaves its batches in page-locked memory, which a GPU fetches by itself."""
        reader = copy(self)
        reader._buffers = Buffers(pinned=True)
        return reader

    def __call__(
        self, slide_index: Int[np.ndarray, " n"], xy_px: Float[np.ndarray, "n 2"]
    ) -> UInt8[Tensor, "n 3 d d"]:
        """Return the patches of n observations as bytes, in channels-last memory order.

        Parameters
        ----------
        slide_index
            (n,) the slide of each observation, its position in ``slides``.
        xy_px
            (n, 2) x, y in that slide's pixels, pixel centres at integers.
        """
        import torch

        side = self.patch.input_px
        out = self._buffers.take((len(xy_px), side, side, 3), np.uint8)
        slide_index = np.asarray(slide_index)
        for number in np.unique(slide_index):
            self._fill(int(number), np.flatnonzero(slide_index == number), xy_px, out)
        self._held.trim(*self._pixels)
        return torch.from_numpy(out).permute(0, 3, 1, 2)

    def augmented(
        self,
        slide_index: Int[np.ndarray, " n"],
        xy_px: Float[np.ndarray, "n 2"],
        parameters: AugmentParameters,
    ) -> Float[Tensor, "n 3 d d"]:
        """Return the patches of n observations, each augmented its own way, as 0..1 (float32) on the CPU."""
        return augment(self(slide_index, xy_px), parameters, self._augmented)

    def _fill(self, number: int, rows: np.ndarray, xy_px: np.ndarray, out: np.ndarray) -> None:
        """Write the patches of one slide into their rows of the batch."""
        width = self._widths[number]
        places = xy_px if len(rows) == len(xy_px) else xy_px[rows]
        if width == self.patch.input_px:
            self._copy(number, rows, places, out)
            return
        native = self._native.take((len(rows), width, width, 3), np.uint8)
        self._copy(number, np.arange(len(rows)), places, native)
        out[rows] = _resize(native, self.patch.input_px)

    def _copy(self, number: int, rows: np.ndarray, places: np.ndarray, out: np.ndarray) -> None:
        """Crop at the slide's resolution, spread over the threads when there is enough to do."""
        slide, width = self.slides[number], self._widths[number]
        start = window_start(places, width)
        shown, size = start, width
        if self.patch.visible_um is not None:
            size = min(width, width_px(self.patch.visible_um, slide.um_per_px))
            shown = window_start(places, size)
            out[rows] = GREY
        windows = np.column_stack([rows, shown, shown - start]).astype(np.int64, copy=False)
        pieces = min(self._threads, 1 + len(rows) * size * size * 3 // _BYTES_A_THREAD)
        if self._pool is None or pieces < 2:
            self._crop(self._pixels[number], windows, size, out)
            return
        crop = partial(self._crop, self._pixels[number])
        list(self._pool.map(lambda some: crop(some, size, out), np.array_split(windows, pieces)))


def _resize(native: UInt8[np.ndarray, "n w w 3"], side: int) -> UInt8[np.ndarray, "n d d 3"]:
    import torch
    from torch.nn.functional import interpolate

    images = torch.from_numpy(native).permute(0, 3, 1, 2)
    resized = interpolate(images, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
    return np.ascontiguousarray(resized.permute(0, 2, 3, 1).numpy())

"""Tiles of tissue of a slide at the width of a pixel that a model needs, read one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8

from prestige.compute.threads import ahead
from prestige.data.slides.brightfield import check_brightfield
from prestige.data.slides.images import Image
from prestige.data.slides.on_demand.overview import level_for, overview_of, part_at
from prestige.errors import DataError

_LOOKED_AT = 4  # places along each side of a tile
_READ_AT_ONCE = 8  # tiles side by side
_FINER = 1.01


class TissueTiles:
    """The tiles of a slide that show tissue, in rows from the top.

    Nothing but the overview is read before the tiles are asked for, and no more is held than the tiles that
    are being made.  It is what prediction on whole slides will go over; no command does so yet.

    Parameters
    ----------
    image
        The slide; it stays open for as long as tiles are read.
    um_per_px
        Width of a pixel of its largest level in micrometres.
    tile_px, tile_um_per_px
        Side of a tile in pixels, and the width of one of them in micrometres.
    least_tissue
        Share of a tile that has to show anything but bare glass.

    Attributes
    ----------
    corners_px
        (n, 2) where the tiles begin: x, y in pixels of the largest level, from its upper left edge on.

    Raises
    ------
    DataError
        When the pixels of the slide are wider than those of the tiles, it shows no transmitted light, or the
        file is damaged.
    """

    def __init__(
        self,
        image: Image,
        *,
        um_per_px: float,
        tile_px: int,
        tile_um_per_px: float,
        least_tissue: float = 0.25,
    ) -> None:
        self.image, self.tile_px = image, tile_px
        self._factor = tile_um_per_px / um_per_px
        if self._factor * _FINER < 1:
            raise DataError(
                f"its pixels are {um_per_px:.4g} um wide, and tiles of {tile_um_per_px:.4g} um are asked for",
                where=image.path,
                expected="pixels as fine as those of the tiles",
                remedy="use a model that was trained on wider pixels, or a finer scan",
            )
        self._level = level_for(image, self._factor)
        self.side_px = tile_px * self._factor
        """Side of a tile in pixels of the largest level."""
        down, across = (int(np.ceil(side / self.side_px)) for side in (image.height_px, image.width_px))
        y, x = np.divmod(np.arange(down * across), across)
        corners = np.column_stack([x, y]) * self.side_px
        self.corners_px: Float[np.ndarray, "n 2"] = corners[self._tissue(corners, um_per_px) >= least_tissue]

    def __len__(self) -> int:
        return len(self.corners_px)

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "side side 3"]]:
        """Go over the tiles, in the order of their corners.

        Raises
        ------
        DataError
            When the file is damaged.
        """
        for strip in ahead(self._strip, self._runs()):
            yield from strip

    def _tissue(self, corners: Float[np.ndarray, "n 2"], um_per_px: float) -> Float[np.ndarray, " n"]:
        """Return the share of each tile that shows tissue, by places in it."""
        inside = (np.arange(_LOOKED_AT) + 0.5) / _LOOKED_AT * self.side_px - 0.5
        offsets = np.stack(np.meshgrid(inside, inside), axis=-1).reshape(-1, 2)
        places = (corners[:, None] + offsets).reshape(-1, 2)
        there = (places < [self.image.width_px, self.image.height_px]).all(axis=1)
        found = np.zeros(len(places), dtype=bool)
        overview = overview_of(self.image, um_per_px)
        check_brightfield(overview.pixels, where=self.image.path)
        found[there] = overview.tissue(places[there])
        return found.reshape(len(corners), -1).mean(axis=1)

    def _runs(self) -> Iterator[Sequence[int]]:
        """Give the numbers of tiles that lie side by side, some at a time."""
        x, y = np.rint(self.corners_px / self.side_px).astype(np.int64).T
        beside: Bool[np.ndarray, "m"] = (np.diff(x) == 1) & (np.diff(y) == 0)
        start = 0
        for number in range(1, len(self) + 1):
            if number == len(self) or not beside[number - 1] or number - start == _READ_AT_ONCE:
                yield range(start, number)
                start = number

    def _strip(self, numbers: Sequence[int]) -> list[UInt8[np.ndarray, "side side 3"]]:
        down = self.image.levels[self._level].downsample
        left, top = self.corners_px[numbers[0]] / down
        size = (self.tile_px, self.tile_px * len(numbers))
        strip = part_at(self.image, self._level, left, top, self._factor / down, size)
        side = self.tile_px
        return [np.ascontiguousarray(strip[:, side * k : side * (k + 1)]) for k in range(len(numbers))]

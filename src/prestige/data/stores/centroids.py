"""Centroids of many labels from a mask that is read piece by piece."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Integer

_BLOCK_PX = 1 << 22


class Centroids:
    """Running centroids of wanted labels; memory does not grow with the mask.

    A row of pixels is taken as runs of one label: a nucleus of 10 pixels across costs one run a row, and
    a run from x with length k adds k*x + k(k-1)/2 to the sum of x.

    Parameters
    ----------
    labels
        The wanted labels, each once; others in the mask are passed over.
    """

    def __init__(self, labels: Int[np.ndarray, "n"]) -> None:
        self._order = np.argsort(labels, kind="stable")
        self._labels = np.asarray(labels)[self._order]
        self._area = np.zeros(len(labels))
        self._sum = np.zeros((len(labels), 2))
        self._squares = np.zeros(len(labels))

    def add(self, mask: Integer[np.ndarray, "h w"], y0: int, x0: int) -> None:
        """Add a piece of the mask whose first pixel has row ``y0`` and column ``x0``."""
        step = max(1, _BLOCK_PX // max(mask.shape[1], 1))
        for y in range(0, mask.shape[0], step):
            self._add_rows(mask[y : y + step], y0 + y, x0)

    def _add_rows(self, mask: Integer[np.ndarray, "h w"], y0: int, x0: int) -> None:
        if not mask.size or not len(self._labels):
            return
        begins = np.ones(mask.shape, dtype=bool)
        np.not_equal(mask[:, 1:], mask[:, :-1], out=begins[:, 1:])
        starts = np.flatnonzero(begins)
        lengths = np.diff(starts, append=mask.size)
        values = mask.reshape(-1)[starts]
        labelled = values > 0
        starts, lengths, values = starts[labelled], lengths[labelled], values[labelled].astype(np.int64)
        place = np.minimum(np.searchsorted(self._labels, values), len(self._labels) - 1)
        wanted = self._labels[place] == values
        place, starts, lengths = place[wanted], starts[wanted], lengths[wanted].astype(np.float64)
        y, x = np.divmod(starts, mask.shape[1])
        x, y, more = x + x0, y + y0, lengths - 1
        # Of the labels in this piece alone: else each piece would cost as much as there are labels in all.
        here, place = np.unique(place, return_inverse=True)
        n = len(here)
        self._area[here] += np.bincount(place, lengths, n)
        self._sum[here, 0] += np.bincount(place, lengths * x + lengths * more / 2, n)
        self._sum[here, 1] += np.bincount(place, lengths * y, n)
        of_run = (
            x.astype(np.float64) ** 2 + y.astype(np.float64) ** 2 + x * more + more * (2 * lengths - 1) / 6
        )
        self._squares[here] += np.bincount(place, lengths * of_run, n)

    def spread(self) -> Float[np.ndarray, "n"]:
        """Return how far the pixels of each label lie from its centroid, NaN for labels not seen.

        Their mean squared distance over that of a disk of the same area, which is area / (2 pi): an ellipse
        whose axes are a and b has (a / b + b / a) / 2, and a label in two places has far more.
        """
        out = np.full(len(self._area), np.nan)
        seen = self._area > 0
        area = self._area[seen]
        mean = self._sum[seen] / area[:, None]
        squares = self._squares[seen] / area - (mean**2).sum(axis=1)
        out[self._order[seen]] = np.maximum(squares, 0) * 2 * np.pi / area
        return out

    def xy_px(self) -> Float[np.ndarray, "n 2"]:
        """Return x and y of each label's centroid (a pixel's centre is whole), NaN for labels not seen."""
        out = np.full_like(self._sum, np.nan)
        seen = self._area > 0
        out[self._order[seen]] = self._sum[seen] / self._area[seen, None]
        return out

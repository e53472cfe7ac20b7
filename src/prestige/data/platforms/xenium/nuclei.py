"""Nuclei of an output folder: where they lie, and a label image drawn from their outlines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, UInt32

from prestige.data.columns.mismatch import both_sides
from prestige.data.platforms.rows import read_all
from prestige.errors import DataError

EXPECTED = "outlines of nuclei, a row a vertex: cell_id, vertex_x, vertex_y in micrometres"
_OF_CELLS = "take the line centre_of: nucleus away"
_FEW = 10  # outlines, which may be anything
_MOST_NUCLEI = 100  # of one cell, where only closed rings tell them apart


@dataclass(frozen=True, eq=False)
class Outlines:
    """Outlines of nuclei, as long lists.

    Parameters
    ----------
    xy_um
        (v, 2) vertices in micrometres from the corner of the morphology image.
    starts
        (p,) the first vertex of each outline.
    cells
        (p,) the row of the cell that each belongs to.
    """

    xy_um: Float[np.ndarray, "v 2"]
    starts: Int[np.ndarray, " p"]
    cells: Int[np.ndarray, " p"]

    def centroids(self, n_cells: int) -> Float[np.ndarray, "n 2"]:
        """Return x and y of the centroid of each cell's nuclei, NaN for cells without one.

        Areas and centroids are those of polygons (the shoelace formula), and those of several nuclei of one
        cell are weighted by area.
        """
        out = np.full((n_cells, 2), np.nan)
        if not len(self.starts):
            return out
        lengths = np.diff(self.starts, append=len(self.xy_um))
        ring = np.repeat(np.arange(len(self.starts)), lengths)
        first = self.xy_um[self.starts]
        here = self.xy_um - first[ring]  # near 0, where products of large numbers would lose digits
        after = np.roll(here, -1, axis=0)
        after[self.starts + lengths - 1] = 0.0  # the first vertex again
        cross = here[:, 0] * after[:, 1] - after[:, 0] * here[:, 1]
        area = np.add.reduceat(cross, self.starts) / 2
        moments = np.add.reduceat((here + after) * cross[:, None], self.starts) / 6
        flat = np.abs(area) < 1e-6
        means = np.add.reduceat(here, self.starts) / lengths[:, None]
        centre = np.where(flat[:, None], means, moments / np.where(flat, 1.0, area)[:, None]) + first
        weight = np.maximum(np.abs(area), 1e-6)
        total = np.bincount(self.cells, weight, n_cells)
        seen = total > 0
        for axis in range(2):
            sums = np.bincount(self.cells, weight * centre[:, axis], n_cells)
            out[seen, axis] = sums[seen] / total[seen]
        return out

    def drawn(
        self, height_px: int, width_px: int, on_image: Callable[[Float[np.ndarray, "v 2"]], np.ndarray]
    ) -> UInt32[np.ndarray, "height width"]:
        """Return a label image: 0 where no nucleus is, else the row of its cell, counted from 1.

        Parameters
        ----------
        height_px, width_px
            Size of the image.
        on_image
            Takes places in micrometres to pixels of the image (a pixel's centre has whole coordinates).
        """
        from skimage.draw import polygon

        labels = np.zeros((height_px, width_px), dtype=np.uint32)
        xy_px = on_image(self.xy_um)
        ends = np.append(self.starts[1:], len(xy_px))
        for start, end, cell in zip(self.starts, ends, self.cells, strict=True):
            rows, columns = polygon(xy_px[start:end, 1], xy_px[start:end, 0], labels.shape)
            labels[rows, columns] = cell + 1
        return labels


def read_outlines(path: Path, ids: pd.Index) -> Outlines:
    """Read ``nucleus_boundaries`` (or ``cell_boundaries``) of the cells of a table.

    Outlines have any number of vertices, and a cell may have several: ``label_id`` tells them apart where it
    is there, else the vertex that closes one.  Outlines of cells that are not in the table are passed over.

    Raises
    ------
    DataError
        When the table is damaged, or names none of the cells.
    """
    frame = read_all(
        path,
        texts=("cell_id",),
        numbers=("vertex_x", "vertex_y", "label_id"),
        optional=("label_id",),
        expected=EXPECTED,
    )
    if not len(frame):
        raise DataError("holds no outlines", where=path, expected=EXPECTED, remedy=_OF_CELLS)
    levels = frame["cell_id"].cat.categories
    rows = ids.get_indexer(levels)
    if not (rows >= 0).any():
        raise DataError(
            "names none of the cells of the table of cells",
            where=path,
            expected=EXPECTED,
            remedy=both_sides(list(levels), list(ids), "both have to come from one run"),
        )
    cells = rows[frame["cell_id"].cat.codes.to_numpy()]
    xy_um = frame[["vertex_x", "vertex_y"]].to_numpy(np.float64)
    label = frame["label_id"].to_numpy() if "label_id" in frame else None
    kept = (cells >= 0) & np.isfinite(xy_um).all(axis=1)
    cells, xy_um = cells[kept], xy_um[kept]
    begins = np.ones(len(cells), dtype=bool)
    begins[1:] = cells[1:] != cells[:-1]
    if label is None:
        _closed(begins, xy_um)
    else:
        begins[1:] |= label[kept][1:] != label[kept][:-1]
    starts = np.flatnonzero(begins)
    of_few = int((np.diff(starts, append=len(cells)) < 3).sum())
    if of_few * 2 > len(starts) > _FEW:
        raise DataError(
            f"{of_few:,} of {len(starts):,} outlines have fewer than 3 vertices one below another",
            where=path,
            expected=EXPECTED,
            remedy="sort its rows as the instrument wrote them, or copy it again",
        )
    return Outlines(xy_um, starts, cells[starts].astype(np.int64))


def _closed(begins: Bool[np.ndarray, " v"], xy_um: Float[np.ndarray, "v 2"]) -> None:
    """Mark where a further outline begins behind a vertex that closes one: it is the same as its first."""
    vertex = np.arange(len(xy_um))
    for _ in range(_MOST_NUCLEI):
        starts = np.flatnonzero(begins)
        if not len(starts):
            return
        of = starts[np.cumsum(begins) - 1]
        again = (vertex > of) & (xy_um == xy_um[of]).all(axis=1)
        first = np.minimum.reduceat(np.where(again, vertex, len(xy_um)), starts) + 1
        ends = np.append(starts[1:], len(xy_um))
        new = first[first < ends]
        if not len(new):
            return
        begins[new] = True

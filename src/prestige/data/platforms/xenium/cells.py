"""The table of cells of an output folder: ids, centres in micrometres, and what else it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from prestige.data.platforms.rows import read_all
from prestige.data.platforms.xenium.named import COPY, TABLES, named
from prestige.data.platforms.xenium.named import EXPECTED as EXPECTED_FOLDER
from prestige.errors import DataError
from prestige.text import some

EXPECTED = "the table of cells of a Xenium output folder"
_KEPT = ("cell_area", "nucleus_area", "nucleus_count")
_NUMBERS = ("x_centroid", "y_centroid", "transcript_counts", *_KEPT)


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of an output folder, in its order.

    Parameters
    ----------
    ids
        Their names, unique texts.
    xy_um
        (n, 2) x and y of their centroids, in micrometres from the corner of the morphology image.
    obs
        What else is known of them: areas, how they were segmented.
    transcript_counts
        (n,) transcripts of genes; None where the table does not say.
    where
        The table, for messages.
    """

    ids: pd.Index
    xy_um: Float[np.ndarray, "n 2"]
    obs: pd.DataFrame
    transcript_counts: Float[np.ndarray, " n"] | None
    where: str

    @property
    def has_nucleus(self) -> Bool[np.ndarray, " n"]:
        """Whether each has a nucleus, where the table tells; all have, where it does not."""
        if "nucleus_count" in self.obs.columns:
            return self.obs["nucleus_count"].to_numpy() > 0
        if "nucleus_area" in self.obs.columns:
            return self.obs["nucleus_area"].to_numpy() > 0
        return np.ones(len(self.ids), dtype=bool)


def table_named(folder: Path, name: str, before: str = "") -> Path | None:
    """Return a table of the folder in the form it is there in, parquet first; None where there is none."""
    paths = [named(folder, before, f"{name}{end}") for end in TABLES]
    return next((path for path in paths if path.exists()), None)


def needed_table(folder: Path, name: str, why: str, before: str = "") -> Path:
    """Return a table of the folder.

    Raises
    ------
    DataError
        When it is not there in any form.
    """
    path = table_named(folder, name, before)
    if path is None:
        store = named(folder, before, f"{name}.zarr.zip")
        raise DataError(
            f"neither {name}.parquet nor {name}.csv.gz is there",
            where=folder,
            expected=EXPECTED_FOLDER if name == "cells" else f"{name}, {why}",
            remedy=f"{'its .zarr.zip is not read: ' if store.exists() else ''}{COPY}",
        )
    return path


def read_cells(path: Path) -> Cells:
    """Read the table of cells, of whichever version and form.

    Raises
    ------
    DataError
        When it is damaged, lacks ids or centroids, or names a cell twice.
    """
    frame = read_all(
        path,
        texts=("cell_id", "segmentation_method"),
        numbers=_NUMBERS,
        optional=("segmentation_method", *_NUMBERS[2:]),
        expected=EXPECTED,
    )
    ids = pd.Index(frame["cell_id"].astype(str).to_numpy(dtype=object))
    if not ids.is_unique:
        raise DataError(
            f"cells that are there twice: {some(ids[ids.duplicated()])}",
            where=path,
            expected="every cell once",
            remedy="copy the table of the instrument again",
        )
    counts = frame.get("transcript_counts")
    kept: Sequence[str] = [name for name in (*_KEPT, "segmentation_method") if name in frame]
    return Cells(
        ids,
        frame[["x_centroid", "y_centroid"]].to_numpy(np.float64),
        frame[kept].set_axis(ids),
        None if counts is None else counts.to_numpy(np.float64),
        str(path),
    )

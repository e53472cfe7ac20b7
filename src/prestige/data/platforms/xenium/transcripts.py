"""Counts of nuclei, from the table of transcripts: it is read in pieces and never held whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from prestige.data.columns.mismatch import both_sides
from prestige.data.platforms.rows import read_rows
from prestige.errors import DataError

EXPECTED = "the table of transcripts of a Xenium output folder"
LEAST_QV = 20.0
"""Transcripts of a lower quality are in no count of the instrument."""

_MOST_HELD = 1 << 24  # pairs of cell and gene that are held before they are added up
_NOBODY = ("UNASSIGNED", "-1", "0")  # what stands for no cell: texts since version 1.3, numbers before


def nucleus_counts(path: Path, ids: pd.Index, genes: Sequence[str]) -> csr_matrix:
    """Count the transcripts of genes that lie in the nucleus of their cell.

    Counted is what the instrument counts of a cell (quality 20 or more, assigned to it), and lies over its
    nucleus.

    Parameters
    ----------
    path
        ``transcripts.parquet``, or the same as csv.
    ids, genes
        Names of the cells and genes, which are the rows and columns.

    Returns
    -------
    (n, G) float32.

    Raises
    ------
    DataError
        When the table is damaged, or names none of the cells or genes.
    """
    columns = pd.Index(list(genes))
    out = _added_up([], (len(ids), len(columns)))
    held: list[np.ndarray] = []
    strangers: dict[str, list[str]] = {"cell_id": [], "feature_name": []}
    known = dict.fromkeys(strangers, False)
    for piece in read_rows(
        path,
        texts=("cell_id", "feature_name"),
        numbers=("qv", "overlaps_nucleus"),
        expected=EXPECTED,
    ):
        places = {}
        for name, wanted in (("cell_id", ids), ("feature_name", columns)):
            levels = piece[name].cat.categories
            found = wanted.get_indexer(levels)
            known[name] |= bool((found >= 0).any())
            if not known[name]:
                strangers[name] = [one for one in levels[:1000] if one not in _NOBODY]
            places[name] = found[piece[name].cat.codes.to_numpy()]
        chosen = (piece["qv"].to_numpy() >= LEAST_QV) & (piece["overlaps_nucleus"].to_numpy() == 1)
        chosen &= (places["cell_id"] >= 0) & (places["feature_name"] >= 0)
        held.append(
            places["cell_id"][chosen].astype(np.int64) * len(columns) + places["feature_name"][chosen]
        )
        if sum(map(len, held)) > _MOST_HELD:
            out, held = out + _added_up(held, out.shape), []
    for name, of in (("cell_id", ids), ("feature_name", columns)):
        if not known[name] and strangers[name]:
            what = "cells of the table of cells" if name == "cell_id" else "genes of the matrix"
            raise DataError(
                f"names none of the {what} in '{name}'",
                where=path,
                expected=EXPECTED,
                remedy=both_sides(strangers[name], list(of), "both have to come from one run"),
            )
    return csr_matrix(out + _added_up(held, out.shape), dtype=np.float32)


def _added_up(pairs: list[np.ndarray], shape: tuple[int, int]) -> csr_matrix:
    keys, counts = np.unique(np.concatenate(pairs) if pairs else np.zeros(0, np.int64), return_counts=True)
    rows, columns = np.divmod(keys, max(shape[1], 1))
    indptr = np.searchsorted(rows, np.arange(shape[0] + 1))
    return csr_matrix((counts.astype(np.float32), columns, indptr), shape=shape)

"""Measured expression of held-out cells, and their regions, as the challenge's scorer reads them.

A folder holds ``validation-SAMPLE.csv`` or ``test-SAMPLE.csv`` (a row a cell, its id first; a column a gene;
log1p of counts scaled to 100), or the same names with ``.h5ad`` (raw counts, ids in ``obs["cell_id"]``); and
``region-cell_id-map.csv`` with the columns ``region_id``, ``tissue_id`` and ``cell_id``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from prestige.challenge.rules import TOTAL
from prestige.data.columns.ids import whole_ids
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.panel import scaled_to
from prestige.data.tables import read_counts, read_frame, read_genes, row_sums
from prestige.errors import DataError, reading
from prestige.inputs import plain_file, plain_folder
from prestige.text import some

Group = Literal["validation", "test"]
REGIONS = "region-cell_id-map.csv"
_ENDINGS = (".csv", ".h5ad")
_TABLE = "a table of cells x genes: ids in the first column, log1p of counts scaled to 100"


@dataclass(frozen=True, eq=False)
class Truth:
    """Measured expression of one sample's cells.

    Attributes
    ----------
    sample
        Its name.
    cell_id
        (n,) ids, each once.
    genes
        The g genes.
    expression
        (n, g) log1p of counts scaled to 100.
    """

    sample: str
    cell_id: Int[np.ndarray, " n"]
    genes: tuple[str, ...]
    expression: Float[np.ndarray, "n g"]


def truth_files(folder: Path, group: Group | None) -> tuple[Group, dict[str, Path]]:
    """Return the group that is scored, and the file of each sample.

    Raises
    ------
    DataError
        When there is none, or files of both groups and none was named.
    """
    plain_folder(folder, expected="the folder of the measured expression")
    asked: tuple[Group, ...] = ("validation", "test") if group is None else (group,)
    found = {one: _files(folder, one) for one in asked}
    there: list[Group] = [one for one in asked if found[one]]
    if len(there) == 1:
        return there[0], found[there[0]]
    if there:
        raise DataError(
            "holds files of validation and of test",
            where=folder,
            expected="one group to score",
            remedy="name it: --group validation or --group test",
        )
    raise DataError(
        "holds no measured expression",
        where=folder,
        expected=" or ".join(f"{one}-SAMPLE{ending}" for one in asked for ending in _ENDINGS),
    )


def _files(folder: Path, group: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in _ENDINGS and path.name.startswith(f"{group}-"):
            sample = path.stem.removeprefix(f"{group}-")
            if sample in found:
                raise DataError(
                    f"'{found[sample].name}' is of the same sample", where=path, expected="one file a sample"
                )
            found[sample] = path
    return found


def read_truth(sample: str, path: Path) -> Truth:
    """Read the measured expression of one sample.

    Raises
    ------
    DataError
        When it cannot be read, a cell or gene stands twice, or a value is none.
    """
    cell_id, genes, expression = _of_counts(path) if path.suffix == ".h5ad" else _of_text(path)
    names = pd.Index(genes)
    if names.has_duplicates:
        raise DataError(
            f"genes stand twice: {some(names[names.duplicated()])}", where=path, expected="every one once"
        )
    if not expression.size:
        raise DataError("holds no cell or no gene", where=path, expected=_TABLE)
    if not np.isfinite(expression).all() or (expression < 0).any():
        raise DataError("holds NaN, infinity or numbers below 0", where=path, expected=_TABLE)
    return Truth(sample, cell_id, genes, expression)


def _of_text(path: Path) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    plain_file(path, expected=_TABLE)
    with reading(path, expected=_TABLE):
        frame = pd.read_csv(path, index_col=0, encoding="utf-8-sig")
        expression = frame.to_numpy(dtype=np.float64)
    ids = whole_ids(frame.index, where=str(path), what="cell ids")
    return ids, tuple(map(str, frame.columns)), expression


def _of_counts(path: Path) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    where = str(path)
    with opened_h5ad(path) as file:
        counts, obs, genes = (
            read_counts(file, where=where),
            read_frame(file, "obs", where=where),
            read_genes(file, where=where),
        )
    counts = genes.of(counts)
    if "cell_id" not in obs.columns:
        raise DataError("obs has no column 'cell_id'", where=path, expected="the id of each cell")
    totals = row_sums(counts)
    expression = scaled_to(counts, totals, TOTAL).log1p().toarray()
    return whole_ids(obs["cell_id"], where=where, what="cell ids"), genes.names, expression


def read_regions(folder: Path) -> Mapping[str, pd.Series] | None:
    """Return sample -> region of each cell (the cells' ids are its index); None where there is no map.

    Raises
    ------
    DataError
        When it cannot be read or lacks a column.
    """
    path = folder / REGIONS
    if not path.exists():
        return None
    expected = "the columns region_id, tissue_id and cell_id"
    plain_file(path, expected=expected)
    with reading(path, expected=expected):
        frame = pd.read_csv(path, dtype={"region_id": str, "tissue_id": str}, encoding="utf-8-sig")
    lacking = [name for name in ("region_id", "tissue_id", "cell_id") if name not in frame.columns]
    if lacking:
        raise DataError(f"lacks the column '{lacking[0]}'", where=path, expected=expected)
    # The map writes conditions out: UC1_NonInfl is UC1_NI.
    frame["sample"] = frame["tissue_id"].str.replace("Infl", "I").str.replace("Non", "N")
    frame["cell_id"] = whole_ids(frame["cell_id"], where=str(path), what="cell ids", unique=False)
    return {
        str(sample): part.set_index("cell_id")["region_id"]
        for sample, part in frame.dropna(subset=["sample", "region_id"]).groupby("sample")
    }

"""The ceilings of a fold's test side, kept beside its truth: ``truth/fold-K/ceilings.parquet``.

They are of the counts alone, the same for every run of the fold, and read by the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prestige.compute.files import whole_file
from prestige.data.hdf5.whole import read_anndata
from prestige.data.observations import Observations
from prestige.data.panel import Panel, columns_of
from prestige.data.sample import Sample
from prestige.errors import PrestigeError, StorageError, reading
from prestige.records.folders import BenchFolder
from prestige.stats.ceilings import ceiling_counts, ceiling_log
from prestige.stats.moments import spatial_blocks

FILE = "ceilings.parquet"
_ANEW = "start the bench again: finished runs are kept, counts and ceilings are written anew"
KINDS = ("ceiling_counts", "ceiling_log")
COLUMNS = (
    "sample",
    "gene",
    *(name for kind in KINDS for name in (kind, f"{kind}_lower")),
    "n_obs",
    "n_blocks",
)


def write_ceilings(
    folder: Path, observations: Observations, samples: Sequence[Sample], panel: Panel, *, block_um: float
) -> Path:
    """Write the ceilings of the panel's genes in each sample that has observations among ``observations``.

    One row per sample and gene: ``ceiling_counts`` and ``ceiling_log`` (scaled to the panel's total),
    each with ``_lower``, its one-sided 95 % bound from blocks of ``block_um``; ``n_obs`` and ``n_blocks``.

    Raises
    ------
    DataError
        When a sample lacks a gene of the panel, or its totals are below its counts.
    StorageError
        When the file cannot be written; no part of it is left.
    """
    parts = [pd.DataFrame(columns=list(COLUMNS))]
    for number, sample in enumerate(samples):
        rows = observations.row[observations.slide_index == number]
        if len(rows):
            parts.append(_of_sample(sample, rows, panel, block_um))
    table = pd.concat(parts[1:] or parts, ignore_index=True)
    path = Path(folder) / FILE
    with whole_file(path) as partial:
        table.to_parquet(partial, index=False)
    return path


def read_ceilings(
    bench_folder: Path, *, block_um: float | None = None, total: float | None = None
) -> pd.DataFrame | None:
    """Return the ceilings of a bench: per gene the mean over its samples and folds.

    Columns: ``gene``, ``ceiling_counts``, ``ceiling_counts_lower``, ``ceiling_log``,
    ``ceiling_log_lower``, in the order in which genes first occur.  None where the bench keeps no ceilings.

    The lower bound of the mean: each sample's distance from its ceiling to its bound counts by its share
    in the mean, distances of one sample's folds are added (they share tissue), those of different
    samples are added in squares.  A sample without a bound counts 0 in it; where none has one, NaN.

    Parameters
    ----------
    bench_folder
        Where ``truth`` lies.
    block_um
        Make the bounds on the log scale anew from the stored counts, over blocks of this width; NaN where the
        counts are not kept, and for raw counts.  Left out, bounds are as they were kept.
    total
        To which counts were scaled; needed with ``block_um``.

    Raises
    ------
    StorageError
        When a file is broken.
    """
    paths = sorted(BenchFolder(Path(bench_folder)).truths.glob(f"fold-*/{FILE}"))
    if not paths:
        return None
    parts = [_read(path) for path in paths]
    if block_um is not None and total is not None:
        parts = [_over(part, path.parent, block_um, total) for part, path in zip(parts, paths, strict=True)]
    table = pd.concat(parts, ignore_index=True)
    ceilings = pd.DataFrame({"gene": table["gene"].unique()})
    for kind in KINDS:
        ceilings = ceilings.merge(_combined(table, kind), how="left", on="gene")
    return ceilings


def _of_sample(sample: Sample, rows: np.ndarray, panel: Panel, block_um: float) -> pd.DataFrame:
    counts = sample.counts[rows][:, columns_of(panel.genes, sample.genes, where=f"sample {sample.id}")]
    blocks = spatial_blocks(sample.xy_um[rows], block_um)
    totals = sample.obs["total_counts"].to_numpy(np.float64)[rows]
    raw = ceiling_counts(counts, genes=panel.genes, block_of=blocks)
    log = ceiling_log(counts, totals, float(panel.total), genes=panel.genes, block_of=blocks)
    return pd.DataFrame(
        {
            "sample": sample.id,
            "gene": list(panel.genes),
            "ceiling_counts": raw.value,
            "ceiling_counts_lower": raw.lower,
            "ceiling_log": log.value,
            "ceiling_log_lower": log.lower,
            "n_obs": len(rows),
            "n_blocks": len(np.unique(blocks)),
        }
    )


def _over(table: pd.DataFrame, folder: Path, block_um: float, total: float) -> pd.DataFrame:
    """Return a fold's ceilings with the bounds of other blocks."""
    return pd.concat(
        [
            _bounds_over(of_sample, folder / f"{sample}.h5ad", block_um, total)
            for sample, of_sample in table.groupby("sample", sort=False)
        ],
        ignore_index=True,
    )


def _bounds_over(table: pd.DataFrame, path: Path, block_um: float, total: float) -> pd.DataFrame:
    if not path.is_file():
        return table.assign(ceiling_log_lower=np.nan, ceiling_counts_lower=np.nan)
    genes = table["gene"].tolist()
    expected = "the measured counts of a fold"
    try:
        measured = read_anndata(path)
    except PrestigeError as error:
        raise StorageError(error.what, where=path, expected=expected, remedy=_ANEW) from error
    with reading(path, expected=expected, remedy=_ANEW, kind=StorageError):
        counts: Any = measured[:, genes].X
        xy_um = np.asarray(measured.obsm["spatial"], np.float64) * float(measured.uns["um_per_px"])
        totals = np.asarray(measured.obs["total_counts"], np.float64)
    blocks = spatial_blocks(xy_um, block_um)
    log = ceiling_log(counts, totals, total, genes=genes, block_of=blocks)
    return table.assign(
        ceiling_log_lower=log.lower, ceiling_counts_lower=np.nan, n_blocks=len(np.unique(blocks))
    )


def _combined(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the mean of each gene's ceilings and its lower bound, for genes that have a ceiling."""
    lower = f"{kind}_lower"
    there = table[table[kind].notna()]
    bounded = there[lower].notna()
    n = there.groupby("gene")[kind].transform("size")
    share = there.assign(
        value=there[kind] / n,
        safe=there[kind].where(bounded, 0.0) / n,
        distance=(there[kind] - there[lower]).where(bounded, 0.0) / n,
        bounded=bounded,
    )
    of_samples = share.groupby(["gene", "sample"])["distance"].sum() ** 2
    of_genes = share.groupby("gene")
    bound = of_genes["safe"].sum() - np.sqrt(of_samples.groupby("gene").sum())
    bound = bound.clip(lower=0.0).where(of_genes["bounded"].any())
    return pd.DataFrame({kind: of_genes["value"].sum(), lower: bound}).reset_index()


def _read(path: Path) -> pd.DataFrame:
    expected = f"a parquet file with the columns {', '.join(COLUMNS)}"
    with reading(path, expected=expected, remedy=_ANEW, kind=StorageError):
        return pd.read_parquet(path)[list(COLUMNS)]

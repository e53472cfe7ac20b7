"""Prediction files and truth files: ``<sample>.h5ad``, one for each sample.

A prediction file holds expression on the log1p scale with the panel's normalisation, training means
and deviations, so that it can be scored anywhere.  A truth file holds raw counts of the same observations.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from prestige.data.observations import Observations
from prestige.data.panel import Panel
from prestige.data.sample import Sample
from prestige.data.tables import write_h5ad
from prestige.errors import storing

SCHEMA = "prestige.prediction/1"


def write_predictions(
    folder: Path,
    prediction: Float[np.ndarray, "n g"],
    observations: Observations,
    samples: Sequence[Sample],
    panel: Panel,
    model: dict[str, Any],
) -> list[Path]:
    """Write the predictions of each sample that has observations among ``observations``.

    Parameters
    ----------
    prediction
        Expression on the log1p scale, a row for each observation, a column for each panel gene.
    model
        What made it (encoder, patch, ...), kept in ``uns["prestige"]["model"]``.

    Returns
    -------
    The files written.

    Raises
    ------
    StorageError
        When one cannot be written; no half-written file is left.
    """
    import anndata as ad

    uns = {
        "schema": SCHEMA,
        "normalisation": {"total": float(panel.total), "log1p": True},
        "model": {key: value for key, value in model.items() if value is not None},
    }
    written = []
    for number, sample in enumerate(samples):
        chosen = np.flatnonzero(observations.slide_index == number)
        if not len(chosen):
            continue
        rows = observations.row[chosen]
        table = ad.AnnData(
            X=prediction if len(chosen) == len(prediction) else prediction[chosen],
            obs=_obs(sample, rows),
            var=pd.DataFrame(
                {"train_mean": panel.train_mean, "train_std": panel.train_std},
                index=pd.Index(panel.genes, name=None),
            ),
            uns={"prestige": uns},
            obsm={"spatial": sample.xy_px[rows]},  # pyright: ignore[reportArgumentType]
        )
        written.append(_write(table, folder / f"{sample.id}.h5ad"))
    return written


def write_truth(
    folder: Path,
    observations: Observations,
    samples: Sequence[Sample],
    *,
    columns: Mapping[str, Float[np.ndarray, " n"]] | None = None,
) -> list[Path]:
    """Write the raw counts of all genes of the given observations, a file for each sample.

    ``obs`` has the sample's own annotations and, for each observation, the numbers in ``columns``.

    Raises
    ------
    StorageError
        When one cannot be written; no half-written file is left.
    """
    import anndata as ad

    written = []
    for number, sample in enumerate(samples):
        chosen = np.flatnonzero(observations.slide_index == number)
        if not len(chosen):
            continue
        rows = observations.row[chosen]
        own = sample.obs.drop(columns=["measured", "sample"], errors="ignore").iloc[rows]
        own = own.set_axis(own.index.astype(str)).assign(**{k: v[chosen] for k, v in (columns or {}).items()})
        table = ad.AnnData(
            X=sample.counts[rows],
            obs=pd.concat([_obs(sample, rows), own], axis=1),
            var=pd.DataFrame(index=pd.Index(sample.genes, name=None)),
            uns={"um_per_px": sample.um_per_px, "sample": sample.id},
            obsm={"spatial": sample.xy_px[rows]},  # pyright: ignore[reportArgumentType]
        )
        written.append(_write(table, folder / f"{sample.id}.h5ad"))
    return written


def _obs(sample: Sample, rows: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"sample": pd.Categorical([sample.id] * len(rows))}, index=sample.obs.index[rows].astype(str)
    )


def _write(table: Any, path: Path) -> Path:
    temporary = path.with_name(path.name + ".partial")
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_h5ad(table, temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return path

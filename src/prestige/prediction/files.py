"""Prediction files and truth files: ``<sample>.h5ad``, one for each sample.

A prediction file holds expression on the log1p scale with the panel's normalisation, training means
and deviations, so that it can be scored anywhere.  A truth file holds raw counts of the same observations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from prestige.compute.files import whole_file
from prestige.data.hdf5.h5ad import h5ad_by_rows, write_h5ad
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.observations import Observations
from prestige.data.panel import Panel
from prestige.data.sample import Sample
from prestige.data.tables import read_part
from prestige.errors import DataError, ModelError

SCHEMA = "prestige.prediction/1"


@contextmanager
def prediction_file(
    path: Path, sample: Sample, rows: Int[np.ndarray, " n"], panel: Panel, model: Mapping[str, Any]
) -> Iterator[Callable[..., None]]:
    """Write the prediction file of some rows of a sample; give what writes their expression, in any order.

    The file has its name when all rows are there.  It takes no memory for their expression.

    Parameters
    ----------
    rows
        (n,) positions in the sample's table.
    model
        What predicts (encoder, patch, ...), kept in ``uns["prestige"]["model"]``.

    Raises
    ------
    StorageError
        When it cannot be written; no half-written file is left.
    ModelError
        When the expression is not finite.
    """
    import anndata as ad

    table = ad.AnnData(
        X=np.broadcast_to(np.float32(0), (len(rows), len(panel.genes))),
        obs=_obs(sample, rows),
        var=pd.DataFrame(
            {"train_mean": panel.train_mean, "train_std": panel.train_std},
            index=pd.Index(panel.genes, name=None),
        ),
        uns={
            "prestige": {
                "schema": SCHEMA,
                "normalisation": {"total": float(panel.total), "log1p": True},
                "model": {key: value for key, value in model.items() if value is not None},
            }
        },
        obsm={"spatial": sample.xy_px[rows]},  # pyright: ignore[reportArgumentType]
    )
    with whole_file(path) as partial, h5ad_by_rows(table, partial) as writer:

        def write(at: Int[np.ndarray, " n"], expression: Float[np.ndarray, "n g"]) -> None:
            refuse_not_finite(expression, where=path)
            writer(at, expression)

        yield write


def write_predictions(
    folder: Path,
    prediction: Float[np.ndarray, "n g"],
    observations: Observations,
    samples: Sequence[Sample],
    panel: Panel,
    model: Mapping[str, Any],
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
    ModelError
        When the expression is not finite.
    """
    written = []
    for path, sample, chosen in _files(folder, observations, samples):
        with prediction_file(path, sample, observations.row[chosen], panel, model) as writer:
            writer(np.arange(len(chosen)), prediction[chosen])
        written.append(path)
    return written


def refuse_not_finite(expression: Float[np.ndarray, "n g"], *, where: str | Path) -> None:
    """Refuse predictions that are NaN or infinite: they would be taken for measurements of something.

    Raises
    ------
    ModelError
        With how many there are, of the file or image ``where``.
    """
    wrong = expression.size - int(np.isfinite(expression).sum())
    if wrong:
        raise ModelError(
            f"{wrong:,} of {expression.size:,} predicted numbers are NaN or infinite",
            where=where,
            expected="finite expression",
            remedy="the model is of no use on this image: take another, or train it again",
        )


def is_prediction(path: Path) -> bool:
    """Whether a file is a prediction of this package, of any version."""
    try:
        with opened_h5ad(path) as file:
            schema = read_part(file, "uns/prestige/schema", where=str(path))
    except DataError:
        return False
    return str(schema).startswith(SCHEMA.partition("/")[0])


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
    for path, sample, chosen in _files(folder, observations, samples):
        rows = observations.row[chosen]
        obs = sample.obs.drop(columns=["measured", "sample"], errors="ignore").iloc[rows]
        obs = obs.set_axis(obs.index.astype(str)).assign(**{k: v[chosen] for k, v in (columns or {}).items()})
        table = ad.AnnData(
            X=sample.counts[rows],
            obs=pd.concat([_obs(sample, rows), obs], axis=1),
            var=pd.DataFrame(index=pd.Index(sample.genes, name=None)),
            uns={"um_per_px": sample.um_per_px, "sample": sample.id},
            obsm={"spatial": sample.xy_px[rows]},  # pyright: ignore[reportArgumentType]
        )
        with whole_file(path) as partial:
            write_h5ad(table, partial)
        written.append(path)
    return written


def _files(
    folder: Path, observations: Observations, samples: Sequence[Sample]
) -> Iterator[tuple[Path, Sample, Int[np.ndarray, " n"]]]:
    """Yield (its file, a sample, the positions of its observations) for each sample that has any."""
    for number, sample in enumerate(samples):
        chosen = np.flatnonzero(observations.slide_index == number)
        if len(chosen):
            yield folder / f"{sample.id}.h5ad", sample, chosen


def _obs(sample: Sample, rows: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"sample": pd.Categorical([sample.id] * len(rows))}, index=sample.obs.index[rows].astype(str)
    )

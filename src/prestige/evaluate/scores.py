"""Predictions -> a tidy table of scores, and the moments from which intervals are made.

Everything is computed within a sample; means over samples are the reader's, one line further.  A
correlation whose truth is constant is NaN and out of every mean, for all configurations alike; one
whose prediction is constant where the truth varies is NaN in the table, counts 0 in means, and is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from prestige.errors import DataError
from prestige.metrics import HIGHER_IS_BETTER, all_metrics
from prestige.stats.moments import Moments, moments_of, spatial_blocks

CENTRED = ("pearson", "spearman", "cosine")
_SAME = 1e-6  # of the mean: some eight units in the last place of float32


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What became of one set of predictions.

    Attributes
    ----------
    scores
        One row per sample, level, name and metric; ``n_obs`` observations behind each value.
        Level "gene": one gene over observations.  Level "genes", name "all": means over genes, and
        ``n_genes_scored`` (truth varies), ``n_genes_truth_constant``, ``n_genes_prediction_constant``.
        Level "obs", name "all": means over observations of scores taken over genes; those that end in
        ``_centred`` after each gene's training mean was taken off prediction and truth;
        ``challenge_spearman`` as Crunch 1 of the Autoimmune Disease challenge (NaN counts 0).
    moments
        Sums per sample and spatial block.
    """

    scores: pd.DataFrame
    moments: Moments


def evaluate(
    pred: Float[np.ndarray, "n g"],
    truth: Float[np.ndarray, "n g"],
    *,
    genes: Sequence[str],
    sample_of: Shaped[np.ndarray, " n"],
    xy_um: Float[np.ndarray, "n 2"],
    train_mean: Float[np.ndarray, " g"] | None,
    block_um: float,
) -> Evaluation:
    """Score predictions against the truth, both on the log1p scale.

    Parameters
    ----------
    pred, truth
        Expression, observations x genes.
    genes
        Names of the genes.
    sample_of
        The sample of each observation.
    xy_um
        Positions in um, for the blocks.
    train_mean
        Mean of each gene on the training side; None leaves the centred scores out.
    block_um
        Width of a spatial block in um.

    Raises
    ------
    DataError
        When shapes differ, or prediction or truth hold NaN or infinity.
    """
    _check(pred, truth, genes, train_mean)
    tables = []
    names = sample_of.astype(np.str_)
    for sample in np.unique(names):
        rows = _rows(names == sample)
        p, t = pred[rows], truth[rows]
        tables.append(_of_genes(p, t, genes, str(sample)))
        tables.append(_of_observations(p, t, train_mean, str(sample)))
    scores = pd.concat(tables, ignore_index=True)
    return Evaluation(scores, moments_of(pred, truth, names, spatial_blocks(xy_um, block_um), genes))


def _check(pred: np.ndarray, truth: np.ndarray, genes: Sequence[str], train_mean: np.ndarray | None) -> None:
    if pred.shape != truth.shape or pred.shape[1] != len(genes) or not len(pred):
        raise DataError(
            f"prediction has shape {pred.shape}, truth {truth.shape}, the panel {len(genes)} genes",
            where="evaluate",
            expected="at least one observation, and as many columns as genes",
        )
    for name, array in (("prediction", pred), ("truth", truth)):
        bad = _first_bad_column(array)
        if bad is not None:
            raise DataError(f"the {name} of gene '{genes[bad]}' holds NaN or infinity", where="evaluate")
    if train_mean is not None and not np.isfinite(train_mean).all():
        raise DataError("the training mean holds NaN or infinity", where="evaluate")


def _first_bad_column(array: np.ndarray) -> int | None:
    for rows in _blocks(array):
        finite = np.isfinite(array[rows])
        if not finite.all():
            return int(np.flatnonzero(~finite.all(axis=0))[0])
    return None


def _rows(here: np.ndarray) -> slice | np.ndarray:
    """Return the marked rows as a slice where they lie together, which copies nothing."""
    rows = np.flatnonzero(here)
    return slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] + 1 == len(rows) else rows


def _blocks(array: np.ndarray) -> Iterator[slice]:
    step = max(1, (1 << 22) // max(1, array.shape[1]))
    for start in range(0, len(array), step):
        yield slice(start, start + step)


def _of_genes(pred: np.ndarray, truth: np.ndarray, genes: Sequence[str], sample: str) -> pd.DataFrame:
    found = all_metrics(pred, truth, axis=0)
    lost_truth, lost_pred = found["truth_constant"], found["prediction_constant"] & ~found["truth_constant"]
    names, n_obs = list(genes), len(pred)
    by_gene = [_table(sample, "gene", names, metric, found[metric], n_obs) for metric in HIGHER_IS_BETTER]
    means = {metric: _mean(found, metric) for metric in HIGHER_IS_BETTER}
    means["n_genes_scored"] = float((~lost_truth).sum())
    means["n_genes_truth_constant"] = float(lost_truth.sum())
    means["n_genes_prediction_constant"] = float(lost_pred.sum())
    of_all = _table(sample, "genes", "all", list(means), list(means.values()), n_obs)
    return pd.concat([*by_gene, of_all], ignore_index=True)


def _of_observations(
    pred: np.ndarray, truth: np.ndarray, train_mean: np.ndarray | None, sample: str
) -> pd.DataFrame:
    """Average the scores of the observations, a block of rows at a time."""
    parts: dict[str, list[np.ndarray]] = {}
    for rows in _blocks(pred):
        p, t = pred[rows], truth[rows]
        for metric, value in all_metrics(p, t, axis=1).items():
            parts.setdefault(metric, []).append(value)
        if train_mean is not None:
            centred = all_metrics(_centred(p, train_mean), t - train_mean.astype(t.dtype), axis=1)
            for metric, value in centred.items():
                parts.setdefault(f"{metric}_centred", []).append(value)
    found = {metric: np.concatenate(values) for metric, values in parts.items()}
    lost, lost_pred = found["truth_constant"], found["prediction_constant"] & ~found["truth_constant"]
    means = {metric: _mean(found, metric) for metric in HIGHER_IS_BETTER}
    means["challenge_spearman"] = challenge_spearman(found["spearman"])
    if train_mean is not None:
        means |= {f"{metric}_centred": _mean(found, metric, "_centred") for metric in CENTRED}
    means["n_obs_scored"] = float((~lost).sum())
    means["n_obs_prediction_constant"] = float(lost_pred.sum())
    return _table(sample, "obs", "all", list(means), list(means.values()), len(pred))


def challenge_spearman(of_observations: np.ndarray) -> float:
    """Average correlations of observations as the challenge does: one that is not defined counts 0.

    Of one region of one sample; the challenge takes plain means of these over regions, then over samples
    (crunchdao/competitions, competitions/broad-1/scoring/scoring.py).

    >>> challenge_spearman(np.array([0.5, np.nan, 0.25]))
    0.25
    """
    return float(np.nan_to_num(of_observations, nan=0.0).mean())


def _centred(pred: np.ndarray, train_mean: np.ndarray) -> np.ndarray:
    """Return the prediction less the mean, exactly zero where all that is left is rounding.

    A predicted mean that was summed in another order differs in the last bit in a few genes; ranked
    against the truth, those bits alone would make up the score.
    """
    mean = train_mean.astype(pred.dtype)
    out = pred - mean
    out[np.abs(out) <= _SAME * np.abs(mean)] = 0
    return out


def _mean(found: dict[str, np.ndarray], metric: str, suffix: str = "") -> float:
    """Average as the rules say: undefined by the truth left out, undefined by the prediction 0."""
    value = found[metric + suffix]
    if metric in ("pearson", "spearman", "r2", "explained_variance"):
        value = value[~found["truth_constant" + suffix]]
    elif metric == "cosine":
        value = value[~found["truth_zero" + suffix]]
    return float(np.nan_to_num(value, nan=0.0).mean()) if len(value) else float("nan")


def _table(
    sample: str, level: str, name: str | list[str], metric: str | list[str], value: Any, n_obs: int
) -> pd.DataFrame:
    columns = {"sample": sample, "level": level, "name": name, "metric": metric, "value": value}
    return pd.DataFrame(columns | {"n_obs": n_obs})

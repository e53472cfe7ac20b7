"""Measured counts and predicted expression of the same observations: both sides of every question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Shaped
from scipy.sparse import csr_matrix

from prestige.data.columns.counts import wrong_values
from prestige.errors import DataError, raise_all, unknown
from prestige.evaluate.matched import MatchedFiles, read_matched
from prestige.evaluate.scale import Scale

_BLOCK = 1 << 22  # numbers looked at in one piece
_OWN_SCALE = (
    "the predictions carry no training means and deviations: genes are standardised by the measured values"
)


@dataclass(frozen=True, eq=False)
class Pair:
    """Measured counts and predicted expression of n observations and g genes.

    Attributes
    ----------
    genes
        The g genes.
    counts
        (n, g) raw counts of these genes.
    totals
        Counts of each observation over all genes that were measured, also those not among ``genes``; above 0.
    predicted
        On the scale log1p(count / total count * total).
    total
        The total of that scale.
    xy_um, sample_of
        Place in um and sample of each observation.
    obs
        n rows of further columns: annotations, condition, patient.
    train_mean, train_std
        Of the log1p values on the training side; None where they are not known.
    has_positions
        False where ``xy_um`` says nothing.
    mean_of
        What a prediction is the mean of: "log1p" of values on the log scale, as any model has that was
        fitted to them by squared error; "counts" of a tool that predicts counts (the mean of a logarithm
        is below the logarithm of the mean, and :mod:`prestige.biology.noise` has to know which it is).
    notes
        What a reader has to know of these data.

    Raises
    ------
    DataError
        When lengths do not agree, a value is not finite, counts are negative or no whole numbers, or a
        total is 0 or below the sum of its observation's counts.  All such faults are told at once.
    """

    genes: tuple[str, ...]
    counts: csr_matrix
    totals: Float[np.ndarray, " _"]
    predicted: Float32[np.ndarray, "_ _"]
    xy_um: Float[np.ndarray, "_ _"]
    sample_of: Shaped[np.ndarray, " _"]
    obs: pd.DataFrame
    total: float = 100.0
    train_mean: Float[np.ndarray, " _"] | None = None
    train_std: Float[np.ndarray, " _"] | None = None
    has_positions: bool = True
    mean_of: Literal["log1p", "counts"] = "log1p"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        raise_all(_shape_faults(self))
        raise_all(_value_faults(self))
        if (self.train_mean is None or self.train_std is None) and _OWN_SCALE not in self.notes:
            object.__setattr__(self, "notes", (*self.notes, _OWN_SCALE))

    def __len__(self) -> int:
        """Return the number of observations."""
        return len(self.totals)

    @cached_property
    def measured(self) -> Float32[np.ndarray, "n g"]:
        """The measurement on the log1p scale, made once; not to be written to."""
        out = normalised(self.counts, self.totals, self.total)
        out.flags.writeable = False
        return out

    @cached_property
    def patient_of(self) -> dict[str, str] | None:
        """Sample -> patient, by the column ``patient``; None unless it names one patient for every sample."""
        if "patient" not in self.obs or self.obs["patient"].isna().any():
            return None
        known = pd.DataFrame(
            {"sample": self.sample_of.astype(np.str_), "patient": self.obs["patient"].astype(str)}
        )
        known = known.drop_duplicates()
        if known["sample"].duplicated().any():
            return None
        return dict(zip(known["sample"], known["patient"], strict=True))

    @cached_property
    def _standard(self) -> tuple[np.ndarray, np.ndarray]:
        if self.train_mean is not None and self.train_std is not None:
            mean, std = self.train_mean, self.train_std
        else:
            mean = self.measured.mean(axis=0, dtype=np.float64)
            std = self.measured.std(axis=0, dtype=np.float64)
        return mean.astype(np.float32), np.where(std > 0, std, 1.0).astype(np.float32)

    def z(self, values: Float[np.ndarray, "m g"]) -> Float32[np.ndarray, "m g"]:
        """Return log1p values less the training mean, over the training deviation, gene by gene.

        Where those are not known (``notes`` says so) the measured values of this pair stand in for them:
        one mean and one deviation for both sides, never those of the predictions.  A deviation of 0 is 1.
        """
        mean, std = self._standard
        out = values.astype(np.float32)  # a copy
        out -= mean
        out /= std
        return out

    def take(self, rows: Shaped[np.ndarray, " _"] | slice) -> Pair:
        """Return the pair of some observations: positions, a mask or a slice."""
        return replace(
            self,
            counts=self.counts[rows],
            totals=self.totals[rows],
            predicted=self.predicted[rows],
            xy_um=self.xy_um[rows],
            sample_of=self.sample_of[rows],
            obs=self.obs.iloc[rows],
        )

    def of_genes(self, names: Sequence[str]) -> Pair:
        """Return the pair of some genes in the given order; totals stay those over all measured genes.

        Raises
        ------
        ConfigError
            When a name is not among the genes.
        """
        place = {gene: number for number, gene in enumerate(self.genes)}
        for name in names:
            if name not in place:
                raise unknown("gene", name, self.genes, where="the pair of measured and predicted")
        at = np.array([place[name] for name in names], dtype=np.int64)
        return replace(
            self,
            genes=tuple(names),
            counts=self.counts[:, at],
            predicted=np.ascontiguousarray(self.predicted[:, at]),
            train_mean=None if self.train_mean is None else self.train_mean[at],
            train_std=None if self.train_std is None else self.train_std[at],
        )


def normalised(
    counts: csr_matrix, totals: Float[np.ndarray, " n"], total: float
) -> Float32[np.ndarray, "n g"]:
    """Return log1p(count / total count * total); an observation with a total of 0 gives zeros."""
    factor = np.divide(total, totals, out=np.zeros(len(totals)), where=totals > 0)
    stored = np.repeat(factor.astype(np.float32), np.diff(counts.indptr))
    values = np.log1p(counts.data.astype(np.float32) * stored)
    return csr_matrix((values, counts.indices, counts.indptr), shape=counts.shape).toarray()


def read_pair(pred_path: Path, truth_path: Path, scale: str | None = None) -> Pair:
    """Read the pair of a prediction file and a truth file.

    A file on another scale than log1p:TOTAL is brought to it: "total:TOTAL" by log1p; "counts" and "log1p"
    by scaling each observation's predicted counts to 100 x the panel's share of all measured counts, one
    number for the whole file.  The measured total of an observation has no part in it, so no depth leaks
    into the prediction.  Negative counts become 0.

    Parameters
    ----------
    pred_path, truth_path, scale
        As in :func:`prestige.evaluate.evaluate_files`.

    Raises
    ------
    StorageError, ConfigError, DataError
        As :func:`prestige.evaluate.matched.read_matched` and :class:`Pair`.
    """
    return pair_of_matched(read_matched(Path(pred_path), Path(truth_path), scale))


def pair_of_matched(files: MatchedFiles) -> Pair:
    """Return the pair of predictions and counts that were matched, on the scale of :func:`read_pair`."""
    predicted, total, notes = _on_log_scale(files)
    notes = [*files.notes, *notes]
    if files.no_positions is not None:
        notes.append(f"no question of space is answered: {files.no_positions}")
    return Pair(
        genes=files.genes,
        counts=files.counts,
        totals=files.totals,
        predicted=predicted,
        xy_um=files.xy_um,
        sample_of=files.sample_of,
        obs=files.obs,
        total=total,
        train_mean=files.train_mean,
        train_std=files.train_std,
        has_positions=files.no_positions is None,
        mean_of="log1p" if files.scale.log1p else "counts",
        notes=tuple(notes),
    )


def _on_log_scale(files: MatchedFiles) -> tuple[Float32[np.ndarray, "n g"], float, list[str]]:
    """Return predictions as log1p(count / total count * total), that total, and what was done."""
    scale: Scale = files.scale
    if scale.log1p and scale.total is not None:
        return files.predicted, scale.total, []
    values = np.expm1(files.predicted) if scale.log1p else files.predicted.copy()
    negative = int((values < 0).sum())
    notes = [f"{negative} predictions below 0 count as 0"] if negative else []
    np.maximum(values, 0, out=values)
    total = scale.total
    if total is None:
        total = 100.0
        share = float(files.counts.sum(dtype=np.float64) / files.totals.sum())
        sums = values.sum(axis=1, dtype=np.float64)
        factor = np.divide(total * share, sums, out=np.zeros(len(sums)), where=sums > 0)
        values *= factor.astype(np.float32)[:, None]
        notes.append(f"predicted counts of an observation were scaled to {total * share:.3g} in all")
    return np.log1p(values, out=values), total, notes


def _shape_faults(pair: Pair) -> list[DataError]:
    n, g = pair.counts.shape
    lengths = {
        "totals": (pair.totals.shape, (n,)),
        "predictions": (pair.predicted.shape, (n, g)),
        "places": (pair.xy_um.shape, (n, 2)),
        "samples": (pair.sample_of.shape, (n,)),
        "obs": ((len(pair.obs),), (n,)),
        "genes": ((len(pair.genes),), (g,)),
    }
    for name in ("train_mean", "train_std"):
        if (of_training := getattr(pair, name)) is not None:
            lengths[name] = (of_training.shape, (g,))
    faults = [
        DataError(
            f"{name} have shape {got}", where="the pair", expected=f"{wanted} as the counts have {(n, g)}"
        )
        for name, (got, wanted) in lengths.items()
        if got != wanted
    ]
    if n == 0 or g == 0:
        faults.append(DataError(f"{n} observations and {g} genes", where="the pair", expected="one or more"))
    if len(set(pair.genes)) != len(pair.genes):
        faults.append(DataError("a gene occurs twice", where="the pair", expected="unique names"))
    return faults


def _value_faults(pair: Pair) -> list[DataError]:
    values = pair.counts.data
    whole = next(wrong_values(values), None) is None
    step = max(1, _BLOCK // pair.predicted.shape[1])
    blocks = (pair.predicted[i : i + step] for i in range(0, len(pair.predicted), step))
    sums = np.asarray(pair.counts.sum(axis=1, dtype=np.float64)).ravel()
    training = [known for known in (pair.train_mean, pair.train_std) if known is not None]
    checks = {
        "counts are negative, not finite or no whole numbers": whole,
        "totals are 0, not finite or below the sum of the counts": (
            np.isfinite(pair.totals).all()
            and (pair.totals > 0).all()
            and not (whole and (pair.totals < sums * (1 - 1e-6)).any())
        ),
        "predictions hold NaN or infinity": all(np.isfinite(block).all() for block in blocks),
        "places hold NaN or infinity": np.isfinite(pair.xy_um).all(),
        "training means or deviations are not finite, or a deviation is negative": (
            all(np.isfinite(known).all() for known in training)
            and (pair.train_std is None or bool((pair.train_std >= 0).all()))
        ),
        f"the total of the scale is {pair.total:g}": 0 < pair.total < np.inf,
    }
    return [DataError(what, where="the pair") for what, good in checks.items() if not good]

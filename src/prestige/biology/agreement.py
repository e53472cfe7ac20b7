"""How far something measured and the same thing predicted agree: correlation within samples, at equal depth.

Counts are noisy and predictions are not, so a prediction is compared as it is and with noise added
(``noise.py``), and one half of the measured counts with the other.  All versions of one pair stand in
:func:`versions`, and what is compared with what in :data:`COMPARISONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

from prestige.biology.noise import Drawn, draw
from prestige.biology.pair import Pair
from prestige.errors import DataError
from prestige.stats.compare import compare
from prestige.stats.moments import Moments, centred, clusters_of, gene_pearson, mean_gene_pearson

COMPARISONS: dict[str, tuple[str, str]] = {
    "predicted": ("predicted", "measured"),
    "noisy": ("noisy", "measured"),
    "noisy_half": ("noisy_half", "half_a"),
    "halves": ("half_b", "half_a"),
}
"""Name of a comparison -> the version that stands for the prediction, and the one for the truth.

``noisy_half`` and ``halves`` are of one depth and one truth: a perfect prediction has the same score in both.
"""

WITH_DEPTH = COMPARISONS | {"depth": ("depth", "half_a")}
"""The same, and what depth and counting bring by themselves (:func:`prestige.biology.noise.depth_alone`)."""

_NUMBERS = 1 << 22  # in one block of one version


@dataclass(frozen=True, eq=False)
class Agreement:
    """Correlation of each of m columns (pathways, cell types), within samples and averaged over them.

    Attributes
    ----------
    value
        (m,) mean over the samples in which the truth varies; a sample in which only the prediction is
        constant counts 0.  NaN where the truth varies in no sample, or the prediction in none of those.
    n_samples
        (m,) samples in which the truth varies.
    n_constant
        (m,) those among them in which the prediction is constant.
    """

    value: Float[np.ndarray, " m"]
    n_samples: Int[np.ndarray, " m"]
    n_constant: Int[np.ndarray, " m"]


@dataclass(frozen=True)
class Mean:
    """A mean correlation over columns and samples, with its confidence interval where one can be made.

    Attributes
    ----------
    value
        NaN where nothing varies in the truth.
    low, high
        Studentised block-bootstrap confidence interval, None where there are too few blocks.
    note
        What the interval rests on, or why there is none.
    """

    value: float
    low: float | None
    high: float | None
    note: str


def versions(pair: Pair, drawn: Drawn | None = None, seed: int = 0) -> dict[str, Float32[np.ndarray, "n g"]]:
    """Return measured, predicted and noisy values and the halves, by the names of :data:`COMPARISONS`.

    Parameters
    ----------
    drawn
        What :func:`~prestige.biology.noise.draw` gave for this pair, where several questions share it.
    seed
        Of the draw, where there is none.
    """
    made = draw(pair, seed) if drawn is None else drawn
    half_a, half_b = made.measured_halves
    return {
        "measured": pair.measured,
        "predicted": pair.predicted,
        "noisy": made.predicted,
        "noisy_half": made.predicted_halves[0],
        "half_a": half_a,
        "half_b": half_b,
    }


def moments(
    columns: Callable[[Int[np.ndarray, " r"]], Mapping[str, np.ndarray]],
    names: Sequence[str],
    sample_of: Shaped[np.ndarray, " n"],
    block_of: Int[np.ndarray, " _"],
    comparisons: Mapping[str, tuple[str, str]] = COMPARISONS,
) -> dict[str, Moments]:
    """Sum what a correlation needs over each (sample, spatial block), without holding all columns at once.

    Parameters
    ----------
    columns
        Takes r rows and returns for each version an (r, m) array.  It is called for blocks of rows, each
        row once.
    names
        The m columns.
    sample_of, block_of
        (n,) sample and spatial block of each observation.
    comparisons
        What is compared with what.

    Raises
    ------
    DataError
        When there are no observations, or their samples and blocks differ in number.
    """
    if not len(sample_of) or len(sample_of) != len(block_of):
        raise DataError(f"{len(sample_of)} samples and {len(block_of)} blocks of observations")
    sample, block, cluster = clusters_of(sample_of.astype(np.str_), block_of)
    order = np.argsort(cluster, kind="stable")
    used = sorted({name for pair in comparisons.values() for name in pair})
    wanted = [(name,) for name in used] + [(name, name) for name in used] + list(comparisons.values())
    sums = {key: np.zeros((len(block), len(names))) for key in wanted}
    step = max(1, _NUMBERS // max(1, len(names)))
    for start in range(0, len(order), step):
        rows = order[start : start + step]
        versions_of_rows = columns(rows)
        values = {name: np.asarray(versions_of_rows[name], dtype=np.float64) for name in used}
        into, first = np.unique(cluster[rows], return_index=True)
        for key, out in sums.items():
            product = values[key[0]] if len(key) == 1 else values[key[0]] * values[key[1]]
            out[into] += np.add.reduceat(product, first, axis=0)
    size = np.bincount(cluster)
    return {
        name: Moments(
            sample=sample,
            block=block,
            n=size,
            sum_p=sums[(p,)],
            sum_t=sums[(t,)],
            sum_pp=sums[(p, p)],
            sum_tt=sums[(t, t)],
            sum_pt=sums[(p, t)],
            genes=tuple(names),
        )
        for name, (p, t) in comparisons.items()
    }


def agreement(sums: Moments) -> Agreement:
    """Return each column's correlation within samples, averaged over samples.

    A truth that is constant says nothing; a constant prediction of a truth that varies counts 0.
    """
    r = np.stack(list(gene_pearson(sums).values()))
    varies = []
    for sample in np.unique(sums.sample):
        rows = sums.sample == sample
        n = np.array([float(sums.n[rows].sum())])
        total, squares = (s[rows].sum(axis=0, keepdims=True) for s in (sums.sum_t, sums.sum_tt))
        varies.append(centred(n, total, squares)[0] > 0)
    truth = np.stack(varies)
    constant = truth & ~np.isfinite(r)
    n_samples, n_constant = truth.sum(axis=0), constant.sum(axis=0)
    total = np.where(truth & ~constant, np.nan_to_num(r), 0.0).sum(axis=0)
    known = n_samples > n_constant
    value = np.divide(total, n_samples, out=np.full(len(total), np.nan), where=known)
    return Agreement(value, n_samples, n_constant)


def mean_agreement(
    sums: Moments,
    names: Sequence[str] | None = None,
    *,
    patient_of: Mapping[str, str] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> Mean:
    """Return the mean correlation over columns (all, or those named) with its block-bootstrap interval."""
    some = sums if names is None else sums.take_genes(names)
    value = mean_gene_pearson(some)
    if not np.isfinite(value):
        return Mean(value, None, None, "nothing varies in the truth")
    answer = compare({"prediction": [some]}, draws=draws, seed=seed, patient_of=patient_of)
    row = answer.rows["prediction"]
    return Mean(value, row.low, row.high, answer.note)

"""Correlation between genes, overall and within sets: whether the prediction keeps which go together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from prestige.biology.noise import Drawn, draw
from prestige.biology.pair import Pair
from prestige.errors import DataError
from prestige.genesets import MIN_GENES
from prestige.stats.space import rows_of_samples

ALL = "all genes"
_BLOCK = 1 << 21


@dataclass(frozen=True, eq=False)
class GeneCorrelations:
    """Correlations between genes, measured and predicted, and how far they agree.

    Attributes
    ----------
    measured, predicted
        (g, g) correlations at the observed depth, the prediction with noise; NaN for a gene that is constant.
    table
        One row for all genes and one for each set. ``n_genes``, and ``n_pairs`` that are defined everywhere;
        agreement, the correlation of the upper triangles: ``agreement`` at the observed depth, and at half
        of it ``agreement_half`` (prediction against half), ``agreement_halves`` (half against half) and
        ``agreement_depth`` (the same shares everywhere, with noise, against half: what depth and counting
        bring by themselves); mean absolute correlation within: ``strength_measured``,
        ``strength_predicted``, and at half the depth ``strength_half``, ``strength_other_half``,
        ``strength_predicted_half`` and ``strength_depth``.
    too_small
        Sets with fewer than 5 genes of the pair: not looked at.
    """

    measured: Float[np.ndarray, "g g"]
    predicted: Float[np.ndarray, "g g"]
    table: pd.DataFrame
    too_small: tuple[str, ...]


def gene_correlations(
    pair: Pair, sets: Mapping[str, Sequence[str]] | None = None, drawn: Drawn | None = None, *, seed: int = 0
) -> GeneCorrelations:
    """Compare the correlations between genes of measured and predicted expression.

    Pearson's, of values less the mean of their sample; so differences between samples have no part in it.
    All measured counts of an observation share its total, which correlates genes by itself, in the
    measurement as in a prediction with noise: ``agreement_depth`` says how much of the agreement that is.

    Parameters
    ----------
    sets
        Names and genes of sets; genes that are not in the pair are passed over.
    drawn
        What :func:`prestige.biology.noise.draw` gave for this pair; drawn with ``seed`` where it is left out.

    Raises
    ------
    DataError
        When the pair has fewer than 3 genes.
    """
    if len(pair.genes) < 3:
        raise DataError(
            f"{len(pair.genes)} genes have no pattern of correlations",
            where="correlations between genes",
            expected="3 or more",
        )
    drawn = draw(pair, seed) if drawn is None else drawn
    r = {name: correlation(values, pair.sample_of) for name, values in drawn.sides(pair).items()}
    place = {gene: number for number, gene in enumerate(pair.genes)}
    rows, too_small = [_row(ALL, np.arange(len(place)), r)], []
    for name, genes in (sets or {}).items():
        at = np.array(sorted({place[gene] for gene in genes if gene in place}), dtype=np.int64)
        if len(at) < MIN_GENES:
            too_small.append(name)
        else:
            rows.append(_row(name, at, r))
    return GeneCorrelations(r["measured"], r["predicted"], pd.DataFrame(rows), tuple(too_small))


def correlation(values: Float[np.ndarray, "n g"], sample_of: np.ndarray) -> Float[np.ndarray, "g g"]:
    """Return Pearson's correlation between genes within samples; NaN where one is constant.

    ``sum_s sum_i (x_i - mean_s) (y_i - mean_s)`` over the root of the product of the squares' sums.
    """
    g = values.shape[1]
    total = np.zeros((g, g))
    for _, rows in rows_of_samples(sample_of):
        mean = values[rows].mean(axis=0, dtype=np.float64)
        for start in range(0, len(rows), max(1, _BLOCK // g)):
            z = values[rows[start : start + max(1, _BLOCK // g)]] - mean
            total += z.T @ z
    square = np.diag(total).copy()
    flat = square <= 1e-12 * len(values) * np.square(np.abs(values).max(axis=0, initial=0.0))
    root = np.sqrt(np.where(flat, np.nan, square))
    return np.clip(total / root / root[:, None], -1.0, 1.0)


def _row(name: str, at: np.ndarray, found: Mapping[str, np.ndarray]) -> dict[str, object]:
    upper = np.triu_indices(len(at), 1)
    pairs = {side: r[np.ix_(at, at)][upper] for side, r in found.items()}
    good = np.isfinite(list(pairs.values())).all(axis=0)
    pairs = {side: r[good] for side, r in pairs.items()}
    against = {
        "agreement": ("predicted", "measured"),
        "agreement_half": ("predicted_half", "half"),
        "agreement_halves": ("other_half", "half"),
        "agreement_depth": ("depth", "half"),
    }
    row: dict[str, object] = {"set": name, "n_genes": len(at), "n_pairs": int(good.sum())}
    row |= {key: _pearson(pairs[a], pairs[b]) for key, (a, b) in against.items()}
    return row | {
        f"strength_{side}": float(np.abs(r).mean()) if len(r) else math.nan for side, r in pairs.items()
    }


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])

"""Which matrix of a table holds its counts, whether they are counts, and what makes one doubt it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped
from scipy.sparse import csr_matrix, issparse

from prestige.errors import DataError, PrestigeError, reading
from prestige.text import some

if TYPE_CHECKING:
    from anndata import AnnData

LAYER = "counts"
"""The layer that holds the counts where there is one; else X does."""

_REMEDY = "store the raw counts in X or in layers['counts']"
_LOOKED_AT = 100_000  # values of another matrix that are looked at
_SAMPLED_ROWS = 20_000  # for what is told about the counts as a whole
_FEWEST_ROWS = 20
_PIECE = 1 << 18  # values looked at in one go, within the processor's cache


def counts_of(table: AnnData) -> tuple[Any, str]:
    """Return the matrix of counts of a table in memory, and its name: ``layers["counts"]``, else ``X``."""
    if LAYER in table.layers:
        return table.layers[LAYER], f"layers['{LAYER}']"
    return table.X, "X"


def wrong_values(values: Shaped[np.ndarray, " k"]) -> Iterator[tuple[str, Bool[np.ndarray, " k"]]]:
    """Yield what is wrong with stored counts, in words, and where."""
    if _are_counts(values):
        return
    finite = np.isfinite(values)
    if not finite.all():
        yield "NaN or infinite counts", ~finite
    if (values < 0).any():
        yield "negative counts", values < 0
    with np.errstate(invalid="ignore"):
        fraction = finite & (np.rint(values) != values)
    if fraction.any():
        share, example = float(fraction.mean()), values[np.argmax(fraction)]
        n = int(fraction.sum())
        words = f"{share:.0%} of the counts are fractions"
        words = (
            words
            if share >= 0.005
            else f"{n:,} {'count is a fraction' if n == 1 else 'counts are fractions'}"
        )
        yield f"{words} (as {example:.8g})", fraction


def _are_counts(values: Shaped[np.ndarray, " k"]) -> bool:
    """Return whether all are counts, looked at piece by piece: what most tables hold is told soonest."""
    with np.errstate(invalid="ignore"):
        for start in range(0, len(values), _PIECE):
            piece = values[start : start + _PIECE]
            if not ((piece >= 0).all() and (np.rint(piece) == piece).all() and piece.max() < np.inf):
                return False
    return True


def count_faults(
    counts: csr_matrix, ids: pd.Index, *, where: str, name: str = "", elsewhere: str | None = None
) -> list[DataError]:
    """List what is wrong with the values of counts: one rule for readers, evaluate and biology.

    Parameters
    ----------
    counts, ids
        The counts and the names of their rows.
    where, name
        The table, and the matrix they were read from, for messages.
    elsewhere
        A sentence on where else in the table counts stand (:func:`counts_elsewhere`).
    """
    faults = []
    for what, bad in wrong_values(counts.data):
        rows = np.unique(np.searchsorted(counts.indptr, np.flatnonzero(bad), side="right") - 1)
        of_all = "fraction" in what
        told = what if of_all else f"{what} in {some(ids[rows])}"
        faults.append(
            DataError(
                f"{name or 'it'} holds no counts: {told}" if name or of_all else told,
                where=where,
                expected="raw counts: whole numbers, 0 or more and finite (not normalised, no logarithms)",
                remedy=elsewhere or f"{_REMEDY}, or take these rows off the table",
            )
        )
    return faults


def as_rows(matrix: Any, *, where: str, name: str) -> csr_matrix:
    """Return a matrix in memory as compressed rows of numbers that can be computed with.

    Raises
    ------
    DataError
        When it holds no real numbers.
    """
    kind = np.dtype(matrix.dtype)
    if kind.kind not in "biuf" or getattr(matrix, "ndim", 2) != 2:
        raise DataError(
            f"{name} is no matrix of numbers ({kind})", where=where, expected="counts, observations x genes"
        )
    small = kind.kind == "b" or kind == np.float16  # sparse matrices cannot compute with them
    return csr_matrix(matrix.astype(np.float32) if small else matrix)


def counts_elsewhere(others: Mapping[str, Any], *, where: str) -> str | None:
    """Return a sentence that names the matrices of a table, besides the one that was read, that hold counts.

    Parameters
    ----------
    others
        Name, as a user writes it ("layers['raw_counts']", "raw.X"), and matrix: an array, a sparse matrix, or
        the element of an open file.
    where
        The table.
    """
    named = [name for name, matrix in others.items() if _looks_like_counts(matrix, where)]
    if not named:
        return None
    verb = "holds" if len(named) == 1 else "hold"
    return f"{' and '.join(named)} {verb} counts: store them in layers['counts']"


def _looks_like_counts(matrix: Any, where: str) -> bool:
    try:
        with reading(where, part="another matrix of the table"):
            values = np.asarray(_first_values(matrix))
            values = values[:_LOOKED_AT].astype(np.float64).reshape(-1)
    except PrestigeError:
        return False
    return bool(len(values) and values.max() > 1 and next(wrong_values(values), None) is None)


def _first_values(matrix: Any) -> Any:
    if issparse(matrix):
        values = getattr(matrix, "data", None)
        return values if isinstance(values, np.ndarray) else []
    if hasattr(matrix, "keys"):  # a sparse matrix in an open file
        return matrix["data"][:_LOOKED_AT]
    rows = max(1, _LOOKED_AT // max(1, matrix.shape[1]))
    return np.asarray(matrix[:rows]).reshape(-1)


def doubts_about(
    counts: csr_matrix, totals: Float[np.ndarray, " n"], measured: Bool[np.ndarray, " n"]
) -> tuple[str, ...]:
    """Return notes on whole numbers that are hardly counts: normalised, binarised or rounded logarithms.

    Counts of molecules vary at least as the Poisson distribution does, whatever the tissue: the variance of a
    total, and of a gene that is not rare, is not below its mean.  A table whose total varies by less than a
    tenth of that was scaled; one without a single value above 1, where its own rates would give twenty, was
    binarised; one whose genes vary by less than a third of it holds logarithms or ranks.

    Parameters
    ----------
    counts, totals, measured
        Of the n observations, as read.
    """
    rows = np.flatnonzero(measured & (totals > 0))
    if len(rows) < _FEWEST_ROWS or not counts.nnz:
        return ()
    if len(rows) > _SAMPLED_ROWS:
        rows = rows[:: -(-len(rows) // _SAMPLED_ROWS)]
    chosen, notes = counts[rows], []
    sums = np.asarray(chosen.sum(axis=1, dtype=np.float64)).ravel()
    for of_rows in (sums, totals[rows]):
        middle = float(np.median(of_rows))
        if of_rows.var() < 0.1 * of_rows.mean() and middle >= 10:
            notes.append(
                f"every observation has nearly the same total ({middle:,.0f}): are these normalised values?"
            )
            break
    n, n_genes = chosen.shape
    values = chosen.data.astype(np.float64)
    mean = np.bincount(chosen.indices, values, n_genes) / n
    if values.max() <= 1:
        rate = -np.log1p(-np.minimum(mean, 1 - 1 / n))
        if n * float((1 - np.exp(-rate) * (1 + rate)).sum()) >= 20:
            notes.append("no count is above 1, though many would be by chance: are these binarised values?")
        return tuple(notes)
    square = np.bincount(chosen.indices, values**2, n_genes) / n
    common = mean >= 2
    if common.any() and np.median((square - mean**2)[common] / mean[common]) < 1 / 3:
        notes.append(
            f"whole numbers up to {values.max():,.0f} that vary less than counts can: are these logarithms?"
        )
    return tuple(notes)

"""How many counts each observation has over all genes that were measured: the column ``total_counts``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from prestige.errors import DataError
from prestige.text import some

_MOST = 2.0**53
_SLACK = 1e-6  # of sums in single precision


@dataclass(frozen=True, eq=False)
class Totals:
    """Totals of n observations, 0 where not measured.

    Attributes
    ----------
    values
        (n,) float64.
    note
        How they came about where the table states others than the sums of its counts; None where it does not.
    refuted
        Whether the table's own totals cannot be true.
    """

    values: Float[np.ndarray, " n"]
    note: str | None = None
    refuted: bool = False


def totals_of(
    obs: pd.DataFrame,
    sums: Float[np.ndarray, " n"],
    *,
    where: str,
    n_genes: int,
    measured: Bool[np.ndarray, " n"] | None = None,
    column: str = "total_counts",
) -> Totals:
    """Return the table's own ``total_counts`` where they can be true, else the sums of its counts.

    Totals above the sums count genes that are not in the table.  Totals below them were taken from other
    numbers (from logarithms, mostly), which a note says.

    Parameters
    ----------
    obs, sums
        The table's columns, and the sum of each row's counts.
    where, n_genes
        The table and how many genes it has, for messages.
    measured
        Rows that count; in the others the column may hold anything.
    column
        What the table calls them.

    Raises
    ------
    DataError
        When a total is no number, not finite, negative or beyond 2^53.
    """
    measured = np.ones(len(obs), dtype=bool) if measured is None else measured
    sums = np.where(measured, sums, 0.0)
    if column not in obs.columns:
        return Totals(sums)
    stated = as_totals(pd.Series(obs[column]), where=where, measured=measured, name=column)
    if np.array_equal(stated, sums):
        return Totals(sums)
    if (stated < sums * (1 - _SLACK)).any():
        note = f"obs['{column}'] is below the sum of the counts: the sum over {n_genes:,} genes was taken"
        return Totals(sums, note, refuted=True)
    return Totals(
        stated, f"totals are the table's own obs['{column}'], which cover more than its {n_genes:,} genes"
    )


def as_totals(
    column: pd.Series,
    *,
    where: str,
    measured: Bool[np.ndarray, " n"] | None = None,
    name: str = "total_counts",
) -> Float[np.ndarray, " n"]:
    """Return a column of totals as numbers, 0 where not measured.

    Raises
    ------
    DataError
        When one that counts is no number, not finite, negative or beyond 2^53.
    """
    measured = np.ones(len(column), dtype=bool) if measured is None else measured
    kind = column.dtype
    no_numbers = pd.api.types.is_bool_dtype(kind) or pd.api.types.is_complex_dtype(kind)
    if no_numbers or pd.api.types.is_datetime64_any_dtype(kind):
        stated = np.full(len(column), np.nan)
    elif pd.api.types.is_numeric_dtype(kind):
        stated = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        stated = np.asarray(pd.to_numeric(column.astype(object), errors="coerce"), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        wrong = measured & ~((stated >= 0) & (stated <= _MOST))
    if wrong.any():
        raise DataError(
            f"obs['{name}'] is {column[wrong].iloc[0]} in {some(column.index[wrong])}",
            where=where,
            expected="the counts of each observation over all genes, 0 or more and finite",
            remedy="mend it, or take the column off the table: then the counts are summed",
        )
    return np.where(measured, stated, 0.0)

"""Which observations were measured: the columns ``measured`` and ``in_tissue``, however they are written."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool
from scipy.sparse import csr_matrix

from prestige.errors import DataError
from prestige.text import some

_TRUE, _FALSE = ("true", "yes", "1", "1.0"), ("false", "no", "0", "0.0")


def measured_rows(obs: pd.DataFrame, *, where: str) -> tuple[Bool[np.ndarray, " n"], tuple[str, ...]]:
    """Return which rows of a table were measured, and notes on those that were not.

    ``measured`` says it itself.  ``in_tissue`` of Visium says which spots lie on tissue: what a spot beside
    it caught has leaked there, so it is not measured.  A table with both means those that both name; with
    neither, all rows were measured.

    Raises
    ------
    DataError
        When a column is no yes or no in every row.
    """
    measured, notes = np.ones(len(obs), dtype=bool), []
    if "measured" in obs.columns:
        measured &= yes_or_no(pd.Series(obs["measured"]), where=where, column="measured")
    if "in_tissue" in obs.columns and not bool(pd.Series(obs["in_tissue"]).isna().all()):
        inside = yes_or_no(pd.Series(obs["in_tissue"]), where=where, column="in_tissue")
        if off := int((measured & ~inside).sum()):
            all_off = "; take the column off the table where it says nothing" if off == len(obs) else ""
            notes.append(
                f"{off:,} of {len(obs):,} observations lie off the tissue by obs['in_tissue']: not measured"
                f"{all_off}"
            )
        measured &= inside
    return measured, tuple(notes)


def yes_or_no(values: pd.Series, *, where: str, column: str) -> Bool[np.ndarray, " n"]:
    """Return a column as true and false.

    Parameters
    ----------
    values
        Booleans, 0 and 1, or text (true, yes, 1 and false, no, 0 in any case), also nullable or categories.
    where, column
        The table and the column, for messages.

    Raises
    ------
    DataError
        For anything else, a missing value among it: it is no answer.

    Examples
    --------
    >>> yes_or_no(pd.Series(["TRUE", "no"]), where="truth.h5ad", column="measured").tolist()
    [True, False]
    """
    if values.dtype == bool:
        return values.to_numpy(dtype=bool)
    codes, levels = pd.factorize(values)  # missing values get -1
    answers = np.array([_answer(level) for level in levels] + [-1], dtype=np.int8)
    found = answers[codes]
    if (found < 0).any():
        wrong = found < 0
        example = values[wrong].iloc[0]
        shown = repr(example) if isinstance(example, str) else str(example)
        raise DataError(
            f"obs['{column}'] is {'missing' if pd.isna(example) else shown} in {some(values.index[wrong])}",
            where=where,
            expected="true or false in every row (0 and 1, yes and no will do)",
            remedy="fill it in, or take the column off the table",
        )
    return found == 1


def _answer(level: object) -> int:
    word = str(level).strip().lower()
    return 1 if word in _TRUE else 0 if word in _FALSE else -1


def only_rows(counts: csr_matrix, measured: Bool[np.ndarray, " n"]) -> csr_matrix:
    """Return the counts without those of rows that were not measured."""
    if measured.all():
        return counts
    lengths = np.diff(counts.indptr)
    kept = np.repeat(measured, lengths)
    indptr = np.concatenate([[0], np.cumsum(np.where(measured, lengths, 0))])
    return csr_matrix((counts.data[kept], counts.indices[kept], indptr), shape=counts.shape)

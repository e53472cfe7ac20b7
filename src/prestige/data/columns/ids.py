"""Ids that are whole numbers, read exactly: never through a float, which merges those beyond 2^53."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from prestige.errors import DataError
from prestige.text import some

MOST = int(np.iinfo(np.int64).max)
_EXACT_FLOAT = 2**53
_WHOLE = r"\s*\+?([0-9]{1,19})(?:\.0*)?\s*"


def whole_ids(
    values: pd.Series | pd.Index | np.ndarray,
    *,
    where: str,
    what: str = "ids",
    expected: str = "whole numbers",
    least: int = 1,
    unique: bool = True,
) -> Int[np.ndarray, " n"]:
    """Return ids as int64, to the last digit.

    Parameters
    ----------
    values
        Whole numbers of any integer type (nullable ones too), floats up to 2^53 that are whole, or text of
        digits, also with ".0" behind them, in a column or as row names; categories of these.
    where, what, expected
        The table, what the ids are of ("cell ids") and what they should be, for messages.
    least
        The smallest that is allowed.
    unique
        Whether one that stands there twice is refused.

    Raises
    ------
    DataError
        For ids that are no such numbers, or beyond 2^63, or are there twice.

    Examples
    --------
    >>> import pandas as pd
    >>> whole_ids(pd.Series(["9007199254740993", "7.0"]), where="cells").tolist()
    [9007199254740993, 7]
    """
    series = pd.Series(values).reset_index(drop=True)
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype if not series.isna().any() else object)
    numbers, wrong = _parsed(series)
    wrong |= numbers < least
    if wrong.any():
        raise DataError(
            f"{what} that are no whole numbers above {least - 1}: {some(series[wrong].tolist())}",
            where=where,
            expected=expected,
            remedy=_remedy(series[wrong]),
        )
    ids = pd.Index(numbers)
    if unique and not ids.is_unique:
        raise DataError(
            f"duplicate ids: {some(ids[ids.duplicated()])}",
            where=where,
            expected="every one once",
            remedy="take one of each off the table",
        )
    return numbers


def _remedy(wrong: pd.Series) -> str | None:
    """Return what mends ids that are none, where that can be told."""
    if not pd.api.types.is_numeric_dtype(wrong.dtype) or pd.api.types.is_bool_dtype(wrong.dtype):
        return None
    if wrong.isna().any():
        return None
    if bool(wrong.eq(0).all()):
        return "0 is the background: take that row off, or add 1 to all ids where they count from 0"
    if pd.api.types.is_float_dtype(wrong.dtype):
        lost = bool((np.abs(np.asarray(wrong, dtype=np.float64)) > _EXACT_FLOAT).all())
        return "store them as whole numbers: float64 keeps those up to 2^53 only" if lost else None
    return "number them below 2^63" if bool(wrong.gt(MOST).all()) else None


def _parsed(series: pd.Series) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return the ids, and where there is none: the number there means nothing."""
    wrong = np.array(series.isna(), dtype=bool)
    if pd.api.types.is_bool_dtype(series.dtype):
        return np.zeros(len(series), dtype=np.int64), np.ones(len(series), dtype=bool)
    if pd.api.types.is_integer_dtype(series.dtype):
        filled: Any = series.fillna(0)
        wrong |= np.asarray(filled > MOST)
        return np.where(wrong, 0, np.asarray(filled.to_numpy())).astype(np.int64), wrong
    if pd.api.types.is_float_dtype(series.dtype):
        floats = np.asarray(series, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            wrong |= ~(np.abs(floats) <= _EXACT_FLOAT) | (floats % 1 != 0)
        return np.where(wrong, 0, floats).astype(np.int64), wrong
    return _from_text(series.astype(str), wrong)


def _from_text(
    text: pd.Series, wrong: Bool[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    digits = text.str.extract(f"^{_WHOLE}$", expand=False)
    wrong = wrong | np.asarray(digits.isna(), dtype=bool)
    whole = [0 if bad else int(word) for word, bad in zip(digits, wrong, strict=True)]
    wrong |= np.array([number > MOST for number in whole], dtype=bool)
    return np.array([min(number, MOST) for number in whole], dtype=np.int64), wrong

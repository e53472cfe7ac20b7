"""Tables that people open with a spreadsheet: names from files are text there, and never formulas."""

from __future__ import annotations

from typing import Any

import pandas as pd

from prestige.text import number

_NO_FORMULA = ("-", "+")  # a dash stands where there is no value
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\n")


def as_text(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe stands before such a text.

    Source of the characters: OWASP, CSV Injection.
    """
    if not isinstance(cell, str):
        return cell
    cell = cell.replace("\r", " ")  # pandas does not quote it, and it would begin a row
    if not cell.startswith(_BEGINS_A_FORMULA) or cell in _NO_FORMULA:
        return cell
    return cell if number(cell) == number(cell) else f"'{cell}"


def for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts are no formulas; numbers stay as they are."""
    out = table.rename(columns=as_text)
    for place, kind in enumerate(table.dtypes):
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)):
            column = table.iloc[:, place]
            tamed = column.astype(object).map(as_text)
            if not tamed.equals(column.astype(object)):
                out.isetitem(place, tamed.to_numpy())
    return out

"""What stands in a table where nothing is known: one list of words for all columns of names and numbers."""

from __future__ import annotations

WORDS = frozenset(("", "na", "n/a", "nan", "none", "null", "nat", "<na>"))
"""In small letters, without blanks."""

OF_GENES = WORDS - {"na", "n/a"}
"""The same in a column of genes: the fly has one called na."""


def is_gap(value: object, words: frozenset[str] = WORDS) -> bool:
    """Return whether a value, or what is written in its place, says that there is none.

    Examples
    --------
    >>> [is_gap(value) for value in (None, float("nan"), " NA ", "0", "Nancy")]
    [True, True, True, False, False]
    """
    return value is None or str(value).strip().lower() in words

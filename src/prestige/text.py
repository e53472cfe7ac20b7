"""Numbers and names as a reader should see them: short, and a dash where there is none."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from prestige.errors import one_line

if TYPE_CHECKING:
    from pandas import Index


def number(value: Any) -> float:
    """Return a float, NaN for None and what cannot be read as one."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def format_number(value: float) -> str:
    """Write a width with at most three significant digits and no trailing zeros."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def si(value: float) -> str:
    """Write a large number shortly: 1.2 M, 340 k."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.3g}"


def written(value: Any, form: str) -> str:
    """Write a number in a format, a dash where there is none."""
    finite = number(value)
    return format(finite, form) if math.isfinite(finite) else "\N{EN DASH}"


def shortened(names: Sequence[str], most: int) -> str:
    """Write "a, b and 3 more": the first names, and how many there are besides."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def some(names: Sequence[object] | Index, most: int = 3) -> str:
    """Write how many there are and the first few: "4 (a, b, c, ...)"."""
    shown = ", ".join(str(name) for name in names[:most])
    return f"{len(names):,} ({shown}{', ...' if len(names) > most else ''})"


def has_word(text: str, word: str) -> bool:
    """Return whether a text holds a word with no letter or digit before or behind it.

    Examples
    --------
    >>> [has_word(text, "S1") for text in ("GSM1_S1_matrix.mtx", "S1.csv", "S10_matrix.mtx", "PS1")]
    [True, True, False, False]
    """
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", text) is not None


def round_length(length: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, 50 ... (or a tenth, ...) that is not above a length."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= length * (1 + 1e-9))


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Write the rows of a table as lines that a terminal shows and does not obey, columns under another."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def look_alike(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return pairs of names that a reader takes for one: unlike in blanks, case or hidden characters alone.

    Each pair is the first name of its kind and a later one.
    """
    first: dict[str, str] = {}
    pairs: dict[tuple[str, str], None] = {}
    for name in names:
        other = first.setdefault(_seen(name), name)
        if other != name:
            pairs[other, name] = None
    return list(pairs)


def _seen(name: str) -> str:
    """Return a name as the eye takes it."""
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
        name = "".join(char for char in name if unicodedata.category(char) != "Cf")
    return " ".join(name.split()).casefold()

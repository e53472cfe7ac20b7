"""Tables with a header in one file: csv, tsv (packed by gzip or not) and parquet, whatever their columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from prestige.data.columns.gaps import WORDS
from prestige.data.platforms.packed import opened_text
from prestige.data.platforms.parquet import is_parquet, opened_parquet
from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import plain_file
from prestige.text import some

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?", re.I)
_SEPARATORS = "\t,;|"
_DECIMAL_COMMA = re.compile(r"\s*[-+]?[0-9][0-9.,' ]*,[0-9]+(\.[0-9]+)?\s*")
_MOST_LINE_BYTES = 1 << 24
_BLOCK_BYTES = 1 << 22  # Arrow reads up to 32 of them ahead

Choice = Callable[[list[str]], Sequence[str]]
"""Names of all columns -> names of those that are read."""


def read_flat(path: Path, *, expected: str, choose: Choice = list) -> pd.DataFrame:
    """Return columns of a table; those of a text file as text, empty where nothing stands.

    The separator is the one of tab, comma, semicolon and bar that the header has most of.  A column of row
    names without a name of its own, as R writes it, is called "".

    Parameters
    ----------
    expected
        What the table should be, for messages.
    choose
        Which columns are read; all by default.

    Raises
    ------
    DataError
        When it is missing, damaged or no table; when two columns have one name.
    """
    path = plain_file(path, expected=expected)
    of = _parquet if is_parquet(path, expected=expected) else _text
    return of(path, expected, choose)


def header_of(path: Path, *, expected: str, quoted: bool = False) -> tuple[list[str], str]:
    """Return the names of the columns of a text file with a header, and what separates them.

    Parameters
    ----------
    quoted
        Whether a first field that the header does not name is taken for names of rows only where it is
        quoted, as R writes it by default: elsewhere it may be a field too much.

    Raises
    ------
    DataError
        As :func:`read_flat`; also when the line below the header ends with a field that is empty and has no
        name or, with ``quoted``, begins with one that is not quoted.
    """
    with (
        opened_text(path, expected=expected) as stream,
        reading(path, expected=expected, remedy="save it as text in UTF-8"),
    ):
        lines = [stream.readline(_MOST_LINE_BYTES).decode("utf-8-sig").rstrip("\r\n") for _ in range(2)]
        separator = max(_SEPARATORS, key=lines[0].count)
        names, first = ([*csv.reader([line], delimiter=separator)] for line in lines)
        names = [name.strip() for name in (names[0] if names else [])]
        unnamed = bool(first) and len(first[0]) == len(names) + 1
    if not any(names):
        raise DataError("has no header", where=path, expected=expected, remedy=AGAIN)
    if len(names) > 1 and not unnamed and all(map(_NUMBER.fullmatch, names)):
        raise DataError(
            f"has no header: its first line is {separator.join(names)[:40]}",
            where=path,
            expected=expected,
            remedy="write the names of its columns into the first line",
        )
    if unnamed and (not first[0][-1].strip() or (quoted and not lines[1].startswith('"'))):
        raise DataError(
            f"has {len(names):,} names in its header and {len(names) + 1:,} fields in the line below",
            where=path,
            expected=expected,
            remedy="name the column that has no name, or take it off",
        )
    names = ["", *names] if unnamed else names
    _check_names(names, path, expected)
    return names, separator


def as_floats(column: pd.Series, *, where: str | Path, expected: str = "numbers") -> Any:
    """Return a column as float64, NaN where nothing or "NA" stands.

    Raises
    ------
    DataError
        For what is no number.
    """
    column = column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
    numbers = pd.to_numeric(column, errors="coerce").astype("float64").to_numpy()
    blank = column.isna() | column.astype(str).str.strip().str.lower().isin(WORDS)
    wrong = pd.isna(numbers) & ~blank.to_numpy(dtype=bool)
    if wrong.any():
        row = int(wrong.argmax())
        is_comma = _DECIMAL_COMMA.fullmatch(str(column.iloc[row])) is not None
        raise DataError(
            f"the column '{column.name}' holds '{column.iloc[row]}' in row {row + 1:,}",
            where=where,
            expected=expected,
            remedy="write numbers with a decimal point, and nothing between thousands"
            if is_comma
            else "mend it, or take the row off the table",
        )
    return numbers


def _check_names(names: list[str], path: Path, expected: str) -> None:
    twice = pd.Index(names)[pd.Index(names).duplicated()]
    if len(twice):
        raise DataError(
            f"has several columns of one name: {some(twice)}",
            where=path,
            expected=expected,
            remedy="name them apart",
        )


def _text(path: Path, expected: str, choose: Choice) -> pd.DataFrame:
    from pyarrow import csv as arrow_csv

    names, separator = header_of(path, expected=expected)
    wanted = list(choose(names))
    with opened_text(path, expected=expected) as stream, reading(path, expected=expected):
        table = arrow_csv.read_csv(stream, **_how(names, separator, wanted))
        return pd.DataFrame({name: table.column(name).to_pandas() for name in wanted}, columns=wanted)


def texts_of(
    path: Path, names: Sequence[str], wanted: Sequence[str], separator: str, *, expected: str, most_bytes: int
) -> Iterator[Any]:
    """Go over columns of a text file as texts, in Arrow's batches of some megabytes.

    Parameters
    ----------
    names, separator
        As :func:`header_of` returns them.
    wanted
        The columns that are read.
    most_bytes
        Beyond so many unpacked bytes, reading ends with an error.

    Raises
    ------
    DataError
        When it is damaged, or a line has more or fewer fields than the header.
    """
    from pyarrow import csv as arrow_csv

    with opened_text(path, expected=expected, most_bytes=most_bytes) as stream:
        with reading(path, expected=expected):
            batches = arrow_csv.open_csv(stream, **_how(names, separator, wanted))
        with batches:
            while True:
                with reading(path, expected=expected):
                    batch = next(batches, None)
                if batch is None:
                    return
                yield batch


def _how(names: Sequence[str], separator: str, wanted: Sequence[str]) -> dict[str, Any]:
    """Return how Arrow reads columns as texts; unlike pandas, it refuses lines of more or fewer fields."""
    from pyarrow import csv as arrow_csv
    from pyarrow import string

    return {
        "read_options": arrow_csv.ReadOptions(
            column_names=names, skip_rows=1, use_threads=False, block_size=_BLOCK_BYTES
        ),
        "parse_options": arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        "convert_options": arrow_csv.ConvertOptions(
            include_columns=wanted, column_types=dict.fromkeys(names, string()), strings_can_be_null=False
        ),
    }


def _parquet(path: Path, expected: str, choose: Choice) -> pd.DataFrame:
    def chosen(names: list[str]) -> Sequence[str]:
        _check_names(names, path, expected)
        return choose(names)

    with opened_parquet(path, chosen, expected=expected) as (file, wanted), reading(path, expected=expected):
        table = file.read(columns=wanted, use_threads=False)
        return pd.DataFrame({name: table.column(name).to_pandas() for name in wanted})

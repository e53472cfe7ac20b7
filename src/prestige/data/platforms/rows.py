"""Columns of a csv or parquet table, in pieces of some rows: what is not asked for is not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prestige.data.columns.gaps import WORDS
from prestige.data.platforms.flat import header_of, texts_of
from prestige.data.platforms.parquet import opened_parquet
from prestige.errors import AGAIN, DataError, nearest, reading
from prestige.inputs import plain_file

_PIECE = 1 << 20
_FREE_BYTES, _MOST_RATIO = 1 << 28, 200  # what a packed csv may unpack to, beside its own size
_GAPS = sorted({form(word) for word in WORDS for form in (str, str.upper, str.title)} | {"NaN"})
_TRUTHS = {"True": "1", "TRUE": "1", "true": "1", "False": "0", "FALSE": "0", "false": "0"}


def read_rows(
    path: Path,
    *,
    texts: Sequence[str],
    numbers: Sequence[str] = (),
    optional: Sequence[str] = (),
    expected: str,
) -> Iterator[pd.DataFrame]:
    """Go over a table of columns with a header.

    Parameters
    ----------
    path
        A ``.parquet``, or a csv that may be packed by gzip.
    texts, numbers
        Columns that are read, texts as categories, numbers as float64.  Whole numbers and bytes in a column
        of texts are texts too: ids are written in all three ways.
    optional
        Those of them that may be absent.
    expected
        What the table should be, for messages.

    Raises
    ------
    DataError
        When it is damaged, lacks a column, has a text among its numbers, or, as a csv, a line of more or
        fewer fields than its header.
    """
    plain_file(path, expected=expected)
    of = _parquet if path.suffix == ".parquet" else _csv
    for piece in of(path, (*texts, *numbers), set(optional), texts, expected):
        yield pd.DataFrame(
            {
                name: _as_text(piece[name], path) if name in texts else _as_number(piece[name], path)
                for name in (*texts, *numbers)
                if name in piece
            }
        )


def read_all(path: Path, **how: Any) -> pd.DataFrame:
    """Return a table as :func:`read_rows` reads it, in one piece."""
    pieces = list(read_rows(path, **how))
    if len(pieces) == 1:
        return pieces[0]
    out = {}
    for name in pieces[0].columns:
        columns = [piece[name] for piece in pieces]
        if isinstance(columns[0].dtype, pd.CategoricalDtype):
            out[name] = pd.api.types.union_categoricals([column.array for column in columns])
        else:
            out[name] = np.concatenate([column.to_numpy() for column in columns])
    return pd.DataFrame(out)


def _missing(path: Path, name: str, there: Sequence[str], expected: str, *, is_first: bool) -> DataError:
    near = nearest(name, there)
    if "" in there and is_first:
        near = "the column without a name"
    elif near:
        near = f"'{near}'"
    known = ", ".join(f"'{one}'" for one in there[:6])
    return DataError(
        f"has no column '{name}', only {known}{', ...' if len(there) > 6 else ''}",
        where=path,
        expected=expected,
        remedy=f"is it {near}? Then name it '{name}'" if near else "copy the file of the instrument again",
    )


def _wanted(
    path: Path, names: Sequence[str], there: Sequence[str], optional: set[str], expected: str
) -> list[str]:
    for name in names:
        if name not in there and name not in optional:
            raise _missing(path, name, there, expected, is_first=name == names[0])
    return [name for name in names if name in there]


def _parquet(
    path: Path, names: Sequence[str], optional: set[str], texts: Sequence[str], expected: str
) -> Iterator[dict[str, Any]]:
    def choose(there: list[str]) -> list[str]:
        return _wanted(path, names, there, optional, expected)

    with opened_parquet(path, choose, expected=expected) as (file, wanted):
        batches = file.iter_batches(batch_size=_PIECE, columns=wanted, use_threads=False)
        empty = True
        while True:
            with reading(path, expected=expected):
                batch = next(batches, None)
            if batch is None:
                break
            empty = False
            with reading(path, expected=expected):
                columns = {name: batch.column(name).to_pandas() for name in wanted}
            yield columns
        if empty:
            yield {name: pd.Series([], dtype=object if name in texts else np.float64) for name in wanted}


def _csv(
    path: Path, names: Sequence[str], optional: set[str], texts: Sequence[str], expected: str
) -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    most = _FREE_BYTES + _MOST_RATIO * path.stat().st_size
    there, separator = header_of(path, expected=expected, quoted=True)
    wanted = _wanted(path, names, there, optional, expected)
    held: list[Any] = []

    def piece() -> dict[str, Any]:
        columns = {name: pa.chunked_array([one.column(name) for one in held], pa.string()) for name in wanted}
        return {name: _column(column, name in texts).rename(index=name) for name, column in columns.items()}

    n_pieces = 0
    for batch in texts_of(path, there, wanted, separator, expected=expected, most_bytes=most):
        held.append(batch)
        if sum(len(one) for one in held) >= _PIECE:
            yield piece()
            held, n_pieces = [], n_pieces + 1
    if held or not n_pieces:
        yield piece()


def _column(column: Any, is_text: bool) -> pd.Series:
    """Return a column of texts of Arrow as pandas has it: categories, or numbers where all are."""
    import pyarrow as pa
    import pyarrow.compute

    if is_text:
        return column.dictionary_encode().unify_dictionaries().to_pandas()
    compute: Any = pyarrow.compute  # it makes its functions as it is imported: a checker of types knows none
    gaps = compute.is_in(column, value_set=pa.array(_GAPS))
    try:
        return compute.if_else(gaps, pa.scalar(None, pa.string()), column).cast(pa.float64()).to_pandas()
    except pa.ArrowInvalid:  # blanks, truths or words among them: pandas tells which
        words = column.to_pandas()
        words = words.mask(words.str.strip().str.lower().isin(WORDS))
        return words.map(lambda word: _TRUTHS.get(word, word))


def _as_text(column: pd.Series, path: Path) -> pd.Series:
    """Return a column of texts, bytes or whole numbers as categories of texts."""
    name = column.name
    if not isinstance(column.dtype, pd.CategoricalDtype):
        with reading(path, part=f"the column '{name}'", expected="texts or whole numbers"):
            column = column.astype("category")
    levels = column.cat.categories
    with reading(path, part=f"the column '{name}'", expected="texts or whole numbers"):
        plain = pd.api.types.infer_dtype(levels) == "string"
        words = levels.tolist() if plain else [_word(level) for level in levels]
        is_float = levels.dtype.kind == "f" and not all(float(level).is_integer() for level in levels)
    if bool(column.isna().any()) or "" in words or is_float:
        what = "numbers that are not whole" if is_float else "gaps"
        raise DataError(
            f"the column '{name}' has {what}", where=path, expected="a text in every row", remedy=AGAIN
        )
    if len(set(words)) == len(words):
        return column.cat.rename_categories(words)
    return column.map(dict(zip(levels, words, strict=True))).astype("category")


def _word(level: Any) -> str:
    if isinstance(level, float) and level.is_integer():  # whole numbers that met a gap somewhere
        return str(int(level))
    return level.decode("utf-8") if isinstance(level, bytes) else str(level)


def _as_number(column: pd.Series, path: Path) -> pd.Series:
    with reading(path, part=f"the column '{column.name}'", expected="numbers", remedy="mend it"):
        return pd.Series(pd.to_numeric(column), dtype=np.float64)

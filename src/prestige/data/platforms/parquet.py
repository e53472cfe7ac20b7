"""Columns of a parquet file; what it declares is held against its bytes before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prestige.errors import AGAIN, DataError, reading

_MAGIC = b"PAR1"
_FREE_ROWS, _ROWS_A_BYTE = 1 << 20, 8  # rows of one value take a byte for some
_FREE_BYTES, _MOST_RATIO = 1 << 28, 100


def is_parquet(path: Path, *, expected: str) -> bool:
    """Return whether a file says of itself that it is one of parquet.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    with reading(path, expected=expected), path.open("rb") as file:
        return file.read(4) == _MAGIC


@contextmanager
def opened_parquet(
    path: Path, choose: Callable[[list[str]], Sequence[str]], *, expected: str
) -> Iterator[tuple[Any, list[str]]]:
    """Give an open file and the names of its columns that are wanted.

    A text that many rows share is stored once: such columns stay dictionaries.

    Parameters
    ----------
    choose
        Takes the names of all columns, returns those that are read.
    expected
        What the file should be, for messages.

    Raises
    ------
    DataError
        When it is damaged, or declares more than its bytes can hold.
    """
    import pyarrow.parquet as pq

    with reading(path, expected=expected), pq.ParquetFile(path) as file:
        schema, metadata = file.schema_arrow, file.metadata
        kinds = {str(name): kind for name, kind in zip(schema.names, schema.types, strict=True)}
        names = [str(name) for name in schema.names]
    wanted = list(choose(names))
    check_size(metadata, wanted, path, expected=expected)
    texts = [name for name in wanted if is_text(kinds[name])]
    with reading(path, expected=expected):
        file = pq.ParquetFile(path, read_dictionary=texts)
    with file:
        yield file, wanted


def check_size(metadata: Any, wanted: Sequence[str], path: Path, *, expected: str) -> None:
    """Refuse a file of parquet that declares more than it can hold.

    Parameters
    ----------
    metadata
        What it declares, as pyarrow returns it.
    wanted
        The columns that are read.

    Raises
    ------
    DataError
        When it declares more rows, or more bytes in these columns, than its own bytes may stand for.
    """
    stored, chosen = path.stat().st_size, set(wanted)
    with reading(path, expected=expected):
        n_rows = metadata.num_rows
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        columns = (group.column(place) for group in groups for place in range(metadata.num_columns))
        declared = sum(
            one.total_uncompressed_size
            for one in columns
            if one.path_in_schema.partition(".")[0] in chosen or one.path_in_schema in chosen
        )
    words = None
    if not 0 <= n_rows <= _FREE_ROWS + _ROWS_A_BYTE * stored:
        words = f"declares {n_rows:,} rows, more than its bytes can hold"
    elif not 0 <= declared <= _FREE_BYTES + _MOST_RATIO * stored:
        words = f"declares {n_rows:,} rows of {declared:,} bytes, of which {stored:,} are stored"
    if words is not None:
        raise DataError(words, where=path, expected=expected, remedy=AGAIN)


def is_text(kind: Any) -> bool:
    """Return whether a type of Arrow is one of texts or bytes."""
    import pyarrow.types as types

    return any(
        of_kind(kind)
        for of_kind in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    )

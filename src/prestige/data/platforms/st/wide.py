"""A matrix of counts as text: names in the first line and the first column, whole numbers between."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, vstack

from prestige.data.platforms.flat import header_of
from prestige.data.platforms.packed import opened_text
from prestige.data.tables import canonical
from prestige.errors import AGAIN, DataError, reading

EXPECTED = "a matrix of counts as text, spots x genes"
MOST_BYTES = 1 << 30
"""2,000 spots of 30,000 genes take 120 million."""

_PIECE = 1 << 24  # numbers


@dataclass(frozen=True, eq=False)
class Matrix:
    """Counts with the names of their rows and columns."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: csr_matrix

    @property
    def turned(self) -> Matrix:
        """The same with rows and columns exchanged."""
        return Matrix(self.columns, self.rows, csr_matrix(self.counts.T))


def read_wide(path: Path) -> Matrix:
    """Read a matrix of counts, some rows at a time.

    Raises
    ------
    DataError
        When it is missing, damaged, or holds anything but numbers beside its names.
    """
    names, separator = header_of(path, expected=EXPECTED)
    if names[0]:  # the corner of R is left out, that of others may say what the rows are
        names = ["", *names[1:]]
    if len(names) < 2:
        raise DataError("has one column", where=path, expected=EXPECTED, remedy="name the matrix of counts")
    rows: list[str] = []
    parts: list[csr_matrix] = []
    with opened_text(path, expected=EXPECTED, most_bytes=MOST_BYTES) as stream:
        with reading(path, expected=EXPECTED):
            pieces: Any = pd.read_csv(
                stream,
                sep=separator,
                skiprows=1,
                header=None,
                dtype={0: str},
                keep_default_na=False,
                encoding="utf-8-sig",
                chunksize=max(1, _PIECE // len(names)),
                low_memory=False,
            )
        while True:
            with reading(path, expected=EXPECTED):
                piece = next(pieces, None)
            if piece is None:
                break
            rows += piece[0].astype(str).str.strip().tolist()
            parts.append(_numbers(piece, names, path))
    if not rows:
        raise DataError("has no rows", where=path, expected=EXPECTED, remedy=AGAIN)
    counts = canonical(vstack(parts, format="csr"), where=str(path))
    return Matrix(tuple(rows), tuple(names[1:]), counts)


def _numbers(piece: pd.DataFrame, names: list[str], path: Path) -> csr_matrix:
    """Return the numbers of some lines.

    Raises
    ------
    DataError
        When there are more or fewer than names, or they are none.
    """
    if piece.shape[1] != len(names):
        raise DataError(
            f"has {piece.shape[1]:,} fields a line and {len(names):,} in the first",
            where=path,
            expected=EXPECTED,
            remedy=AGAIN,
        )
    kinds = [of.kind for of in piece.dtypes]
    texts = [column for column in range(1, len(kinds)) if kinds[column] not in "iuf"]
    if texts:
        column = texts[0]
        wrong = pd.to_numeric(piece[column], errors="coerce").isna()
        row = int(np.argmax(wrong))
        raise DataError(
            f"'{names[column]}' of '{piece[0].iloc[row]}' is '{piece[column].iloc[row]}'",
            where=path,
            expected="a count in every field",
            remedy="mend it, or take the row off the table",
        )
    return csr_matrix(piece.iloc[:, 1:].to_numpy(dtype=np.float32))

"""Where spots and bins lie: ``tissue_positions`` of all versions, with or without header, csv or parquet."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from prestige.data.columns.measured import yes_or_no
from prestige.data.platforms.packed import text_of
from prestige.data.platforms.parquet import is_parquet, opened_parquet
from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import plain_file
from prestige.text import some

EXPECTED = "positions of Space Ranger: barcode, in_tissue, array_row, array_col, pixel row, pixel column"

_COLUMNS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
_OTHER_NAMES = {  # as Seurat and others write them again
    "": "barcode", "barcodes": "barcode", "tissue": "in_tissue", "row": "array_row", "col": "array_col",
    "imagerow": "pxl_row_in_fullres", "imagecol": "pxl_col_in_fullres",
}  # fmt: skip
_WHOLE = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, eq=False)
class Positions:
    """All spots or bins of an array, in tissue or not.

    Attributes
    ----------
    barcodes
        (m,) names, unique; None where they were not read.
    in_tissue
        (m,) whether each lies on tissue.
    array
        (m, 2) row and column in the array.
    xy_px
        (m, 2) x and y of the centre in pixels of the full-resolution image; may lie outside of it.
    """

    barcodes: pd.Index | None
    in_tissue: Bool[np.ndarray, " m"]
    array: Int[np.ndarray, "m 2"]
    xy_px: Float[np.ndarray, "m 2"]

    @property
    def tissue(self) -> tuple[pd.Index, Float[np.ndarray, "n 2"]]:
        """Names and places of those in tissue."""
        names = pd.RangeIndex(len(self.in_tissue)) if self.barcodes is None else self.barcodes
        return names[self.in_tissue], self.xy_px[self.in_tissue]


def read_positions(path: Path, *, barcodes: bool = True) -> Positions:
    """Read the positions of an array.

    Parameters
    ----------
    path
        csv, packed by gzip or not, with a header or, as Space Ranger 1 writes it, without; or parquet.
    barcodes
        Whether the names are read: those of Visium HD follow from row and column.

    Raises
    ------
    DataError
        When it is damaged, lacks a column, holds what is no number, or a barcode twice.
    """
    plain_file(path, expected=EXPECTED)
    frame = _parquet(path, barcodes) if is_parquet(path, expected=EXPECTED) else _text(path)
    if not len(frame):
        raise DataError("holds no positions", where=path, expected=EXPECTED, remedy=AGAIN)
    ids = None
    if barcodes:
        ids = pd.Index(frame["barcode"].astype(str))
        if not ids.is_unique:
            raise DataError(
                f"holds barcodes twice: {some(ids[ids.duplicated()])}",
                where=path,
                expected="every barcode once",
            )
        frame = frame.set_axis(ids)
    inside = yes_or_no(pd.Series(frame["in_tissue"]), where=str(path), column="in_tissue")
    numbers = np.column_stack([_numbers(frame, name, path) for name in _COLUMNS[2:]])
    array = numbers[:, :2]
    if (array != np.rint(array)).any():
        raise DataError(
            "holds rows or columns of the array that are not whole", where=path, expected=EXPECTED
        )
    return Positions(ids, inside, array.astype(np.int64), np.ascontiguousarray(numbers[:, [3, 2]]))


def check_agreement(positions: Positions, path: Path, others: Sequence[Path]) -> None:
    """Refuse files of places in one folder that say other things: which is right, no file tells.

    Raises
    ------
    DataError
        For the first of ``others`` that differs, or cannot be read.
    """
    own = _by_name(positions)
    for other in others:
        there = _by_name(read_positions(other))
        if not own.index.equals(there.index) or not np.allclose(own, there, atol=1e-6):
            raise DataError(
                f"disagrees with '{other.name}' in the same folder",
                where=path,
                expected="one file of places, or the same places in all",
                remedy="remove what is not of this export",
            )


def _by_name(positions: Positions) -> pd.DataFrame:
    frame = pd.DataFrame(positions.xy_px, index=positions.barcodes)
    return frame.assign(tissue=positions.in_tissue.astype(float)).sort_index()


def _numbers(frame: pd.DataFrame, name: str, path: Path) -> Float[np.ndarray, " m"]:
    column = frame[name]
    column = column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
    numbers = np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64)
    wrong = ~(np.abs(numbers) < 1e9)
    if wrong.any():
        raise DataError(
            f"the column '{name}' holds '{column.iloc[int(np.argmax(wrong))]}' in {some(frame.index[wrong])}",
            where=path,
            expected="a number in every row",
            remedy="mend it, or take these rows off",
        )
    return numbers


def _text(path: Path) -> pd.DataFrame:
    text = text_of(path, expected=EXPECTED)
    with reading(path, expected=EXPECTED):
        separator = max("\t,;", key=text.partition("\n")[0].count)
        rows = [row for row in csv.reader(text.splitlines(), delimiter=separator) if row]
    head = [name.strip() for name in rows[0]] if rows else []
    has_head = bool(head) and not all(_WHOLE.fullmatch(word) for word in head[1:4])
    body = rows[1:] if has_head else rows
    names: list[str] = (
        [_OTHER_NAMES.get(name.lower(), name.lower()) for name in head] if has_head else list(_COLUMNS)
    )
    if "" in head and names.count("barcode") > 1:  # numbers of rows, as pandas writes them by default
        names[head.index("")] = ""
    _check_columns(names, path, shown=head)
    short = [number for number, row in enumerate(body, start=1 + has_head) if len(row) != len(names)]
    if short:
        raise DataError(
            f"has another number of fields than {len(names)} in the lines {some(short)}",
            where=path,
            expected=EXPECTED,
            remedy=AGAIN,
        )
    columns = list(zip(*body, strict=True)) or [()] * len(names)
    frame = pd.DataFrame({name: list(columns[names.index(name)]) for name in _COLUMNS}, dtype=object)
    return frame.apply(lambda column: column.str.strip()) if len(frame) else frame


def _parquet(path: Path, barcodes: bool) -> pd.DataFrame:
    def choose(there: list[str]) -> Sequence[str]:
        _check_columns(there, path)
        return _COLUMNS if barcodes else _COLUMNS[1:]

    with opened_parquet(path, choose, expected=EXPECTED) as (file, wanted), reading(path, expected=EXPECTED):
        table = file.read(columns=wanted, use_threads=False)
        return pd.DataFrame({name: table.column(name).to_pandas() for name in wanted})


def _check_columns(there: Sequence[str], path: Path, shown: Sequence[str] | None = None) -> None:
    if missing := [name for name in _COLUMNS if name not in there]:
        raise DataError(
            f"has no column {' and no column '.join(missing)}, only {', '.join((shown or there)[:8])}",
            where=path,
            expected=EXPECTED,
        )

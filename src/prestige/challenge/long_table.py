"""The long table of a submission, a row for each cell and gene: written and read a block at a time.

Two forms, by the file's ending: parquet, and csv as the challenge's own documents describe it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from prestige.challenge.rules import COLUMNS, DECIMALS
from prestige.compute.files import whole_file
from prestige.errors import ConfigError, DataError, raise_all, reading, storing
from prestige.inputs import plain_file
from prestige.text import some

if TYPE_CHECKING:
    import pyarrow as pa

_ENDINGS = (".parquet", ".csv")
_EXPECTED = f"a submission: columns {', '.join(COLUMNS)} in parquet or csv"
_ROWS = 1 << 20  # of a block that is read


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of a submission.

    Attributes
    ----------
    cell_id
        (n,) ids of cells.
    gene, sample
        (n,) names as categories.
    prediction
        (n,) expression.
    """

    cell_id: Int[np.ndarray, " n"]
    gene: pd.Categorical
    prediction: Float[np.ndarray, " n"]
    sample: pd.Categorical


def checked_name(path: Path) -> Path:
    """Return the path of a submission.

    Raises
    ------
    ConfigError
        When its ending is none of the two.
    """
    if path.suffix not in _ENDINGS:
        raise ConfigError(
            f"ends with '{path.suffix}'" if path.suffix else "has no ending",
            where=path,
            expected=" or ".join(_ENDINGS),
            remedy=f"name it {path.with_suffix(_ENDINGS[0]).name}",
        )
    return path


def submission_file(path: Path) -> Path:
    """Return the path of a submission that is there.

    Raises
    ------
    PrestigeError
        When there is no such file, or its ending is none of the two.
    """
    plain_file(path, expected=_EXPECTED)
    if path.suffix not in _ENDINGS:
        raise DataError(
            f"ends with '{path.suffix}'" if path.suffix else "has no ending",
            where=path,
            expected=f"a submission, {' or '.join(_ENDINGS)}",
            remedy="give what `prestige challenge submit` wrote, or save the table as one of the two",
        )
    return path


def rounded(expression: Float[np.ndarray, "n g"]) -> Float[np.ndarray, "n g"]:
    """Return expression as a submission holds it: 2 decimals, never below 0.

    >>> rounded(np.array([[0.125, -0.001, 1.239]]))
    array([[0.12, 0.  , 1.24]])
    """
    return np.maximum(np.round(expression.astype(np.float64), DECIMALS), 0.0) + 0.0


@contextmanager
def long_table(path: Path, genes: Sequence[str]) -> Iterator[Any]:
    """Give what writes blocks of a submission; the file has its name when all are there.

    It is called with a sample's name, (n,) ids of cells and their (n, g) expression.

    Raises
    ------
    StorageError
        When it cannot be written, or is there already.
    """
    import pyarrow as pa

    types = {"cell_id": pa.int64(), "gene": pa.string(), "prediction": pa.float64(), "sample": pa.string()}
    schema = pa.schema([(name, types[name]) for name in COLUMNS])
    names = pa.array(genes, pa.string())

    with whole_file(path, keep=True) as partial, ExitStack() as stack:
        writer = stack.enter_context(_writer(partial, path.suffix, schema))

        def write(sample: str, cell_id: Int[np.ndarray, " n"], expression: Float[np.ndarray, "n g"]) -> None:
            of_gene = pa.DictionaryArray.from_arrays(
                np.tile(np.arange(len(genes), dtype=np.int32), len(cell_id)), names
            )
            columns = {
                "cell_id": pa.array(np.repeat(cell_id.astype(np.int64), len(genes))),
                "gene": of_gene.dictionary_decode(),
                "prediction": pa.array(rounded(expression).ravel()),
                "sample": pa.array([sample]).take(pa.array(np.zeros(expression.size, dtype=np.int8))),
            }
            with storing(path):
                writer.write_table(pa.table(columns, schema=schema))

        yield write


def _writer(partial: Path, ending: str, schema: pa.Schema) -> Any:
    import pyarrow.csv
    import pyarrow.parquet

    if ending == ".csv":
        options = pyarrow.csv.WriteOptions(quoting_style="needed")
        return pyarrow.csv.CSVWriter(str(partial), schema, write_options=options)
    return pyarrow.parquet.ParquetWriter(str(partial), schema, compression="zstd")


def blocks(path: Path) -> Iterator[Block]:
    """Read a submission a block of rows at a time, in the order of the file.

    Raises
    ------
    DataError
        When it cannot be read, a column is missing or too much, or holds what it may not: ids that are no
        whole numbers, predictions that are no numbers, NaN or below 0.
    """
    submission_file(path)
    batches = _batches(path)
    while True:
        with reading(path, expected=_EXPECTED):
            batch = next(batches, None)
        if batch is None:
            return
        _check_columns(batch.schema.names, path)
        raise_all(_faults_of_kind(batch, path))
        with reading(path, expected=_EXPECTED):
            block = Block(
                batch.column("cell_id").to_numpy(zero_copy_only=False).astype(np.int64),
                pd.Categorical(batch.column("gene").dictionary_encode().to_pandas()),
                batch.column("prediction").to_numpy(zero_copy_only=False).astype(np.float64),
                pd.Categorical(batch.column("sample").dictionary_encode().to_pandas()),
            )
        if not np.isfinite(block.prediction).all():
            raise DataError("predictions are NaN or infinite", where=path, expected="finite numbers")
        if (block.prediction < 0).any():
            raise DataError(
                f"a prediction is {block.prediction.min():g}",
                where=path,
                expected="0 or more: log1p of counts scaled to 100",
            )
        yield block


def _batches(path: Path) -> Iterator[Any]:
    import pyarrow.csv
    import pyarrow.parquet

    if path.suffix == ".parquet":
        with pyarrow.parquet.ParquetFile(path) as file:
            _check_columns(file.schema_arrow.names, path)
            yield from file.iter_batches(batch_size=_ROWS)
        return
    options = pyarrow.csv.ReadOptions(block_size=1 << 24)
    with pyarrow.csv.open_csv(path, read_options=options) as reader:
        yield from reader


def _check_columns(names: Sequence[str], path: Path) -> None:
    missing = [name for name in COLUMNS if name not in names]
    further = [name for name in names if name not in COLUMNS]
    faults = [f"lacks the column '{name}'" for name in missing]
    faults += [f"has a column too many: '{name}'" for name in further]
    raise_all([DataError(words, where=path, expected=_EXPECTED) for words in faults])


def _faults_of_kind(batch: Any, path: Path) -> list[DataError]:
    """Say which columns are of another kind than they should be, or have gaps."""
    import pyarrow as pa

    kinds = {
        "cell_id": ("whole numbers", pa.types.is_integer),
        "prediction": ("numbers", lambda one: pa.types.is_floating(one) or pa.types.is_integer(one)),
    }
    faults = []
    for name in COLUMNS:
        column = batch.column(name)
        words, is_kind = kinds.get(name, ("names", lambda one: True))
        if column.null_count:
            faults.append(DataError(f"'{name}' has gaps", where=path, expected=f"{words} in every row"))
        elif not is_kind(column.type):
            faults.append(DataError(f"'{name}' holds {column.type}", where=path, expected=words))
    return faults


class Cells:
    """The cells and genes that a submission has to predict of one sample, and which of them were seen.

    Parameters
    ----------
    sample
        Its name.
    cell_id
        (n,) ids, each once.
    genes
        The g genes.
    """

    def __init__(self, sample: str, cell_id: Int[np.ndarray, " n"], genes: Sequence[str]) -> None:
        self.sample = sample
        self.cells, self.genes = pd.Index(cell_id), pd.Index(genes)
        self.prediction = np.full((len(self.cells), len(self.genes)), np.nan)
        self.n_rows = 0

    def add(self, block: Block, rows: Int[np.ndarray, " m"]) -> int:
        """Take the rows of this sample into the array; return how many are of other cells or genes."""
        of_genes = self.genes.get_indexer(pd.Index(block.gene.categories))
        column = of_genes[block.gene.codes[rows]]
        row = self.cells.get_indexer(pd.Index(block.cell_id[rows]))
        known = (row >= 0) & (column >= 0)
        flat = row[known] * len(self.genes) + column[known]
        self.prediction.reshape(-1)[flat] = block.prediction[rows][known]
        self.n_rows += len(flat)
        return int((~known).sum())

    def fault(self, path: Path) -> DataError | None:
        """Say what was not predicted, or more than once, if anything."""
        gaps = np.isnan(self.prediction)
        expected = f"{len(self.cells):,} cells x {len(self.genes)} genes, every pair once"
        if self.n_rows > gaps.size - gaps.sum():
            twice = self.n_rows - int(gaps.size - gaps.sum())
            return DataError(
                f"sample '{self.sample}': {twice:,} pairs stand twice", where=path, expected=expected
            )
        if not gaps.any():
            return None
        genes, cells = np.flatnonzero(gaps.all(axis=0)), np.flatnonzero(gaps.all(axis=1))
        if len(cells) == len(self.cells):
            what = "is not predicted"
        elif len(genes):
            what = f"genes without a prediction: {some(self.genes[genes])}"
        elif len(cells):
            what = f"cells without a prediction: {some(self.cells[cells])}"
        else:
            what = f"{int(gaps.sum()):,} of {gaps.size:,} pairs of cell and gene are missing"
        return DataError(f"sample '{self.sample}': {what}", where=path, expected=expected)


def collect(path: Path, wanted: Sequence[Cells]) -> dict[str, int]:
    """Read a submission into the arrays of the samples that are asked for, in one pass.

    Returns
    -------
    Rows of other samples, cells or genes, by sample.

    Raises
    ------
    DataError
        When it breaks a rule of :func:`blocks`, names a pair twice, or lacks one that is wanted.
    """
    of_name = {one.sample: one for one in wanted}
    beside: dict[str, int] = {}
    for block in blocks(path):
        for code, name in enumerate(block.sample.categories):
            rows = np.flatnonzero(block.sample.codes == code)
            others = of_name[name].add(block, rows) if name in of_name else len(rows)
            if others:
                beside[str(name)] = beside.get(str(name), 0) + others
    raise_all([fault for one in wanted if (fault := one.fault(path)) is not None])
    return beside

"""A matrix of counts in a file: names and features are known at once, counts are read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int
from scipy.sparse import csr_matrix

from prestige.data.columns.genes import SYMBOLS, Genes, genes_of
from prestige.data.tables import canonical
from prestige.errors import DataError, reading

EXPECTED = "a matrix of counts of 10x Genomics"
GENE_TYPE = "Gene Expression"
ABOUT = {"software_version": "software", "chemistry_description": "chemistry", "library_ids": "library"}
"""What files say of their making -> what it is called here."""

_TYPES = "feature_types"


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix of n observations x f features, G of which are genes.

    Attributes
    ----------
    path
        The file or folder.
    barcodes
        (n,) names of the observations, as they are written: bytes or texts.
    features
        (f rows) by id (Ensembl id, mostly): ``gene_symbols``, and ``feature_types`` where it is said.
    genes
        The G genes by their symbols, and notes on features that are none.
    about
        What the file says of its making: "software", "chemistry", "library".
    stored
        How many counts it says it has, of all features; None where that is not known beforehand.
    """

    path: Path
    barcodes: np.ndarray
    features: pd.DataFrame
    genes: Genes
    about: Mapping[str, str]
    read: Callable[[Wanted], csr_matrix] = field(repr=False)
    stored: int | None = None

    @cached_property
    def ids(self) -> pd.Index:
        """(n,) names of the observations as texts.

        Raises
        ------
        DataError
            When they are no texts in UTF-8.
        """
        if self.barcodes.dtype.kind != "S":
            return pd.Index(self.barcodes.tolist(), dtype=object)
        with reading(self.path, part="the barcodes", expected="texts in UTF-8"):
            return pd.Index(np.char.decode(self.barcodes, "utf-8").tolist(), dtype=object)

    def counts(self, rows: Bool[np.ndarray, " n"] | None = None) -> csr_matrix:
        """Return the counts of genes, (n, G) float32, of the rows that are wanted (all by default).

        Raises
        ------
        DataError
            When the file is damaged or its parts contradict each other.
        """
        wanted = np.ones(len(self.barcodes), dtype=bool) if rows is None else rows
        return canonical(self.read(Wanted(wanted, self.genes.kept, len(self.features))), where=str(self.path))


@dataclass(frozen=True, eq=False)
class Wanted:
    """Which rows, and which of the features, are wanted."""

    rows: Bool[np.ndarray, " n"]
    kept: Bool[np.ndarray, " f"] | None
    n_features: int

    @property
    def n_genes(self) -> int:
        """Number of features that are genes."""
        return self.n_features if self.kept is None else int(self.kept.sum())

    def of(
        self, features: Int[np.ndarray, " k"]
    ) -> tuple[Int[np.ndarray, " k"], Bool[np.ndarray, " k"] | None]:
        """Return the columns of some features that are there, and which of them are genes; None for all."""
        if self.kept is None:
            return features, None
        if self.kept[: self.n_genes].all():  # as 10x writes them: genes first
            return features, features < self.n_genes
        places = np.where(self.kept, np.cumsum(self.kept) - 1, -1).astype(np.int32)
        columns = places[features]
        return columns, columns >= 0


def matrix_named(
    path: Path,
    ids: Sequence[str] | np.ndarray,
    columns: tuple[list[str], list[str], list[str] | None],
    about: Mapping[str, str],
    read: Callable[[Wanted], csr_matrix],
    *,
    stored: int | None = None,
) -> Matrix:
    """Return a matrix by its names.

    Parameters
    ----------
    path, about, read, stored
        As of the matrix; ``read`` takes what is wanted of it.
    ids
        Of the observations.
    columns
        Ids, symbols and types (None where nothing says them) of the features.

    Raises
    ------
    DataError
        When types are said and none is ``Gene Expression``.
    """
    feature_ids, symbols, types = columns
    features = pd.DataFrame({SYMBOLS: symbols}, index=pd.Index(feature_ids, dtype=object))
    if types is not None:
        features[_TYPES] = types
        if GENE_TYPE not in types:
            there = ", ".join(sorted({f"'{one}'" for one in types})[:4]) or "none"
            raise DataError(
                f"has no features of the type '{GENE_TYPE}' (but {there})",
                where=path,
                expected=EXPECTED,
                remedy="name the matrix that holds the genes",
            )
    barcodes = ids if isinstance(ids, np.ndarray) else np.array(ids, dtype=object)
    return Matrix(path, barcodes, features, genes_of(features), about, read, stored)

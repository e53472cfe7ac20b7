"""Genes called by Ensembl ids -> their symbols, by a table that has both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from prestige.data.columns.gaps import is_gap
from prestige.data.columns.genes import SYMBOLS
from prestige.data.columns.mismatch import both_sides, ensembl_kind
from prestige.data.platforms.flat import read_flat
from prestige.errors import DataError
from prestige.text import some

EXPECTED = "a table of Ensembl ids and symbols, with a header (gene_id, gene_name)"

_SYMBOL_COLUMNS = ("gene_name", "gene_symbol", "symbol", "gene_symbols", "external_gene_name", "name", "gene")


def with_symbols(genes: Sequence[str], table: Path | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return genes as the rows of a ``var``, with a column of symbols where a table states them, and notes.

    An id is looked for as it stands, else without its version.

    Parameters
    ----------
    genes
        What the columns of counts are called.
    table
        Where symbols stand; None where names are taken as they are.

    Raises
    ------
    DataError
        When the table is none, or has none of the genes.
    """
    var = pd.DataFrame(index=pd.Index(list(genes), dtype=object))
    if table is None:
        ids = _n_ids(genes)
        note = (
            "most genes are called by Ensembl ids, and gene sets by symbols (symbols: names a table of both)"
        )
        return var, (note,) if ids * 2 > len(genes) else ()
    known = _read(table)
    bare = {name.partition(".")[0]: symbol for name, symbol in known.items()}
    found = [known.get(gene) or bare.get(gene.partition(".")[0]) for gene in genes]
    if not any(found):
        raise DataError(
            f"has none of the genes of the counts: {some(genes)}",
            where=table,
            expected=EXPECTED,
            remedy=both_sides(list(genes), known, "name that of the same species"),
        )
    return var.assign(**{SYMBOLS: pd.Series(found, index=var.index, dtype=object)}), ()


def _n_ids(names: Sequence[str]) -> int:
    """Return how many names are ids of genes in Ensembl."""
    return sum(ensembl_kind(name) == "G" for name in names)


def _read(path: Path) -> dict[str, str]:
    """Return symbol by id."""
    table = read_flat(path, expected=EXPECTED)
    ids = [
        name
        for name in table.columns
        if (first := [str(one) for one in table[name].head(200) if one]) and _n_ids(first) * 2 > len(first)
    ]
    symbols = [name for name in _SYMBOL_COLUMNS if name in {str(one).lower() for one in table.columns}]
    by_lower = {str(name).lower(): name for name in table.columns}
    others = [name for name in table.columns if name not in ids]
    if not ids or not (symbols or len(others) == 1):
        raise DataError(
            "has no column of "
            + ("Ensembl ids" if not ids else "symbols")
            + ", only "
            + ", ".join(f"'{name}'" for name in list(table.columns)[:6]),
            where=path,
            expected=EXPECTED,
            remedy="name the columns gene_id and gene_name",
        )
    symbol = by_lower[symbols[0]] if symbols else others[0]
    pairs = zip(table[ids[0]].astype(str).str.strip(), table[symbol].astype(str).str.strip(), strict=True)
    return {gene: name for gene, name in pairs if gene and not is_gap(name)}

"""Genes: their symbols, gaps among them, and features that are no genes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.data.columns.genes import genes_of, is_control, nameless


def var(*index: str, **columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns, index=pd.Index(index))


def test_symbols_where_there_are_any_else_names() -> None:
    assert genes_of(var("E1", "E2", gene_symbols=["A", "B"])).names == ("A", "B")
    found = genes_of(var("A", "B"))
    assert (found.names, found.kept, found.notes) == (("A", "B"), None, ())


@pytest.mark.parametrize("gap", [None, np.nan, "", " ", "nan", pd.NA])
def test_a_gene_without_a_symbol_keeps_its_row_name(gap: object) -> None:
    found = genes_of(var("ENSG1", "ENSG2", gene_symbols=["A", gap]))
    assert found.names == ("A", "ENSG2")
    assert found.notes == (
        "genes without a symbol in var['gene_symbols'] are called by their row names: 1 (ENSG2)",
    )
    assert nameless(("A", "nan", "")) == [1, 2]


def test_genes_that_share_a_symbol_are_called_by_their_row_names() -> None:
    found = genes_of(var("ENSG1", "ENSG2", "ENSG3", gene_symbols=["TBCE", "CD3E", "TBCE"]))
    assert found.names == ("ENSG1", "CD3E", "ENSG3")
    assert found.notes == (
        "genes that share a symbol are called by their row names: 2 (ENSG1, ENSG3), symbols 1 (TBCE)",
    )
    assert genes_of(var("A", "A")).names == ("A", "A")  # told with the faults of the sample
    assert genes_of(var("E1", "BLANK_1", gene_symbols=["A", "A"])).names == ("A",)


CONTROLS = (
    "NegControlProbe_00042",
    "NegControlCodeword_0500",
    "UnassignedCodeword_0001",
    "DeprecatedCodeword_0321",
    "BLANK_0006",
    "Blank-12",
    "antisense_PROKR2",
    "Intergenic_Region_3",
    "NegPrb07",
    "SystemControl12",
    "FalseCode19",
)
GENES = ("NEGR1", "BLNK", "NELFA", "ANTXR1", "UNC93B1", "DEPP1", "INTS1", "SYS1", "BLANKET", "CD3E")


def test_controls_are_known_by_name() -> None:
    assert all(map(is_control, CONTROLS))
    assert not any(map(is_control, GENES))
    found = genes_of(var(*GENES[:2], *CONTROLS, *GENES[2:]))
    assert found.names == GENES
    assert found.kept is not None
    assert found.kept.sum() == len(GENES)
    assert "11 (NegControlProbe_00042, " in found.notes[0]
    counts = csr_matrix(np.arange(21.0).reshape(1, 21))
    np.testing.assert_array_equal(found.of(counts).toarray(), [[0, 1, 13, 14, 15, 16, 17, 18, 19, 20]])


def test_controls_are_known_by_their_row_name_and_by_type() -> None:
    found = genes_of(var("BLANK_0001", "ENSG2", gene_symbols=["A", "B"]))
    assert found.names == ("B",)
    types = pd.Categorical(["Gene Expression", "Antibody Capture", None])
    assert genes_of(var("A", "CD3", "C", feature_types=types)).names == ("A", "C")
    assert genes_of(var("A", "B", feature_types=["x", "y"])).names == ("A", "B")  # tells no genes from others

"""Ensembl ids -> symbols."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.data.columns.genes import genes_of
from prestige.data.platforms.st.symbols import with_symbols
from prestige.errors import DataError

GENES = ("ENSMUSG00000000001.4", "ENSMUSG00000000002", "ENSMUSG00000000003.1", "ENSMUSG00000000009")


def table(folder: Path, text: str) -> Path:
    path = folder / "genes.tsv"
    path.write_text(text)
    return path


def test_genes_are_called_by_their_symbols(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "gene_id\tgene_type\tgene_name\n"
        "ENSMUSG00000000001.4\tx\tGnai3\nENSMUSG00000000002.7\tx\tPbsn\nENSMUSG00000000003.1\tx\tCdc45\n",
    )
    var, notes = with_symbols(GENES, path)
    assert genes_of(var).names == ("Gnai3", "Pbsn", "Cdc45", "ENSMUSG00000000009")
    assert notes == ()


def test_without_a_table_names_stay_and_ids_are_told() -> None:
    var, notes = with_symbols(GENES, None)
    assert genes_of(var).names == GENES
    assert "symbols: names a table" in notes[0]
    assert with_symbols(("A", "B", "C", "D"), None)[1] == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gene_id,gene_name\nENSG00000000003,TSPAN6\n", r"has none of the genes of the counts: 4 \(ENSMUSG"),
        ("gene_name,n\nTSPAN6,1\n", "has no column of Ensembl ids"),
        ("gene_id,a,b\nENSG00000000003,x,y\n", "has no column of symbols, only 'gene_id', 'a', 'b'"),
    ],
)
def test_what_is_no_such_table_is_a_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        with_symbols(GENES, table(tmp_path, text))

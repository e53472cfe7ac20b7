"""Symbols of a set found in a panel: exactly, by case, by another name; and which sets can be scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.errors import DataError
from prestige.genesets import GeneSet, PanelNames, aliases, match, read_gmt, score_sets
from prestige.genesets.match import names_of

# Few letters in both cases, and names that mean one gene, so that all the ways of matching occur.
SYMBOL = st.one_of(
    st.text("aAbB", min_size=1, max_size=2),
    st.sampled_from(["MS4A1", "Ms4a1", "CD20", "cd20", "PTPRC", "CD45", "CXCL8", "IL8", "CD3E", "Cd3e"]),
)
SYMBOLS = st.lists(SYMBOL, max_size=8)


def test_case_joins_mouse_and_human() -> None:
    found = match(["CD3E", "Krt20", "Gapdh"], ["Cd3e", "KRT20", "ACTB"])
    assert found.found == {"CD3E": "Cd3e", "Krt20": "KRT20"}
    assert found.missing == ("Gapdh",)
    assert found.repeated == {}


def test_other_names_hold_both_ways() -> None:
    assert match(["CD20", "CD45"], ["MS4A1", "PTPRC"]).found == {"CD20": "MS4A1", "CD45": "PTPRC"}
    assert match(["IRAG2", "NHERF2"], ["LRMP", "SLC9A3R2"]).found == {"IRAG2": "LRMP", "NHERF2": "SLC9A3R2"}
    assert match(["MCP1", "scya2"], ["MCP-1"]).found == {"MCP1": "MCP-1"}  # both are CCL2
    assert match(["Cd45"], ["Ptprc"]).found == {"Cd45": "Ptprc"}  # by case and by name at once


def test_a_nearer_match_comes_first_whatever_the_order() -> None:
    # CD20 stands before MS4A1, but MS4A1 is the panel's own symbol.
    both = match(["CD20", "MS4A1"], ["MS4A1"])
    assert both.found == {"MS4A1": "MS4A1"}
    assert both.repeated == {"CD20": "MS4A1"}
    assert both.missing == ()
    # The panel has both symbols: each is matched to itself.
    assert match(["CD20", "MS4A1"], ["MS4A1", "CD20"]).found == {"CD20": "CD20", "MS4A1": "MS4A1"}
    assert match(["cd3e", "CD3E"], ["CD3E"]).found == {"CD3E": "CD3E"}


def test_several_genes_that_fit_equally_are_no_match() -> None:
    found = match(["CD3E"], ["cd3e", "Cd3e"])
    assert found.found == {}
    assert found.missing == ("CD3E",)


def test_a_gene_wanted_twice_counts_once() -> None:
    assert match(["CD4", "CD4"], ["CD4"]) == match(["CD4"], ["CD4"])


def test_a_panel_with_a_gene_twice_is_refused() -> None:
    with pytest.raises(DataError, match="'CD4' stands in the panel twice"):
        match(["CD4"], ["CD4", "CD8A", "CD4"])


@given(SYMBOLS, st.lists(SYMBOL, max_size=8, unique=True))
def test_every_wanted_gene_has_one_fate_and_no_panel_gene_two(wanted: list[str], panel: list[str]) -> None:
    found = match(wanted, panel)
    fates = [*found.found, *found.missing, *found.repeated]
    assert sorted(fates) == sorted(set(wanted))
    assert len(set(found.found.values())) == len(found.found)
    assert set(found.found.values()) <= set(panel)
    assert set(found.repeated.values()) <= set(found.found.values())
    for name in set(wanted) & set(panel):
        assert found.found[name] == name


@given(SYMBOLS, st.lists(SYMBOL, max_size=8, unique_by=str.casefold))
def test_case_changes_no_answer(wanted: list[str], panel: list[str]) -> None:
    def reached(genes: list[str]) -> set[str]:
        return set(match(genes, panel).found.values())

    assert reached([name.upper() for name in wanted]) == reached([name.lower() for name in wanted])


@given(
    st.lists(SYMBOL, max_size=8, unique_by=str.casefold), st.lists(SYMBOL, max_size=8, unique_by=str.casefold)
)
def test_matching_holds_both_ways(one: list[str], other: list[str]) -> None:
    there, back = match(one, other).found, match(other, one).found
    assert len(there) == len(back)
    exact = set(one) & set(other)
    assert {name for name in there if there[name] == name} >= exact <= set(back)


def test_many_sets_may_share_the_lookup() -> None:
    panel = ["MS4A1", "Cd3e"]
    assert match(["CD20", "CD3E"], PanelNames(panel)) == match(["CD20", "CD3E"], panel)


def test_ambiguous_names_are_left_out() -> None:
    table = {
        "FCGR3A": ["CD16", "CD16a"],
        "FCGR3B": ["CD16", "CD16b"],
        "CCL2": ["MCP1"],
        "X": ["CCL2", "Fcgr3b"],
    }
    assert names_of(table) == {"cd16a": "fcgr3a", "cd16b": "fcgr3b", "mcp1": "ccl2"}


def test_the_shipped_names_are_sound() -> None:
    known = aliases()
    assert 200 < len(known) < 500
    assert not set(known) & set(known.values())  # no name leads to a name that leads further
    for alias, symbol in {
        "cd20": "ms4a1", "cd45": "ptprc", "cd31": "pecam1", "il8": "cxcl8", "her2": "erbb2", "ctgf": "ccn2",
        "cd163": None, "cd16": None, "pd1": None,
    }.items():  # fmt: skip
        assert known.get(alias) == symbol


def test_no_shipped_name_is_lost_as_ambiguous() -> None:
    import yaml

    import prestige.genesets

    table = yaml.safe_load((Path(prestige.genesets.__file__).parent / "aliases.yaml").read_text())
    assert all(isinstance(name, str) for symbol, names in table.items() for name in (symbol, *names))
    assert len(aliases()) == sum(len(names) for names in table.values())


def test_shipped_names_agree_with_the_open_collections(shared_data: Path) -> None:
    """The current symbols are the collections' own, and hardly any other name is a gene there."""
    folder = shared_data / "genesets"
    used = {
        gene.casefold()
        for path in sorted(folder.glob("*.gmt"))
        for one in read_gmt(path).values()
        for gene in one.genes
    }
    symbols = set(aliases().values())
    assert len(symbols & used) > 0.93 * len(symbols)
    # Reactome keeps a few old symbols; where both are there, they are one gene.
    assert len(set(aliases()) & used) < 0.06 * len(aliases())


def test_sets_are_scored_from_five_genes_up() -> None:
    panel = ["ACTB", "CD3E", "CD3D", "MS4A1", "CD79A", "CD19", "PTPRC"]
    sets = {
        "B and T": GeneSet("B and T", ("PTPRC", "CD20", "MS4A1", "CD19", "Cd3e", "CD3D", "XYZ"), "mine"),
        "B": GeneSet("B", ("CD79A", "CD19", "CD20", "PAX5"), "mine"),
    }
    found = score_sets(panel, sets)
    both = found["B and T"]
    assert both.scored
    assert both.members == ("CD3E", "CD3D", "MS4A1", "CD19", "PTPRC")
    np.testing.assert_array_equal(both.index, [1, 2, 3, 5, 6])
    assert both.match.missing == ("XYZ",)
    assert both.text == "B and T: 5 of 6 genes in the panel"  # CD20 and MS4A1 are one
    assert not found["B"].scored
    assert found["B"].text == "B: 3 of 4 genes in the panel, too small to be scored (at least 5)"
    assert score_sets(panel, sets, min_genes=3)["B"].scored
    empty = score_sets(panel, {"none": GeneSet("none", ("XYZ",), "mine")})["none"]
    assert empty.members == ()
    assert not empty.scored

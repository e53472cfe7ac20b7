"""The marker table: a source for every type, no gene under two types, and tables of the user's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import prestige.biology
from prestige.biology.genes.markers import markers, tissues
from prestige.errors import ConfigError
from prestige.genesets import score_sets

CONTENT = yaml.safe_load(
    (Path(prestige.biology.__file__).parent / "markers.yaml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("tissue", list(CONTENT["tissues"]))
def test_every_type_has_genes_of_its_own_and_a_source(tissue: str) -> None:
    types = markers(tissue)
    genes = [gene for one in types.values() for gene in one.genes]
    assert len(set(genes)) == len(genes)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9-]*", gene) for gene in genes)
    for one in types.values():
        assert len(one.genes) >= 5
        for part in one.source.split("; "):
            assert re.search(r"\(\d{4}\), .+(doi:10\.\d{4,}/\S+|ISBN [\d-]+)$", part), part


def test_every_source_is_used() -> None:
    used = {key for types in CONTENT["tissues"].values() for one in types.values() for key in one["sources"]}
    assert used == set(CONTENT["sources"])


def test_the_types_that_were_asked_for_are_there() -> None:
    assert tissues() == ("kidney", "pancreas", "colon", "breast")
    assert "NPHS2" in markers("kidney")["podocyte"].genes
    assert {"acinar", "ductal", "stroma", "endothelial", "immune", "endocrine"} == set(markers("pancreas"))


def test_every_type_can_be_scored_on_the_challenge_panel(shared_data: Path) -> None:
    panel = (shared_data / "challenge" / "gene_panel_460.txt").read_text().split()
    assert all(len(one.members) >= 2 for one in score_sets(panel, markers("colon")).values())


def test_a_table_of_the_users(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("sources: {a: A}\ntissues: {lung: {club: {genes: [SCGB1A1], sources: [a]}}}\n")
    found = markers("lung", path)
    assert found["club"].genes == ("SCGB1A1",)
    assert found["club"].source == "A"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources: {}\ntissues: {lung: {club: {genes: [A], sources: [b]}}}\n", "unknown source 'b'"),
        ("sources: {b: B}\ntissues: {lung: {club: {genes: [A, A], sources: [b]}}}\n", "names A twice"),
        ("sources: {b: B}\ntissues: {lung: {club: {gene: [A], sources: [b]}}}\n", "did you mean 'genes'"),
        ("sources: {b: B}\ntissues: {lung: {club: {genes: [], sources: [b]}}}\n", "genes"),
    ],
)
def test_a_wrong_table_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        markers("lung", path)


def test_an_unknown_tissue_is_named() -> None:
    with pytest.raises(ConfigError, match=r"unknown tissue 'kidny'.*did you mean 'kidney'"):
        markers("kidny")

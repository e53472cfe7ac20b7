"""The shipped sets: a source for every gene, the collections where they are, and what is said where not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import prestige.genesets
from prestige.errors import ConfigError, DataError
from prestige.genesets import (
    SHIPPED,
    GeneSetConfig,
    GmtFile,
    collect_sets,
    read_gmt,
    score_sets,
    shipped_sets,
)

FILE = Path(prestige.genesets.__file__).parent / "shipped.yaml"
CONTENT = yaml.safe_load(FILE.read_text(encoding="utf-8"))
PROLIFERATION = {"HALLMARK_E2F_TARGETS": "hallmark", "G1/S-Specific Transcription": "reactome"}


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRESTIGE_DATA", raising=False)


def collections(folder: Path, *, hallmark: str = "HALLMARK_E2F_TARGETS\tx\tMKI67\tNEWGENE\n") -> Path:
    (folder / "genesets").mkdir()
    (folder / "genesets" / "h.all.v7.0.symbols.gmt").write_text(hallmark)
    (folder / "genesets" / "ReactomePathways.gmt").write_text("G1/S-Specific Transcription\tx\tDHFR\tPCNA\n")
    return folder


def curated_genes(name: str) -> list[str]:
    return [gene for group in CONTENT["sets"][name]["curated"] for gene in group["genes"]]


def test_the_names_are_those_of_the_file() -> None:
    assert tuple(CONTENT["sets"]) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_every_curated_gene_stands_once_with_a_role_and_a_source(name: str) -> None:
    groups = CONTENT["sets"][name]["curated"]
    genes = curated_genes(name)
    assert len(set(genes)) == len(genes)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9-]*", gene) for gene in genes)
    for group in groups:
        text = f"{group['role']} ({'; '.join(CONTENT['sources'][key] for key in group['sources'])})"
        assert re.search(r".+ \(.+\(\d{4}\), .+(doi:10\.\d{4,}/\S+|ISBN [\d-]+)\)$", text), text


def test_every_source_is_used_and_has_a_year() -> None:
    used = {
        key for entry in CONTENT["sets"].values() for group in entry["curated"] for key in group["sources"]
    }
    assert used == set(CONTENT["sources"])
    for key, text in CONTENT["sources"].items():
        assert key[-4:] in text


@pytest.mark.usefixtures("no_data")
def test_without_the_collections_the_curated_genes_are_used_and_it_is_said() -> None:
    sets = shipped_sets()
    assert tuple(sets) == SHIPPED
    for name, one in sets.items():
        assert one.genes == tuple(curated_genes(name))
        assert one.source == f"curated list of {len(one.genes)} genes"
        assert one.notes[-1] == "curated list only"
        assert "PRESTIGE_DATA" in one.notes[0]


def test_collections_add_their_genes(tmp_path: Path) -> None:
    one = shipped_sets(collections(tmp_path), ["proliferation"])["proliferation"]
    curated = tuple(curated_genes("proliferation"))
    assert one.genes == (*curated, "NEWGENE", "DHFR")  # MKI67 and PCNA are curated already
    assert one.source == (
        f"curated list of {len(curated)} genes; Hallmark (HALLMARK_E2F_TARGETS); "
        "Reactome (G1/S-Specific Transcription)"
    )
    assert len(one.notes) == 1
    assert "GO Biological Process is left out: no file" in one.notes[0]
    assert str(tmp_path) in one.notes[0]


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTIGE_DATA", str(collections(tmp_path)))
    assert "NEWGENE" in shipped_sets(names=["proliferation"])["proliferation"].genes


def test_a_set_that_a_collection_lacks_is_named(tmp_path: Path) -> None:
    folder = collections(tmp_path, hallmark="HALLMARK_OTHER\tx\tNEWGENE\n")
    one = shipped_sets(folder, ["proliferation"])["proliferation"]
    assert "NEWGENE" not in one.genes
    assert "Hallmark has no set 'HALLMARK_E2F_TARGETS'" in one.notes


def test_a_broken_collection_is_no_missing_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"h\.all\.v7\.0\.symbols\.gmt, line 1"):
        shipped_sets(collections(tmp_path, hallmark="a line of prose\n"))


def test_a_name_that_is_not_shipped_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'immune'"):
        shipped_sets(names=["immun"])


@pytest.mark.usefixtures("no_data")
def test_the_users_files_stand_beside_the_shipped_sets(tmp_path: Path) -> None:
    path = tmp_path / "mine.gmt"
    path.write_text("podocyte\tx\tNPHS1\tNPHS2\ntubule\tx\tLRP2\tCUBN\n")
    every = collect_sets(GeneSetConfig(shipped=("immune",), files=(GmtFile(path=path),)))
    assert list(every) == ["immune", "podocyte", "tubule"]
    some = collect_sets(GeneSetConfig(shipped=(), files=(GmtFile(path=path, only=("tubule",)),)))
    assert {name: one.genes for name, one in some.items()} == {"tubule": ("LRP2", "CUBN")}


@pytest.mark.usefixtures("no_data")
def test_faults_of_the_users_files_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "mine.gmt"
    path.write_text("immune\tx\tCD4\ntubule\tx\tLRP2\n")
    config = GeneSetConfig(files=(GmtFile(path=path, only=("immune", "tubul")),))
    with pytest.raises(ConfigError, match="2 faults") as told:
        collect_sets(config)
    assert "'immune' comes from curated list" in str(told.value)
    assert "did you mean 'tubule'" in str(told.value)
    with pytest.raises(DataError, match="no such file"):
        collect_sets(GeneSetConfig(shipped=(), files=(GmtFile(path=tmp_path / "none.gmt"),)))


def test_all_names_are_in_the_real_collections(shared_data: Path) -> None:
    sets = shipped_sets(shared_data)
    assert all(one.notes == () for one in sets.values())
    for name, one in sets.items():
        assert len(curated_genes(name)) < len(one.genes) < 600
    known = {
        gene
        for path in sorted((shared_data / "genesets").glob("*.gmt"))
        for one in read_gmt(path).values()
        for gene in one.genes
    }
    curated = {gene for name in SHIPPED for gene in curated_genes(name)}
    assert len(curated & known) > 0.97 * len(curated)  # no misspelt symbol


def test_every_set_can_be_scored_on_the_real_panels(shared_data: Path) -> None:
    import anndata

    panels = {
        "colon": (shared_data / "challenge" / "gene_panel_460.txt").read_text().split(),
        "pancreas": list(anndata.read_h5ad(shared_data / "pancreas_xenium/train.h5ad", backed="r").var_names),
        "kidney": list(
            anndata.read_h5ad(shared_data / "kidney_visium_hd/st/KIDNEY_16um.h5ad", backed="r").var_names
        ),
    }
    sets = shipped_sets(shared_data)
    sizes = {
        place: [len(one.members) for one in score_sets(panel, sets).values()]
        for place, panel in panels.items()
    }
    assert sizes == {
        "colon": [133, 136, 14, 24, 18],
        "pancreas": [83, 47, 10, 36, 8],
        "kidney": [109, 110, 21, 55, 16],
    }
    for place, panel in panels.items():
        assert max(sizes[place]) < 0.3 * len(panel)  # enough is left outside to compare with

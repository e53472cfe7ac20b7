"""GMT files: what is read, and every way of being wrong with its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.errors import DataError
from prestige.genesets import GeneSet, read_gmt

WORD = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", min_size=1, max_size=8)


def written(folder: Path, content: str | bytes, name: str = "sets.gmt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_sets_keep_order_names_and_descriptions(tmp_path: Path) -> None:
    path = written(tmp_path, "T cells\thttp://x\tCD3E\tCD3D\nB cells (GO:1)\t\tMS4A1\tCD79A\tMS4A1\n")
    assert read_gmt(path) == {
        "T cells": GeneSet("T cells", ("CD3E", "CD3D"), "sets.gmt", "http://x"),
        "B cells (GO:1)": GeneSet("B cells (GO:1)", ("MS4A1", "CD79A"), "sets.gmt", ""),
    }


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_blank_lines_marks_and_weights_do_no_harm(tmp_path: Path, ending: str) -> None:
    lines = ["\ufeffA\tx\tCD3E,1.0\tCD3D,0.25\t", "", "B\ty\tNKX2-3", "\t\t"]
    found = read_gmt(written(tmp_path, ending.join(lines)))
    assert {name: one.genes for name, one in found.items()} == {"A": ("CD3E", "CD3D"), "B": ("NKX2-3",)}


@given(st.dictionaries(WORD, st.lists(WORD, min_size=1, max_size=6), min_size=1, max_size=6))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, sets: dict[str, list[str]]
) -> None:
    text = "\n".join("\t".join([name, "said", *genes]) for name, genes in sets.items())
    found = read_gmt(written(tmp_path_factory.mktemp("gmt"), text))
    assert {name: list(one.genes) for name, one in found.items()} == {
        name: sorted(set(genes), key=genes.index) for name, genes in sets.items()
    }


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    text = "A\tx\tCD3E\nonly a name\nB\tx\nC\tx\t\t\nA\ty\tCD4\n\tx\tCD8A\n"
    with pytest.raises(DataError) as told:
        read_gmt(written(tmp_path, text))
    said = [str(fault) for fault in told.value.faults]
    assert len(said) == 5
    for line, words in (
        (2, "1 of at least 3 columns"),
        (3, "2 of at least 3 columns"),
        (4, "'C' has no genes"),
        (5, "'A' stands in line 1 too"),
        (6, "names no set"),
    ):
        assert any(f"line {line}:" in one and words in one for one in said), (line, said)


def test_a_file_with_the_wrong_separator_is_no_flood(tmp_path: Path) -> None:
    with pytest.raises(DataError) as told:
        read_gmt(written(tmp_path, "\n".join(f"set{i},x,CD3E,CD4" for i in range(500))))
    assert len(told.value.faults) == 11
    assert "490 further lines" in str(told.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no gene set"),
        (b"\n \n", "holds no gene set"),
        (b"A\tx\tCD3E\n\x00\x01\x02", "binary"),
        (gzip.compress(b"A\tx\tCD3E\n", mtime=0), "compressed"),
        (b"A" * 501 + b"\tx\tCD3E\n", r"line 1: the set's name has 501 characters; expected 500 at most"),
        (b"A\tx\t" + b"C" * 10**6, r"line 1: the set 'A' names a gene of 1,000,000 characters; expected 200"),
        (b"A\tx\tCD3\x1bE\n", r"line 1: the set 'A' holds control characters"),
        (b"A\tx\tCD3E\nB\t\xe9t\xe9\tCD4\n", r"line 2: is no UTF-8 text \(byte 0xe9\)"),
    ],
)
def test_what_is_no_text_of_sets_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as told:
        read_gmt(written(tmp_path, content))
    assert "sets.gmt" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.gmt: no such file"):
        read_gmt(tmp_path / "none.gmt")
    with pytest.raises(DataError, match="is a folder"):
        read_gmt(tmp_path)


@pytest.mark.parametrize(
    ("name", "count", "key", "member"),
    [
        ("h.all.v7.0.symbols.gmt", 50, "HALLMARK_E2F_TARGETS", "MKI67"),
        ("ReactomePathways.gmt", 2546, "PD-1 signaling", "PDCD1"),
        ("GO_Biological_Process_2021.gmt", 6036, "B cell proliferation (GO:0042100)", "MS4A1"),
    ],
)
def test_the_open_collections_are_read(
    shared_data: Path, name: str, count: int, key: str, member: str
) -> None:
    sets = read_gmt(shared_data / "genesets" / name)
    assert len(sets) == count
    assert member in sets[key].genes
    assert sets[key].source == name


def test_a_device_is_no_file_of_sets() -> None:
    with pytest.raises(DataError, match="is a device; expected a GMT file of gene sets"):
        read_gmt(Path("/dev/zero"))


@given(st.binary(max_size=200))
def test_any_bytes_are_sets_or_lines(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    faults: tuple[Exception, ...] = ()
    try:
        read_gmt(written(tmp_path_factory.mktemp("gmt"), content))
    except DataError as error:
        faults = error.faults
    assert all("\n" not in str(fault) and len(str(fault)) < 600 for fault in faults)

"""The files of a section in a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from prestige.data.platforms.st.files import files_of
from prestige.data.spec import SampleSpec
from prestige.errors import PrestigeError

from .... import small_sources


def test_files_are_found_by_the_name_of_the_sample_or_of_its_folder(tmp_path: Path) -> None:
    small_sources.st(tmp_path)
    root = tmp_path / "tumours"
    spec = SampleSpec.model_validate({"id": "A1", "source": "st", "path": root, "patient": "A"})
    found = files_of(spec)
    names = [path.relative_to(root).as_posix() for path in (found.counts, found.spots, found.image)]
    assert names == ["counts/A1.tsv.gz", "spots/A1_selection.tsv", "images/A1.tif"]
    (root / "images" / "A" / "A1").mkdir(parents=True)
    shutil.move(found.image, root / "images" / "A" / "A1" / "scan.tif")
    assert files_of(spec).image.name == "scan.tif"
    with pytest.raises(PrestigeError, match="no such folder"):
        files_of(spec.model_copy(update={"path": tmp_path / "absent"}))


def test_files_of_samples_whose_ids_begin_alike(tmp_path: Path) -> None:
    small_sources.st(tmp_path)
    root = tmp_path / "tumours"
    for path in [one for one in root.rglob("*") if one.is_file()]:
        shutil.copy(path, path.with_name(path.name.replace("A1", "A10")))
    for sample in ("A1", "A10"):
        spec = SampleSpec.model_validate({"id": sample, "source": "st", "path": root, "patient": "A"})
        assert files_of(spec).counts.name == f"{sample}.tsv.gz"


def test_texts_whose_header_cannot_be_read_are_no_candidates(tmp_path: Path) -> None:
    small_sources.st(tmp_path)
    root = tmp_path / "tumours"
    spec = SampleSpec.model_validate({"id": "A1", "source": "st", "path": root, "patient": "A"})
    (root / "A1_note.txt").write_bytes("stained by Ren\xe9".encode("latin-1"))
    (root / "A1_quality.csv").write_text("spot,reads,reads\n1x1,2,3\n")
    files = files_of(spec)
    assert (files.counts.name, files.spots.name) == ("A1.tsv.gz", "A1_selection.tsv")
    files.spots.unlink()
    with pytest.raises(PrestigeError, match="no spot file of 'A1'") as told:
        files_of(spec)
    for words in ("'A1_note.txt' cannot be read (", "'A1_quality.csv' has several columns of one name"):
        assert words in str(told.value)

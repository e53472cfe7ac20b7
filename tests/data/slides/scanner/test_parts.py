"""Of which files a slide is made, and that none of them lies elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prestige.data.slides.scanner.parts import check_one_slide, parts_of
from prestige.errors import DataError


def test_the_files_that_a_hamamatsu_slide_names(tmp_path: Path) -> None:
    slide = tmp_path / "a.vms"
    slide.write_text(
        "[Virtual Microscope Specimen]\nImageFile=a.jpg\nImageFile(1,0)=b.jpg\nMapFile=m.jpg\nNoLayers=1\n"
    )
    with pytest.raises(DataError, match=r"a\.jpg: no such file"):
        parts_of(slide)
    for name in "abm":
        (tmp_path / f"{name}.jpg").write_bytes(b"\xff\xd8\xff")
    file, parts = parts_of(slide)
    assert file == slide
    assert {path.name for path in parts.values()} == {"a.vms", "a.jpg", "b.jpg", "m.jpg"}
    slide.write_text("[Virtual Microscope Specimen]\nImageFile=../secret.jpg\n")
    with pytest.raises(
        DataError, match=r"names the file '\.\./secret\.jpg'; expected files of its own folder"
    ):
        parts_of(slide)


def test_a_mirax_slide_is_its_file_and_its_folder(tmp_path: Path) -> None:
    slide, folder = tmp_path / "a.mrxs", tmp_path / "a"
    folder.mkdir()
    slide.write_bytes(b"\xff\xd8\xff\xe0")
    (folder / "Slidedat.ini").write_text(
        "[HIERARCHICAL]\nINDEXFILE = Index.dat\n[DATAFILE]\nFILE_0 = Data0000.dat\n"
    )
    with pytest.raises(DataError, match=r"Index\.dat: no such file"):
        parts_of(slide)
    for name in ("Index.dat", "Data0000.dat"):
        (folder / name).write_bytes(b"x")
    assert parts_of(slide) == (slide, {"image": slide, "folder": folder})
    (folder / "Slidedat.ini").write_text("FILE_0 = /etc/passwd\n")
    with pytest.raises(DataError, match="names the file '/etc/passwd'"):
        parts_of(slide)


def test_pipes_and_links_beside_a_dicom_file_are_told(tmp_path: Path) -> None:
    slide = tmp_path / "a.dcm"
    slide.write_bytes(bytes(128) + b"DICM")
    (tmp_path / "notes.txt").write_text("none")
    assert parts_of(slide) == (slide, {"image": slide})
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is a pipe"):
        parts_of(slide)


def test_levels_of_a_dicom_slide_are_of_one_series(tmp_path: Path) -> None:
    def written(name: str, *words: str) -> Path:
        (tmp_path / name).write_bytes(bytes(128) + b"DICM" + " ".join(words).encode())
        return tmp_path / name

    written("a_label.dcm", r"ORIGINAL\PRIMARY\LABEL", "1.2.9")
    level = written("b.dcm", r"ORIGINAL\PRIMARY\VOLUME", "1.2.3")
    written("c.dcm", r"DERIVED\PRIMARY\VOLUME\RESAMPLED", "1.2.3")
    (tmp_path / "notes.txt").write_text(r"PRIMARY\VOLUME")
    assert parts_of(tmp_path) == (level, {"image": tmp_path})
    check_one_slide(tmp_path, "1.2.3")
    written("d.dcm", r"ORIGINAL\PRIMARY\VOLUME", "1.2.4")
    with pytest.raises(DataError, match=r"of another one 1 \(d\.dcm\)"):
        check_one_slide(tmp_path, "1.2.3")

"""Files are told by what they hold."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from prestige.errors import DataError
from prestige.start import walk
from prestige.start.walk import Files, file_one, look, reason

SPOTS = "x\ty\tnew_x\tnew_y\tpixel_x\tpixel_y\tselected\n1\t1\t1.0\t1.0\t10\t10\t1\n"


def nothing_known(folder: Path, files: Files) -> bool:
    return folder.name == "known"


def filled(folder: Path) -> Path:
    (folder / "deep" / "known").mkdir(parents=True)
    pixels = np.full((16, 24, 3), 220, np.uint8)
    tifffile.imwrite(folder / "picture", pixels, photometric="rgb", metadata=None)
    tifffile.imwrite(folder / "deep" / "known" / "b.tif", pixels, photometric="rgb", metadata=None)
    with h5py.File(folder / "deep" / "table.bin", "w"):
        pass
    (folder / "a.tsv").write_text(SPOTS)
    (folder / "counts.csv").write_text("spot,EPCAM,PTPRC\n1x1,3,4\n")
    (folder / "he_imagealignment.csv").write_text("1,0,5\n0,1,6\n0,0,1\n")
    (folder / "notes.md").write_text("mine")
    (folder / "damaged.tif").write_bytes(b"II*\0 and no more")
    return folder


def test_a_folder_is_gone_through_and_what_is_known_as_a_whole_is_not(tmp_path: Path) -> None:
    files, folder = Files(), filled(tmp_path / "study")
    look(folder, nothing_known, files)
    assert files.tables == [folder / "deep" / "table.bin"]
    assert list(files.images) == [folder / "picture"]
    assert files.spots == [folder / "a.tsv"]
    assert files.texts == [folder / "counts.csv"]
    assert files.alignments == [folder / "he_imagealignment.csv"]
    assert list(files.left_out) == [folder / "damaged.tif"]


def test_what_is_no_folder_or_too_large_for_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no such folder"):
        look(tmp_path / "none", nothing_known, Files())
    monkeypatch.setattr(walk, "MOST_ENTRIES", 3)
    with pytest.raises(DataError, match="holds more than 3 files"):
        look(filled(tmp_path / "study"), nothing_known, Files())


def test_a_text_that_is_no_table_is_passed_over(tmp_path: Path) -> None:
    files = Files()
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    file_one(tmp_path / "a.csv", files)
    assert not (files.texts)
    assert not (files.spots)
    assert not (files.alignments)
    assert not (files.left_out)


def test_the_place_of_a_fault_within_a_folder_is_no_path_from_the_root() -> None:
    folder = Path("a/I.zarr")
    for where, told in (
        (folder, "is damaged"),
        (folder / "0/zarr.json", "0/zarr.json: is damaged"),
        (f"{folder}, 0", "0: is damaged"),
        ("b", "b: is damaged"),
    ):
        assert reason(DataError("is damaged", where=where), folder) == told

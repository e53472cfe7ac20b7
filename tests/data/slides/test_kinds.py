"""What a file is, by its content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from prestige.data.slides.kinds import is_of_scanner, kind_of
from prestige.data.slides.tiff import directories as tags
from prestige.data.slides.tiff.directories import Directory
from prestige.errors import DataError


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "plain"),
        (b"\x89PNG\r\n\x1a\n", "plain"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "plain"),
        (bytes(128) + b"DICM", "scanner"),
        (b"\r\n[Virtual Microscope Specimen]\r\n", "scanner"),
        (b"ZISRAWFILE\0", "scanner"),
    ],
)
def test_first_bytes_tell_the_door(tmp_path: Path, head: bytes, kind: str) -> None:
    (tmp_path / "a.tif").write_bytes(head + bytes(200))
    assert kind_of(tmp_path / "a.tif") == (kind, tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"", "is empty"),
        (b"PK\3\4", "is a zip archive"),
        (b"\x1f\x8b", "is a gzip archive"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        (b"GIF89a", "is a GIF"),
        (b'<DataObject ObjectType="DPUfsImport">', "is an iSyntax of Philips"),
        (b"\xda\xce\xbe\x0a", "is an ND2 of Nikon"),
        (b"p\0\0\0", "is a LIF of Leica"),
        (b"what", "is no image that is read"),
    ],
)
def test_other_files_are_named(tmp_path: Path, head: bytes, said: str) -> None:
    (tmp_path / "a.tif").write_bytes(head)
    remedy = "unpack it and name what was in it$" if "archive" in said else ""
    with pytest.raises(DataError, match=rf"a\.tif: {said}; expected a TIFF.*{remedy}"):
        kind_of(tmp_path / "a.tif")


def test_folders(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / ".zattrs").write_text("{}")
    assert kind_of(tmp_path / "a.zarr") == ("zarr", tmp_path / "a.zarr")
    with pytest.raises(DataError, match="name its folder"):
        kind_of(tmp_path / "a.zarr" / ".zattrs")
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match="is a folder, and no image"):
        kind_of(tmp_path / "b")
    (tmp_path / "b" / "1.dcm").write_bytes(bytes(128) + b"DICM")
    assert kind_of(tmp_path / "b") == ("scanner", tmp_path / "b")


def test_a_mirax_slide_is_its_file_and_its_folder(tmp_path: Path) -> None:
    slide = tmp_path / "a.mrxs"
    slide.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(DataError, match=r"whose folder 'a' is not beside it.*copy the folder too"):
        kind_of(slide)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Slidedat.ini").write_text("[GENERAL]\n")
    assert kind_of(slide) == ("scanner", slide)
    with pytest.raises(DataError, match=r"name 'a\.mrxs', the file beside it"):
        kind_of(tmp_path / "a")


def test_tiffs_that_only_their_makers_put_together() -> None:
    def page(**texts: str) -> list[Directory]:
        return [Directory((0,), texts={getattr(tags, name): text for name, text in texts.items()})]

    assert not is_of_scanner(page(DESCRIPTION="Aperio Image Library", SOFTWARE="x"))
    assert is_of_scanner(page(DESCRIPTION='<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'))
    assert is_of_scanner(
        page(SOFTWARE="Philips DP v1.0", DESCRIPTION='<DataObject ObjectType="DPUfsImport">')
    )
    assert is_of_scanner(page(XMP='<Metadata><iScan ScanRes="0.25"/></Metadata>'))
    assert is_of_scanner(page(SOFTWARE="MedScan 1"))


def test_the_overview_in_a_vsi_is_not_taken_for_the_slide(tmp_path: Path) -> None:
    """Its .ets files lie in a folder of its name between two underscores."""
    overview = np.full((8, 8, 3), 200, np.uint8)
    tifffile.imwrite(tmp_path / "a[1].vsi", overview, photometric="rgb")
    tifffile.imwrite(tmp_path / "b[1].tif", overview, photometric="rgb")
    assert kind_of(tmp_path / "b[1].tif")[0] == "tiff"
    (tmp_path / "_b[1]_" / "stack1").mkdir(parents=True)
    (tmp_path / "_b[1]_" / "stack1" / "frame_t.ets").write_bytes(b"SIS")
    for name in ("a[1].vsi", "b[1].tif"):
        with pytest.raises(DataError, match=r"is a VSI of Olympus, .* write it as a TIFF"):
            kind_of(tmp_path / name)

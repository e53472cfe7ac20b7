"""What kind of image a file or folder is: told by its first bytes and by what lies beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from glob import escape
from pathlib import Path
from typing import Literal

from prestige.data.slides.tiff import directories as tags
from prestige.data.slides.tiff.directories import Directory, read_directories
from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import plain_file, status_of

EXPECTED = "an H&E image: 8 bit RGB"
FORMATS = (
    "a TIFF (SVS, NDPI, SCN, BIF, OME-TIFF, QPTIFF), MRXS, VMS, DICOM, OME-Zarr, JPEG, PNG or JPEG 2000 image"
)

Door = Literal["tiff", "scanner", "plain", "zarr"]

MIRAX_FOLDER = "Slidedat.ini"
ZARR_METADATA = ("zarr.json", ".zgroup", ".zattrs")

_HEAD_BYTES = 1024
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG = b"\xff\xd8\xff"
_PLAIN = (b"\x89PNG\r\n\x1a\n", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
_VMS = re.compile(rb"\s*\[(Uncompressed )?Virtual Microscope Specimen\]")
_CZI = b"ZISRAWFILE\0"
_BY_OTHERS = "write it as a TIFF (QuPath, Bio-Formats or libvips do)"
_PACKED = "unpack it and name what was in it"
_OTHERS: dict[bytes, tuple[str, str]] = {
    b"GIF8": ("a GIF", _BY_OTHERS),
    b"BM": ("a BMP", _BY_OTHERS),
    b"RIFF": ("a WebP or AVI", _BY_OTHERS),
    b"%PDF": ("a PDF", _BY_OTHERS),
    b"PK\3\4": ("a zip archive", _PACKED),
    b"\x1f\x8b": ("a gzip archive", _PACKED),
    b"\x89HDF\r\n": ("an HDF5 file", _BY_OTHERS),
    b"\x93NUMPY": ("an array of numpy", _BY_OTHERS),
    b"SQLite format 3": ("a database", _BY_OTHERS),
    b"<svg": ("a drawing", _BY_OTHERS),
    b"<?xml": ("an XML text", _BY_OTHERS),
    b"<DataObject": ("an iSyntax of Philips", _BY_OTHERS),
    b"\xda\xce\xbe\x0a": ("an ND2 of Nikon", _BY_OTHERS),
    b"p\0\0\0": ("a LIF of Leica", _BY_OTHERS),
}
_NO_SLIDE_IN_FOLDER = "name the image itself"


def kind_of(path: Path) -> tuple[Door, Path]:
    """Return which door reads an image, and the file or folder that it is to open.

    Raises
    ------
    DataError
        When there is no such file, or it is none of the kinds that are read.
    """
    path = Path(path)
    status = status_of(path)
    if status is not None and path.is_dir():
        return _of_folder(path)
    path = plain_file(path, expected=EXPECTED)
    if path.name in ZARR_METADATA:
        raise DataError("describes a store", where=path, expected=EXPECTED, remedy="name its folder")
    head = head_of(path)
    if head.startswith(_TIFF):
        _check_no_vsi(path)
        return ("scanner" if is_of_scanner(read_directories(path)) else "tiff"), path
    if head.startswith(_JPEG):
        return _of_jpeg(path)
    if head.startswith(_PLAIN):
        return "plain", path
    if is_dicom(head) or _VMS.match(head) or head.startswith(_CZI):
        return "scanner", path
    raise _unknown(path, head)


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    with reading(path, expected=EXPECTED), path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def is_dicom(head: bytes) -> bool:
    """Return whether the first bytes are those of a DICOM file."""
    return head[128:132] == b"DICM"


def is_of_scanner(pages: Sequence[Directory]) -> bool:
    """Whether the tiles of a TIFF are the slide only once they are put together as its maker does.

    Leica: several regions in one frame.  Philips: padded levels.  Ventana and Trestle: tiles that overlap.
    """
    description, software = (pages[0].texts.get(tag, "") for tag in (tags.DESCRIPTION, tags.SOFTWARE))
    return (
        "http://www.leica-microsystems.com/scn/" in description
        or (software.startswith("Philips") and "DPUfsImport" in description)
        or software.startswith("MedScan")
        or any("<iScan" in page.texts.get(tags.XMP, "") for page in pages)
    )


def _of_folder(folder: Path) -> tuple[Door, Path]:
    if any((folder / name).is_file() for name in ZARR_METADATA):
        return "zarr", folder
    with reading(folder, expected=EXPECTED):
        names = sorted(one for one in folder.iterdir() if one.is_file())
    if any(one.name == MIRAX_FOLDER for one in names):
        remedy = f"name '{folder.name}.mrxs', the file beside it"
        raise DataError("is the folder of a MIRAX slide", where=folder, expected=EXPECTED, remedy=remedy)
    if any(is_dicom(head_of(one)) for one in names):
        return "scanner", folder
    raise DataError("is a folder, and no image", where=folder, expected=FORMATS, remedy=_NO_SLIDE_IN_FOLDER)


def _check_no_vsi(path: Path) -> None:
    """Refuse a VSI of Olympus: a TIFF of label and overview, whose slide lies in a folder beside it."""
    if path.suffix.casefold() == ".vsi" or any(path.parent.glob(f"_{escape(path.stem)}_/stack*/*.ets")):
        raise DataError(
            "is a VSI of Olympus, whose slide lies in .ets files beside it",
            where=path,
            expected=FORMATS,
            remedy=_BY_OTHERS,
        )


def _of_jpeg(path: Path) -> tuple[Door, Path]:
    """Tell a MIRAX slide, whose own file is a small JPEG, from an image."""
    beside = path.with_suffix("")
    if path.suffix and (beside / MIRAX_FOLDER).is_file():
        return "scanner", path
    if path.suffix.casefold() == ".mrxs":
        raise DataError(
            f"is the small picture of a MIRAX slide, whose folder '{beside.name}' is not beside it",
            where=path,
            expected=f"'{beside.name}/{MIRAX_FOLDER}' and the files it names",
            remedy="copy the folder too",
        )
    return "plain", path


def _unknown(path: Path, head: bytes) -> DataError:
    known = next((known for start, known in _OTHERS.items() if head.lstrip().startswith(start)), None)
    nothing = ("is no image that is read", None) if head else ("is empty", AGAIN)
    what, remedy = (f"is {known[0]}", known[1]) if known else nothing
    return DataError(what, where=path, expected=FORMATS, remedy=remedy)

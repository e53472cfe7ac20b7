"""Which files a scanner's slide is made of: those that its own file names lie beside it, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from prestige.data.slides.kinds import EXPECTED, MIRAX_FOLDER, head_of, is_dicom
from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import files_below, plain_file
from prestige.text import some

_MOST_TEXT_BYTES = 1 << 24
_MIRAX_NAMES = re.compile(r"^\s*(?:FILE_\d+|INDEXFILE)\s*=\s*(.*?)\s*$", re.I | re.M)
_VMS_NAMES = re.compile(
    r"^\s*(?:ImageFile\S*|MapFile|OptimisationFile|MacroImage)\s*=\s*(.*?)\s*$", re.I | re.M
)
_VOLUME = b"PRIMARY\\VOLUME"  # of the ImageType of a slide's levels
_HEAD_BYTES = 1 << 20
_VMS = (b"[Virtual", b"[Uncompressed")


def parts_of(path: Path) -> tuple[Path, Mapping[str, Path]]:
    """Return the file that is to be opened, and role -> file or folder of all that the slide is made of.

    Raises
    ------
    DataError
        When a part of it is missing, or lies elsewhere, or what lies there is no file.
    """
    if path.is_dir():
        files = _dicom_in(path)
        return next((one for one in files if _VOLUME in _long_head(one)), files[0]), {"image": path}
    head = head_of(path)
    if is_dicom(head):
        return path, {"image": path, **_dicom_beside(path)}
    if head.lstrip().startswith(_VMS):
        return path, {"image": path, **_named_in(path, _VMS_NAMES, path.parent)}
    folder = path.with_suffix("")
    if head.startswith(b"\xff\xd8") and (folder / MIRAX_FOLDER).is_file():
        files_below(folder, within=[folder])
        _named_in(folder / MIRAX_FOLDER, _MIRAX_NAMES, folder)
        return path, {"image": path, "folder": folder}
    return path, {"image": path}


def check_one_slide(folder: Path, series: str) -> None:
    """Refuse a folder of DICOM files in which levels of another slide lie too.

    Parameters
    ----------
    series
        The SeriesInstanceUID of the slide, which all its levels have.

    Raises
    ------
    DataError
        Naming the files of the others.
    """
    heads = {one.name: _long_head(one) for one in _dicom_in(folder)}
    others = [name for name, head in heads.items() if _VOLUME in head and series.encode() not in head]
    if others:
        raise DataError(
            f"holds DICOM files of several slides, of another one {some(others)}",
            where=folder,
            expected="one slide in a folder",
            remedy="name one file of the slide that is meant",
        )


def _dicom_in(folder: Path) -> list[Path]:
    files = files_below(folder, within=[folder])
    return [one for one in files if one.parent == folder and is_dicom(head_of(one))]


def _long_head(path: Path) -> bytes:
    """Return the beginning of a DICOM file, with what it says of its slide."""
    with reading(path, expected=EXPECTED), path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _dicom_beside(path: Path) -> dict[str, Path]:
    """Return the other DICOM files of a folder: openslide takes those of the same series among them."""
    with reading(path.parent, expected=EXPECTED):
        names = sorted(one for one in path.parent.iterdir() if not one.is_dir() and one != path)
    found = [plain_file(one, expected="DICOM files, and other files") for one in names]
    return {f"beside {one.name}": one for one in found if is_dicom(head_of(one))}


def _named_in(text_file: Path, names: re.Pattern[str], folder: Path) -> dict[str, Path]:
    """Return the files that a text names, all of which have to lie in one folder."""
    with reading(text_file, expected="a text"), text_file.open("rb") as file:
        text = file.read(_MOST_TEXT_BYTES).decode("utf-8", errors="replace")
    found = {}
    for name in names.findall(text):
        if not name:
            continue
        if "/" in name or "\\" in name or name in (".", ".."):
            raise DataError(
                f"names the file '{name}'",
                where=text_file,
                expected="files of its own folder",
                remedy=AGAIN,
            )
        found[f"part {name}"] = plain_file(folder / name, expected=f"a file that {text_file.name} names")
    return found

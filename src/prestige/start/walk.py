"""The files of a folder by what they hold: tables, images, spot files, alignments, and folders of a kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from prestige.data.platforms.alignment import read_alignment
from prestige.data.platforms.flat import header_of
from prestige.data.platforms.st.spots import is_spot_file
from prestige.data.slides.images import Image, image_of
from prestige.data.slides.kinds import head_of
from prestige.errors import DataError, PrestigeError, one_line
from prestige.inputs import is_stray, plain_folder
from prestige.start.found import Found

DEEPEST, MOST_ENTRIES = 6, 20_000
LOOKED_AT = "a folder of images and tables"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ALIGNMENT_BYTES = 1 << 20
_TEXTS = (".csv", ".tsv", ".txt", ".tsv.gz", ".csv.gz", ".txt.gz")
_NO_IMAGES = (".json", ".yaml", ".yml", ".md", ".parquet", ".py", ".log", ".html", ".npy", ".gmt")


@dataclass
class Files:
    """What was seen, each kind in the order of the paths.

    Attributes
    ----------
    found
        Samples of folders that are of one kind as a whole.
    tables, images, spots, texts, alignments
        Files.
    taken
        Files that belong to a sample that was found, and are nothing by themselves.
    left_out
        What was seen and is named in no sample, with the reason.
    """

    found: list[Found] = field(default_factory=list)
    xenium: list[Path] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    images: dict[Path, Image] = field(default_factory=dict)
    spots: list[Path] = field(default_factory=list)
    texts: list[Path] = field(default_factory=list)
    alignments: list[Path] = field(default_factory=list)
    taken: set[Path] = field(default_factory=set)
    left_out: dict[Path, str] = field(default_factory=dict)
    seen: int = 0


Known = Callable[[Path, Files], bool]
"""Looks whether a folder is of a kind as a whole, and files its samples; its files are not looked at then."""


def look(folder: Path, known: Known, files: Files, depth: int = 0) -> None:
    """Go through a folder.

    Raises
    ------
    DataError
        When it is none, or holds too many files for a look.
    """
    plain_folder(folder, expected=LOOKED_AT)
    if known(folder, files) or depth > DEEPEST:
        return
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not is_stray(entry.name))
    files.seen += len(names)
    if files.seen > MOST_ENTRIES:
        raise DataError(
            f"holds more than {MOST_ENTRIES:,} files that are no data set's whole",
            where=folder,
            expected="the folder of one study",
            remedy="name the folders of its samples one by one",
        )
    for name in names:
        path = folder / name
        if path.is_dir():
            look(path, known, files, depth + 1)
        elif path.is_file():
            file_one(path, files)


def file_one(path: Path, files: Files) -> None:
    """File a file by what it holds; one that cannot be read is left out with the reason."""
    name = path.name.lower()
    if path in files.taken or name.endswith(_NO_IMAGES):
        return
    try:
        head = head_of(path)
        if head.startswith(_HDF5):
            files.tables.append(path)
        elif name.endswith((*_TEXTS, ".zip")):
            _text(path, files)
        else:
            files.images[path] = image_of(path)
    except PrestigeError as error:
        if not name.endswith((*_TEXTS, ".zip", ".gz", ".xenium")):
            files.left_out[path] = reason(error, path)


def reason(error: PrestigeError, path: Path) -> str:
    """Return why a path is left out, with the place of the fault where it is another one."""
    fault = error.faults[0]
    place = fault.where or ""
    if place.startswith(str(path)):
        place = place[len(str(path)) :].lstrip("/,: ")
    return one_line(f"{place}: {fault.what}" if place else fault.what)


def _text(path: Path, files: Files) -> None:
    if path.stat().st_size <= _ALIGNMENT_BYTES and not path.name.endswith(".gz"):
        try:
            read_alignment(path)
        except PrestigeError:
            pass
        else:
            files.alignments.append(path)
            return
    if path.name.endswith(".zip"):
        return
    names, _ = header_of(path, expected="a table")
    (files.spots if is_spot_file(names) else files.texts).append(path)

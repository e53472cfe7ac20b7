"""The files of a section: named one by one, or found in a folder by the name of the sample."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prestige.data.platforms.flat import header_of
from prestige.data.platforms.st.spots import is_spot_file
from prestige.data.spec import SampleSpec
from prestige.errors import DataError, PrestigeError, raise_all
from prestige.inputs import is_stray, plain_file, plain_folder
from prestige.text import has_word

_LAYOUT = "a folder with counts, spot file and image of each section"
_EXPECTED = "a matrix of counts or a spot file, as text"
_TEXTS = (".tsv", ".csv", ".txt")
_IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".jp2", ".btf", ".svs", ".ndpi")
_DEPTH, _MOST_ENTRIES = 4, 100_000


@dataclass(frozen=True)
class Files:
    """The three files of a section."""

    counts: Path
    spots: Path
    image: Path


def files_of(spec: SampleSpec) -> Files:
    """Find the files of a section.

    Raises
    ------
    DataError
        For every one that is missing, or of which there are several.
    """
    is_folder = not spec.path.is_file()
    if is_folder:
        plain_folder(spec.path, expected=_LAYOUT, remedy="check path: in dataset.yaml")
    named = spec.table if is_folder else spec.path.name
    given = {
        "table": None if named is None else (spec.path if is_folder else spec.path.parent) / named,
        "spots": spec.spots,
        "image": spec.image,
    }
    folder = spec.path if is_folder else spec.path.parent
    found, unread = _candidates(folder, spec.id) if None in given.values() else ({}, [])
    files: dict[str, Path] = {}
    faults: list[PrestigeError] = []
    for key, path in given.items():
        try:
            files[key] = (
                plain_file(path, expected=_LAYOUT) if path else _only(key, found[key], unread, spec, folder)
            )
        except PrestigeError as error:
            faults.append(error)
    raise_all(faults)
    return Files(files["table"], files["spots"], files["image"])


def _only(key: str, found: list[Path], unread: list[DataError], spec: SampleSpec, folder: Path) -> Path:
    """Return the one file that was found.

    Parameters
    ----------
    unread
        Why texts called by the sample are none that could be it.

    Raises
    ------
    DataError
        When there is none, or several.
    """
    if len(found) == 1:
        return found[0]
    what = {"table": "matrix of counts", "spots": "spot file", "image": "image"}[key]
    if found:
        names = ", ".join(f"'{one.relative_to(folder)}'" for one in found[:3])
        words = f"several files may be the {what} of '{spec.id}': {names}"
    else:
        told = [f"'{Path(one.where or '').name}' {one.what}" for one in unread if key != "image"]
        words = ", and ".join([f"no {what} of '{spec.id}'", *told[:3]])
    raise DataError(
        words,
        where=folder,
        expected=f"one whose name holds '{spec.id}'",
        remedy=f"name it: {key}: in dataset.yaml",
    )


def _candidates(folder: Path, sample: str) -> tuple[dict[str, list[Path]], list[DataError]]:
    """Return what may be matrix, spot file and image of a sample, the likeliest of each kind alone.

    Files called by the sample's very name go before those that hold it among other words.  Texts whose header
    cannot be read, notes among them, are none of these; what is wrong with them is returned beside.
    """
    found: dict[str, list[Path]] = {"table": [], "spots": [], "image": []}
    unread = []
    for path in _files_in(folder):
        if not has_word(path.relative_to(folder).as_posix(), sample):
            continue
        name = path.name.lower().removesuffix(".gz")
        if name.endswith(_IMAGES):
            found["image"].append(path)
        elif name.endswith(_TEXTS):
            try:
                names, _ = header_of(path, expected=_EXPECTED)
            except DataError as error:
                unread.append(error)
            else:
                found["spots" if is_spot_file(names) else "table"].append(path)
    return {key: _likeliest(paths, sample) for key, paths in found.items()}, unread


def _likeliest(paths: list[Path], sample: str) -> list[Path]:
    exact = [path for path in paths if path.name.removesuffix(".gz").rpartition(".")[0] == sample]
    return exact or paths


def _files_in(folder: Path) -> Iterator[Path]:
    """Give the files of a folder and of those below it, a few deep.

    Raises
    ------
    DataError
        When there are too many for a data set of this kind.
    """
    seen = 0
    for place, folders, names in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if depth < _DEPTH and not name.startswith("."))
        seen += len(names) + len(folders)
        if seen > _MOST_ENTRIES:
            raise DataError(
                f"holds more than {_MOST_ENTRIES:,} files",
                where=folder,
                expected=_LAYOUT,
                remedy="name table:, spots: and image: in dataset.yaml",
            )
        yield from (Path(place, name) for name in sorted(names) if not is_stray(name))

"""``prestige init``: folders -> dataset.yaml and bench.yaml, which nothing that is there gives way to."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prestige.compute.files import write_text
from prestige.errors import DataError, PrestigeError, StorageError, raise_all
from prestige.inputs import plain_folder, real_path, status_of
from prestige.start.found import Found, as_id
from prestige.start.samples import samples_in
from prestige.start.texts import bench_text, dataset_text
from prestige.start.walk import LOOKED_AT

DATASET, BENCH = "dataset.yaml", "bench.yaml"

_MOST_REASONS = 10


@dataclass(frozen=True)
class Begun:
    """What was found and how it is written.

    Attributes
    ----------
    samples
        As dataset.yaml names them.
    texts
        Path -> text of the files.
    """

    samples: tuple[Found, ...]
    texts: dict[Path, str]


def begin(folders: Sequence[Path], out: Path, *, dry_run: bool = False) -> Begun:
    """Write dataset.yaml and bench.yaml of what lies in some folders.

    Parameters
    ----------
    folders
        Of images, tables, stores, outputs of instruments.
    out
        The folder to write into.
    dry_run
        Whether nothing is written.

    Raises
    ------
    DataError
        When a folder is none, or holds nothing that is read.
    StorageError
        When a file of that name is there, or cannot be written.
    """
    _check_places(folders, out)
    found, left_out = samples_in([Path(os.path.abspath(folder)) for folder in folders])
    if not found:
        nothing = DataError(
            "nothing that could be a sample was found",
            where=", ".join(str(folder) for folder in folders),
            expected="an image, a table, a store, or the output of an instrument",
            remedy="see docs/data.md for what is read",
        )
        reasons = [DataError(what, where=path) for path, what in left_out.items()][:_MOST_REASONS]
        raise_all([nothing, *reasons])
    name = as_id(real_path(folders[0]).name)
    texts = {out / DATASET: dataset_text(name, found, left_out, out)}
    if (bench := bench_text(name, found)) is not None:
        texts[out / BENCH] = bench
    if not dry_run:
        remedy = "name another folder with --out, or move it away"
        raise_all(
            [
                StorageError("is there already", where=path, remedy=remedy)
                for path in texts
                if os.path.lexists(path)
            ]
        )
        for path, text in texts.items():
            write_text(path, text, keep=True)
    return Begun(tuple(found), texts)


def _check_places(folders: Sequence[Path], out: Path) -> None:
    faults: list[PrestigeError] = []
    for folder in folders:
        try:
            plain_folder(folder, expected=LOOKED_AT)
        except PrestigeError as error:
            faults.append(error)
    there = status_of(out)
    if there is not None and not stat.S_ISDIR(there.st_mode):
        faults.append(StorageError("is a file", where=out, expected="a folder", remedy="name one with --out"))
    raise_all(faults)

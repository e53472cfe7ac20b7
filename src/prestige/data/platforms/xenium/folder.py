"""The files of an output folder, in whichever form they are there and with whatever name before theirs.

Files that are downloaded one by one bear the name of the data set: ``Xenium_Rep1_cells.csv.gz``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prestige.data.platforms.xenium.cells import needed_table
from prestige.data.platforms.xenium.manifest import NAME, Manifest, read_manifest
from prestige.data.platforms.xenium.matrix import matrices_in
from prestige.data.platforms.xenium.named import COPY, EXPECTED, named, prefix_of
from prestige.data.sample import Counts
from prestige.errors import DataError, PrestigeError, raise_all
from prestige.inputs import plain_folder


@dataclass(frozen=True)
class Folder:
    """The files of an output folder that are read.

    Parameters
    ----------
    path
        The folder.
    manifest
        What it says of itself; None where that file is lost.
    cells, matrix
        The table of cells and the matrix; None where the sample needs no counts and has none.
    beside
        The same matrix as texts, where both are there.
    transcripts, outlines
        What counts, and centres, of nuclei are taken from; None where those of cells are.
    """

    path: Path
    manifest: Path | None
    cells: Path
    matrix: Path | None
    beside: Path | None = None
    transcripts: Path | None = None
    outlines: Path | None = None

    @property
    def files(self) -> dict[str, Path]:
        """Role -> file."""
        roles = {"cells": self.cells, "matrix": self.matrix, "manifest": self.manifest}
        roles |= {"beside": self.beside, "transcripts": self.transcripts, "outlines": self.outlines}
        return {role: path for role, path in roles.items() if path is not None}


def opened_folder(
    path: Path, *, um_per_px: float | None, counts_of: str, centre_of: str, counts: Counts, sample: str = ""
) -> tuple[Folder, Manifest]:
    """Find the files of an output folder, and read its manifest.

    Parameters
    ----------
    path
        The folder.
    um_per_px
        Width of a pixel of the morphology image where dataset.yaml says it.
    counts_of, centre_of, counts
        What is wanted of it.
    sample
        The sample's id, which tells its files from those of others in the same folder.

    Raises
    ------
    DataError
        For each of them that is needed and not there, all at once.
    """
    if path.name == NAME and path.is_file():
        raise DataError("is a file", where=path, expected=EXPECTED, remedy=f"write path: {path.parent}")
    plain_folder(path, expected=EXPECTED, remedy="check path: in dataset.yaml")
    inner = [one.name for one in sorted(path.iterdir()) if (one / NAME).is_file()]
    before = prefix_of(path, sample)
    if not named(path, before, NAME).exists() and inner:
        raise DataError(
            f"holds no {NAME}",
            where=path,
            expected=EXPECTED,
            remedy=f"did you mean the folder '{inner[0]}' in it?",
        )
    faults: list[PrestigeError] = []
    found: dict[str, Path] = {}
    manifest = None
    try:
        manifest = read_manifest(path, um_per_px, before)
    except DataError as error:
        faults.append(error)
    needed = {"cells": ("cells", "one row a cell")}
    if counts_of == "nucleus":
        needed["transcripts"] = ("transcripts", "of which counts of nuclei are made")
    if centre_of == "nucleus":
        needed["outlines"] = ("nucleus_boundaries", "of which centres of nuclei are made")
    for role, (name, why) in needed.items():
        try:
            found[role] = needed_table(path, name, why, before)
        except DataError as error:
            faults.append(error)
    matrices = matrices_in(path, before)
    if not matrices and counts == "needed":
        faults.append(
            DataError(
                "no cell_feature_matrix is there (.h5, folder, .tar.gz or .zarr.zip)",
                where=path,
                expected=EXPECTED,
                remedy=COPY,
            )
        )
    raise_all(faults)
    assert manifest is not None
    texts = next((one for one in matrices[1:] if one.is_dir() and one.suffix != ".zarr"), None)
    stated = named(path, before, NAME)
    there = stated if stated.is_file() else None
    return Folder(path, there, matrix=matrices[0] if matrices else None, beside=texts, **found), manifest

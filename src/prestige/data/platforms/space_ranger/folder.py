"""Files of an output folder of Space Ranger, wherever they lie in it and with whatever name before theirs.

People keep ``outs/``, the folder above it, ``spatial/`` with the matrix beside it, or all files in one folder
with the name of the sample before each (``GSM1_S1_tissue_positions_list.csv.gz``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from prestige.data.platforms.matrix import Matrix
from prestige.data.platforms.matrix_10x import about_of, contradiction, matrix_of
from prestige.errors import DataError, nearest, reading
from prestige.text import has_word

POSITIONS = (
    "tissue_positions.parquet",
    "tissue_positions.csv",
    "tissue_positions_list.csv",
    "tissue_positions_list.txt",
)
SCALES = ("scalefactors_json.json",)
TEXTS = ("matrix.mtx",)
HIRES, LOWRES = "tissue_hires_image.png", "tissue_lowres_image.png"
_SOFTWARE = re.compile(r"spaceranger-([0-9]{1,6}(?:\.[0-9]{1,6}){0,3})")
_BEFORE = "_.-"  # between the name of a sample and that of a file
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
_PLACES = ("", "spatial", "outs", "outs/spatial")


def _forms(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of files, as they are and packed by gzip."""
    return tuple(f"{name}{packed}" for name in names for packed in ("", ".gz"))


def unpacked_first(names: Sequence[str]) -> str | None:
    """Return the remedy for what may lie in archives of a folder; None where it holds none."""
    archives = [one for one in names if one.lower().endswith(_ARCHIVES)]
    return f"unpack what is packed there ({', '.join(archives[:4])})" if archives else None


@dataclass(frozen=True)
class Folder:
    """One output folder of one sample.

    Parameters
    ----------
    root
        The folder that was named.
    sample
        The sample's id, which tells its files from those of others in the same folder.
    """

    root: Path
    sample: str

    def find(self, names: Sequence[str], *, packed: bool = True) -> Path | None:
        """Return the file or folder of the first name that is there; None where none is.

        Raises
        ------
        DataError
            When several samples have one, and the id does not say which is meant.
        """
        for name in names:
            for there in (name, f"{name}.gz")[: 1 + packed]:
                exact = [self.root / place / there for place in _PLACES]
                if found := next((path for path in exact if path.exists()), None):
                    return found
        for name in names:
            if found := self._with_prefix(name, packed):
                return found
        return None

    def need(self, names: Sequence[str], what: str, *, packed: bool = True) -> Path | DataError:
        """Return a file, or the fault that it is missing.

        Parameters
        ----------
        what
            What the file holds, for the message.
        packed
            Whether one that is packed by gzip can be read.
        """
        try:
            found = self.find(names, packed=packed)
        except DataError as error:
            return error
        if found is not None:
            return found
        return DataError(
            f"has no {what}",
            where=self.root,
            expected=" or ".join(names) + ", in it, in outs or in spatial",
            remedy=self._remedy(names),
        )

    def beside(self, names: Sequence[str], taken: Path) -> list[Path]:
        """Return the further files of such names in the places of an export."""
        there = [self.root / place / name for place in _PLACES for name in _forms(names)]
        return [path for path in there if path != taken and path.is_file()]

    def holds(self, names: Sequence[str]) -> bool:
        """Say whether a file of such a name is there, of whichever sample."""
        return any(name.endswith(_forms(names)) for name in self._names())

    def _remedy(self, names: Sequence[str]) -> str:
        """Say what to do about a file that is missing: what is like it, or packed, is named."""
        there = self._names()
        packed = [one for one in there if one.lower().endswith((".gz", *_ARCHIVES))]
        near = nearest(names[0], there)
        of_it = [one for one in packed if any(name in one for name in names)]
        if of_it or (near in packed):
            return f"unpack '{of_it[0] if of_it else near}' there"
        if near:
            return f"did you mean '{near}'?"
        outs = [one.parent for one in sorted(self.root.glob("*/outs/spatial")) if one.is_dir()]
        if outs:
            return f"did you mean the folder '{outs[0].relative_to(self.root)}' in it?"
        return unpacked_first(there) or "name the folder 'outs' of Space Ranger"

    def _with_prefix(self, name: str, packed: bool) -> Path | None:
        ends = (name, f"{name}.gz")[: 1 + packed]
        found = [
            one
            for place in _PLACES
            for one in _entries(self.root / place)
            for end in ends
            if one.name.endswith(end) and one.name[: -len(end)].endswith(tuple(_BEFORE))
        ]
        own = [one for one in found if has_word(one.name, self.sample)]
        found = own if own or self._has_own() else found
        if len(found) > 1:
            raise DataError(
                f"has several files {name}: {', '.join(one.name for one in found[:4])}",
                where=self.root,
                expected="those of one sample",
                remedy="give the sample the id that stands in the names of its files, or a folder of its own",
            )
        return found[0] if found else None

    def _has_own(self) -> bool:
        """Return whether files of an export here are called by the sample: then others are of another one."""
        ends = _forms((*POSITIONS, *SCALES, HIRES, LOWRES))
        return any(has_word(name, self.sample) for name in self._names() if name.endswith(ends))

    def _names(self) -> list[str]:
        return [one.name for place in _PLACES for one in _entries(self.root / place)]


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    with reading(folder):
        return sorted(one for one in folder.iterdir() if not one.name.startswith("."))


@dataclass(frozen=True)
class Matrices:
    """The matrices of a folder.

    Attributes
    ----------
    path
        The one that is taken.
    is_raw
        Whether it holds all spots, in tissue or not.
    beside
        The same in its other form, where that is there too.
    """

    path: Path
    is_raw: bool
    beside: Path | None

    @property
    def software(self) -> str:
        """Space Ranger and its version, behind a comma, where the matrix says it: ", Space Ranger 3.0.0"."""
        try:
            said = about_of(self.path).get("software", "")
        except DataError:  # which is told when the matrix is read
            return ""
        found = _SOFTWARE.search(said)
        return f", Space Ranger {found[1]}" if found else ""

    def open(self) -> tuple[Matrix, tuple[str, ...]]:
        """Return the matrix that is taken, and what is to be said of the choice.

        Raises
        ------
        DataError
            When it is damaged.
        """
        matrix, notes = matrix_of(self.path), []
        if made := ", ".join(matrix.about.values()):
            notes.append(f"made by {made}")
        if self.is_raw:
            notes.append(f"only the raw matrix is there, {self.path.name}: its rows in tissue were taken")
        if self.beside is not None and (unlike := contradiction(matrix, self.beside)):
            notes.append(unlike)
        return matrix, tuple(notes)


def matrices_in(folder: Folder, thing: str = "bc") -> Matrices | DataError:
    """Return the matrices of a folder, or the fault that there is none: filtered before raw, h5 before texts.

    Three texts beside the other files are taken last.

    Parameters
    ----------
    thing
        "bc" of spots and bins, "cell" of segmented cells.
    """
    names = []
    for kind in ("filtered", "raw"):
        name = f"{kind}_feature_{thing}_matrix"
        names += [f"{name}.h5", name]
        found = [path for one in names[-2:] if (path := folder.find([one], packed=False)) is not None]
        if found:
            return Matrices(found[0], kind == "raw", found[1] if len(found) > 1 else None)
    if (texts := folder.find(TEXTS)) is not None:  # in no folder of their own: which of the two is not said
        return Matrices(texts, False, None)
    return cast(DataError, folder.need(names, "matrix of counts", packed=False))

"""Which names the files of an output folder have: their own, or that of a data set before it."""

from __future__ import annotations

from pathlib import Path

from prestige.errors import DataError
from prestige.inputs import is_stray
from prestige.text import has_word

EXPECTED = "a Xenium output folder: experiment.xenium, cells and cell_feature_matrix at least"
COPY = "copy it from the output folder of the run"
TABLES = (".parquet", ".csv.gz", ".csv")
"""Ends of the names of tables, the one that is read first before the others."""

_BEFORE = ("_", "-", ".")  # between the name of a data set and that of a file
_CELLS = tuple(f"cells{end}" for end in TABLES)


def named(folder: Path, before: str, name: str) -> Path:
    """Return a file or folder with a prefix where there is one, else without."""
    path = folder / f"{before}{name}"
    return path if path.exists() else folder / name


def prefixes_in(folder: Path) -> list[str]:
    """Return what stands before the names of tables of cells in a folder; "" first, where nothing does."""
    names = [one.name for one in folder.iterdir() if not is_stray(one.name)]
    found = {name.removesuffix(end) for name in names for end in _CELLS if name.endswith(end)}
    return sorted(one for one in found if not one or one.endswith(_BEFORE))


def prefix_of(folder: Path, sample: str) -> str:
    """Return what stands before the names of a sample's files, "" where nothing does.

    Raises
    ------
    DataError
        When there are files of several samples, and its id does not say which are meant.
    """
    found = prefixes_in(folder)
    own = [one for one in found if has_word(one, sample)] if sample else []
    found = own or found
    if not found or "" in found:
        return ""
    if len(found) > 1:
        raise DataError(
            f"has several tables of cells: {', '.join(f'{one}cells' for one in found[:4])}",
            where=folder,
            expected=EXPECTED,
            remedy="give the sample the id that stands in the names of its files, or a folder of its own",
        )
    return found[0]

"""Files that people take for an ``.h5ad``: told by what they hold, with the way from them to one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prestige.errors import DataError, PrestigeError, reading

_PACKED = {b"\x1f\x8b": "gzip", b"PK\3\4": "zip"}
_OTHERS = {
    "mod": ("a MuData of several tables", "write one alone: mudata.read(...)['rna'].write_h5ad(...)"),
    "matrix/barcodes": (
        "a matrix of 10x, without places",
        "name the output folder (source: visium, visium_hd, xenium), or write an .h5ad with obsm['spatial']",
    ),
    "row_attrs": ("a loom", "write it as .h5ad: anndata.io.read_loom(...).write_h5ad(...)"),
    "assays": ("an h5Seurat", "write it as .h5ad: SeuratDisk::Convert(..., dest = 'h5ad')"),
}


def check_not_packed(path: Path, kind: type[PrestigeError], expected: str) -> None:
    """Refuse a file that is packed, whatever is in it.

    Raises
    ------
    PrestigeError
        Of the class ``kind``.
    """
    with reading(path, expected=expected, kind=kind), path.open("rb") as file:
        head = file.read(4)
    for start, name in _PACKED.items():
        if head.startswith(start):
            raise kind(f"is packed by {name}", where=path, expected=expected, remedy="unpack it")


def check_is_table(file: Any, path: Path, kind: type[PrestigeError] = DataError) -> None:
    """Refuse an open file of HDF5 that is known to be something else than a table of anndata.

    Raises
    ------
    PrestigeError
        Of the class ``kind``.
    """
    with reading(path, kind=kind):
        found = next((name for name in _OTHERS if name in file), None) if "X" not in file else None
    if found is not None:
        words, remedy = _OTHERS[found]
        raise kind(f"is {words}", where=path, expected="an .h5ad table", remedy=remedy)

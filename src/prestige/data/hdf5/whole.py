"""A file of predictions or counts as AnnData, part by part: what nobody asks for may be broken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from prestige.data.frames import quietly, read_columns
from prestige.data.hdf5.opened import EXPECTED, opened_h5ad
from prestige.data.tables import read_matrix, read_part
from prestige.errors import DataError, PrestigeError, reading

if TYPE_CHECKING:
    from anndata import AnnData

COUNTS = "counts"
_UNS = ("prestige", "um_per_px", "sample")


def read_anndata(path: Path, *, kind: type[PrestigeError] = DataError) -> AnnData:
    """Read X, layers, ``raw``, ``obs``, ``var``, places, and what of ``uns`` has a meaning here.

    Columns, layers and ``raw`` that cannot be read are left out, except for those that are used.

    Parameters
    ----------
    kind
        The class of the error where the file cannot be opened.

    Raises
    ------
    PrestigeError
        As of :func:`~prestige.data.hdf5.opened.opened_h5ad`.
    DataError
        When an element that is used cannot be read, a sparse matrix is broken, or lengths do not agree.
    """
    import anndata

    where = str(path)
    with opened_h5ad(path, kind) as file:
        obs, var = (read_columns(file, name, where=where)[0] for name in ("obs", "var"))
        obs.index, var.index = obs.index.astype(str), var.index.astype(str)
        with reading(path, expected=EXPECTED):
            layers, uns = (_names(file, name) for name in ("layers", "uns"))
            there = {name for name in ("X", "obsm/spatial", "raw/X", "raw/var") if name in file}
        parts: dict[str, Any] = {
            "X": read_matrix(file, "X", where=where) if "X" in there else None,
            "layers": {name: matrix for name in layers if (matrix := _layer(file, name, where)) is not None},
            "uns": {name: read_part(file, f"uns/{name}", where=where) for name in _UNS if name in uns},
            "raw": _raw(file, where) if {"raw/X", "raw/var"} <= there else None,
        }
        if "obsm/spatial" in there:
            parts["obsm"] = {"spatial": read_part(file, "obsm/spatial", where=where)}
    with reading(path, expected="parts of one length"), quietly():  # names that occur twice are told by line
        return anndata.AnnData(obs=obs, var=var, **parts)


def _names(file: Any, name: str) -> list[str]:
    group = file.get(name)
    return list(group.keys()) if hasattr(group, "keys") else []


def _layer(file: Any, name: str, where: str) -> Any:
    try:
        return read_matrix(file, f"layers/{name}", where=where)
    except DataError:
        if name == COUNTS:
            raise
        return None


def _raw(file: Any, where: str) -> dict[str, Any] | None:
    try:
        var = read_columns(file, "raw/var", where=where)[0]
        return {"X": read_matrix(file, "raw/X", where=where), "var": var.set_axis(var.index.astype(str))}
    except DataError:
        return None

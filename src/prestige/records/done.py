"""``DONE``: the marker of a finished run, believed with the files that it vouches for.

It holds the run's hash and, of each file, size and checksums.  Markers of older versions hold the hash alone:
there the files have to be there, and whole as far as their own form tells.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

from prestige.compute.integrity import WHOLE_BYTES, damage, vouch
from prestige.errors import PrestigeError, StorageError, reading, storing
from prestige.inputs import read_json_object, read_text

SCHEMA = "prestige.done/1"
_VOUCHED = (
    "config.yaml",
    "manifest.json",
    "scores.parquet",
    "moments*.npz",
    "history.csv",
    "model/*",
    "predictions/*.h5ad",
)
NEEDED = ("manifest.json", "scores.parquet", "moments.npz")
"""What every finished run holds."""

_READ_WHOLE = ("config.yaml", "manifest.json", "scores.parquet", "moments.npz", "history.csv")
_HASH = re.compile(r"[0-9a-zA-Z]{1,64}")


def done_text(folder: Path, digest: str) -> str:
    """Return the marker of the run with this hash, whose files are written.

    Raises
    ------
    StorageError
        When one cannot be read back.
    """
    with storing(folder):
        paths = sorted(path for one in _VOUCHED for path in folder.glob(one) if path.is_file())
        files = {path.relative_to(folder).as_posix(): vouch(path) for path in paths}
    return json.dumps({"schema": SCHEMA, "hash": digest, "files": files}, indent=1) + "\n"


def fault_of(folder: Path, marker: Path, *, thorough: bool = False) -> str | None:
    """Say why a run that has a marker is not finished all the same; None where it is.

    Parameters
    ----------
    thorough
        Whether what a report reads is read whole, however large it is.
    """
    try:
        files = _vouched(marker)
        if files is None:
            return _fault_of_old(folder)
        for name, vouched in files.items():
            whole_bytes = None if thorough and name in _READ_WHOLE else WHOLE_BYTES
            with reading(folder / name, kind=StorageError):
                found = damage(folder / name, vouched, whole_bytes=whole_bytes)
            if found is not None:
                return f"{name} {found}"
    except PrestigeError as error:
        return _within(error, folder)
    return None


def _vouched(marker: Path) -> dict[str, dict[str, Any]] | None:
    """Return what a marker vouches for, None for one of an older version.

    Raises
    ------
    PrestigeError
        When it is neither.
    """
    text = read_text(marker, expected="the marker of a finished run").strip()
    if _HASH.fullmatch(text):
        return None
    if not text:
        raise StorageError("is empty", where=marker)
    content = read_json_object(marker, expected="the marker of a finished run")
    files = content.get("files")
    if not isinstance(files, dict) or not all(isinstance(one, dict) for one in files.values()):
        raise StorageError("vouches for no files", where=marker)
    if lacks := [name for name in NEEDED if name not in files]:
        raise StorageError(f"does not vouch for {lacks[0]}", where=marker)
    if others := [name for name in files if name.startswith("/") or ".." in name.split("/")]:
        raise StorageError(f"vouches for a file of another folder, {others[0]}", where=marker)
    return files


def _fault_of_old(folder: Path) -> str | None:
    """Say which file is missing, or cut off as far as its own form tells at once."""
    import h5py
    import pyarrow.parquet as pq
    from safetensors import safe_open

    for name in NEEDED:
        if not (folder / name).is_file():
            return f"{name} is missing"
    read_json_object(folder / "manifest.json", expected="the manifest of a run")
    with reading(folder / "scores.parquet"):
        pq.read_metadata(folder / "scores.parquet")
    for path in sorted(folder.glob("moments*.npz")):
        with reading(path), zipfile.ZipFile(path) as archive:
            archive.namelist()
    for path in sorted((folder / "model").glob("*.safetensors")):
        with reading(path), safe_open(path, framework="np"):
            pass
    for path in sorted((folder / "predictions").glob("*.h5ad")):
        with reading(path), h5py.File(path, "r"):
            pass
    return None


def _within(error: PrestigeError, folder: Path) -> str:
    """Return a fault as one of a file in the folder: "moments.npz cannot be read (...)"."""
    where = Path(error.where or "")
    name = where.relative_to(folder).as_posix() if where.is_relative_to(folder) else str(where)
    return f"{name} {error.what}".strip()

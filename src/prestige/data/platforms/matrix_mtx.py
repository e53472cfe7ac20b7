"""Matrices in three texts: ``matrix.mtx``, ``barcodes.tsv`` and ``features.tsv`` (``genes.tsv``).

Each may be packed by gzip.  They lie in a folder of their own, or beside other files with one name before all
three (``GSM1_S1_matrix.mtx.gz``): then that of ``matrix.mtx`` stands for them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from prestige.data.platforms.matrix import ABOUT, EXPECTED, Matrix, Wanted, matrix_named
from prestige.data.platforms.packed import opened_text, text_of
from prestige.errors import AGAIN, DataError, reading

_WIDEST_LINE = 64  # characters of a line of matrix.mtx
_FIELDS = ("integer", "real")
_NAMES = {
    "matrix": ("matrix.mtx.gz", "matrix.mtx"),
    "barcodes": ("barcodes.tsv.gz", "barcodes.tsv"),
    "features": ("features.tsv.gz", "features.tsv", "genes.tsv.gz", "genes.tsv"),
}


def texts_in(path: Path) -> dict[str, Path]:
    """Return the three texts of a matrix: "matrix", "barcodes" and "features".

    Parameters
    ----------
    path
        Their folder, or ``matrix.mtx`` with whatever stands before and behind that.

    Raises
    ------
    DataError
        When one is not there.
    """
    return {role: _one_of(path, role) for role in _NAMES}


def of_texts(path: Path) -> Matrix:
    """Return the matrix of a folder of texts, or of those beside a ``matrix.mtx``.

    Raises
    ------
    DataError
        When a file is missing or damaged, they contradict each other, or there are no genes.
    """
    files = texts_in(path)
    ids = [row[0] for row in _rows(files["barcodes"], "barcodes, one a line")]
    rows = _rows(files["features"], "features: id, name and type, one a line")
    width = min(map(len, rows)) if rows else 0
    types = [row[2] for row in rows] if width > 2 else None
    # Those of other writers have one column: what genes are called.
    names = [row[0] for row in rows], [row[min(width, 2) - 1] for row in rows], types
    head = _mtx_head(files["matrix"])
    if head.shape != (len(rows), len(ids)):
        raise DataError(
            f"{head.shape[0]:,} x {head.shape[1]:,} by its head, with {len(rows):,} lines in "
            f"{files['features'].name} and {len(ids):,} in {files['barcodes'].name}",
            where=files["matrix"],
            expected="features x barcodes",
            remedy=_remedy(head.shape, (len(rows), len(ids)), files),
        )
    read = partial(_mtx_counts, files["matrix"], head)
    return matrix_named(path, ids, names, head.about, read, stored=head.stored)


def _remedy(stored: tuple[int, int], named: tuple[int, int], files: Mapping[str, Path]) -> str:
    """Say what to do about names that are more or fewer than a matrix has rows and columns."""
    if stored == named[::-1]:
        return "it is turned: write it transposed, features in rows"
    more = [
        name for name, n, there in zip(("features", "barcodes"), stored, named, strict=True) if there == n + 1
    ]
    exact = sum(n == there for n, there in zip(stored, named, strict=True))
    if more and len(more) + exact == 2:
        told = " and ".join(files[name].name for name in more)
        return f"take the header off {told}: there is one line too many"
    return "take the three files from one folder of one run"


def about_texts(path: Path) -> dict[str, str]:
    """Return what texts say of their making, without their names.

    Raises
    ------
    DataError
        When it has no ``matrix.mtx``, or one that is damaged.
    """
    return dict(_mtx_head(_one_of(path, "matrix")).about)


def _one_of(path: Path, role: str) -> Path:
    folder, before = path, ""
    if not path.is_dir():
        folder, before = path.parent, path.name.removesuffix(".gz").removesuffix("matrix.mtx")
    elif not any((path / name).exists() for name in _NAMES[role]) and (path / path.name).is_dir():
        folder = path / path.name  # as archives are unpacked into a folder of their own name
    names = [before + name for name in _NAMES[role]]
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise DataError(
        f"no file {' or '.join(names)}",
        where=folder,
        expected=f"{EXPECTED}: matrix.mtx, barcodes.tsv and features.tsv, packed or not",
    )


def _rows(path: Path, expected: str) -> list[list[str]]:
    text = text_of(path, expected=expected)
    with reading(path, expected=expected):
        return [row for row in csv.reader(text.splitlines(), delimiter="\t") if row and any(row)]


@dataclass(frozen=True)
class _Head:
    """What a ``matrix.mtx`` says before its numbers."""

    shape: tuple[int, int]
    stored: int
    about: Mapping[str, str]


def _mtx_head(path: Path) -> _Head:
    expected = (
        "%%MatrixMarket matrix coordinate integer general, and the numbers of features, barcodes, counts"
    )
    about: dict[str, str] = {}
    with opened_text(path, expected=expected) as stream, reading(path, expected=expected):
        form = stream.readline(1024).decode().split()
        line = stream.readline(1 << 20)
        while line.startswith(b"%"):
            if line.startswith(b"%metadata_json:"):
                about = _metadata(line)
            line = stream.readline(1 << 20)
        n_features, n_obs, stored = (int(word) for word in line.split())
        size = path.stat().st_size
    field_of = form[3].lower() if len(form) == 5 else ""
    plain = form[:3] == ["%%MatrixMarket", "matrix", "coordinate"] and form[4:] == ["general"]
    if not (plain and field_of in _FIELDS) and stored:
        raise DataError(f"begins with '{' '.join(form)}'", where=path, expected=expected)
    if min(n_features, n_obs, stored) < 0 or stored > size * 200 or max(n_features, n_obs) > 2**31 - 1:
        raise DataError(
            f"declares {stored:,} counts in {size:,} bytes", where=path, expected=expected, remedy=AGAIN
        )
    return _Head((n_features, n_obs), stored, about)


def _metadata(line: bytes) -> dict[str, str]:
    try:
        said = json.loads(line.partition(b":")[2])
    except ValueError:
        return {}
    return {key: str(said[name]) for name, key in ABOUT.items() if isinstance(said, dict) and name in said}


def _mtx_counts(path: Path, head: _Head, wanted: Wanted) -> csr_matrix:
    from scipy.io import mmread

    rows = np.flatnonzero(wanted.rows)
    if not head.stored:
        none = np.empty(0, np.float32), np.empty(0, np.int32), np.zeros(len(rows) + 1, np.int32)
        return csr_matrix(none, shape=(len(rows), wanted.n_genes))
    most = (head.stored + 16) * _WIDEST_LINE + (1 << 20)
    with opened_text(path, expected=EXPECTED, most_bytes=most) as stream, reading(path, expected=EXPECTED):
        stored: Any = mmread(stream)
    features, observations = stored.coords
    columns, kept = wanted.of(features)
    inside = wanted.rows[observations]
    inside = inside if kept is None else inside & kept
    places = np.cumsum(wanted.rows) - 1
    with np.errstate(over="ignore", invalid="ignore"):
        values = stored.data[inside].astype(np.float32)
    by = (places[observations[inside]], columns[inside])
    out = csr_matrix((values, by), shape=(len(rows), wanted.n_genes))
    if out.nnz != len(values):
        raise DataError(
            "names a feature of a barcode twice", where=path, expected="every count once", remedy=AGAIN
        )
    return out

"""Matrices of counts as the pipelines of 10x Genomics write them: an ``.h5`` file, or three texts."""

from __future__ import annotations

from pathlib import Path

from prestige.data.platforms.matrix import Matrix
from prestige.data.platforms.matrix_h5 import about_h5, of_h5
from prestige.data.platforms.matrix_mtx import about_texts, of_texts, texts_in
from prestige.errors import DataError


def matrix_of(path: Path) -> Matrix:
    """Return the matrix of an ``.h5`` file, of a folder with ``matrix.mtx`` or of the texts beside one.

    Raises
    ------
    DataError
        When there is none, it is damaged, or it has no features of the type ``Gene Expression``.
    """
    return of_texts(path) if _is_texts(path) else of_h5(path)


def about_of(path: Path) -> dict[str, str]:
    """Return what a matrix says of its making ("software", "chemistry", "library"), without its names.

    Raises
    ------
    DataError
        When it is missing or damaged.
    """
    return about_texts(path) if _is_texts(path) else about_h5(path)


def files_of(path: Path) -> dict[str, Path]:
    """Return the files or the folder on which a matrix depends, by their roles.

    Raises
    ------
    DataError
        When one of several texts is not there.
    """
    if not _is_texts(path) or path.is_dir():
        return {"matrix": path}
    return texts_in(path)


def _is_texts(path: Path) -> bool:
    return path.is_dir() or path.name.removesuffix(".gz").endswith("matrix.mtx")


def contradiction(taken: Matrix, beside: Path) -> str | None:
    """Return a note where the same matrix in another form, beside the one that was taken, is another one.

    Compared are names, whatever their order, and how many counts each says it has.
    """
    names = f"{taken.path.name} and {'the folder ' if beside.is_dir() else ''}{beside.name}"
    try:
        other = matrix_of(beside)
        unlike = _unlike(taken, other)
    except DataError as error:
        unlike = f"the latter {error.what}"
    return f"{names} disagree ({unlike}): the former was taken" if unlike else None


def _unlike(one: Matrix, other: Matrix) -> str | None:
    shapes = [(len(matrix.features), len(matrix.ids)) for matrix in (one, other)]
    if shapes[0] != shapes[1]:
        return " against ".join(f"{features:,} features x {n:,} barcodes" for features, n in shapes)
    for what, ours, theirs in (
        ("features", one.features.index, other.features.index),
        ("barcodes", one.ids, other.ids),
    ):
        if not ours.equals(theirs) and set(ours) != set(theirs):
            return f"of {len(ours):,} {what} {len(set(ours) & set(theirs)):,} are in both"
    if None not in (one.stored, other.stored) and one.stored != other.stored:
        return f"{one.stored:,} counts against {other.stored:,}"
    return None

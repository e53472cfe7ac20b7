"""Matrices of counts as the pipelines of 10x Genomics write them: an ``.h5`` file, or a folder of texts."""

from __future__ import annotations

from pathlib import Path

from prestige.data.platforms.matrix import Matrix
from prestige.data.platforms.matrix_h5 import of_h5
from prestige.data.platforms.matrix_mtx import of_folder


def matrix_of(path: Path) -> Matrix:
    """Return the matrix of an ``.h5`` file or of a folder with ``matrix.mtx``.

    Raises
    ------
    DataError
        When there is none, it is damaged, or it has no features of the type ``Gene Expression``.
    """
    return of_folder(path) if path.is_dir() else of_h5(path)

"""How an H&E image lies on the image that an instrument took: an affine matrix, as it is exported.

Matrix files hold three rows of three numbers without a header.  They take pixels (x, y) of the H&E image's
largest level to pixels of the morphology image, as ``*_imagealignment.csv`` beside public data sets and
``matrix.csv`` of Xenium Explorer do.  Files of keypoints hold pairs of the two places: a matrix is fitted.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from prestige.errors import DataError, reading
from prestige.inputs import is_stray, plain_file, read_text

EXPECTED = "3 rows of 3 numbers without a header: pixels of the H&E image -> pixels of the morphology image"
_KEYPOINTS = ("fixedx", "fixedy", "alignmentx", "alignmenty")
_MOST_BYTES, _MOST_TEXTS = 1 << 20, 16
_MOST_STRETCHED = 0.05  # between the two axes of one image
_MOST_PX = 1e7  # no image is as wide
_SAME_PX = 1.0


@dataclass(frozen=True, eq=False)
class Alignment:
    """An affine alignment of an H&E image.

    Parameters
    ----------
    matrix
        (3, 3) from pixels (x, y, 1) of the H&E image's largest level to pixels of the morphology image.
    where
        The file, for messages.
    notes
        How it came about where it was not simply read.
    """

    matrix: Float[np.ndarray, "3 3"]
    where: str
    notes: tuple[str, ...] = ()

    @property
    def scale(self) -> float:
        """Morphology pixels that an H&E pixel is wide: the square root of the area it covers."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))

    def on_image(self, xy_px: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Return places in the H&E image, from places in the morphology image."""
        back = np.linalg.inv(self.matrix)
        return xy_px @ back[:2, :2].T + back[:2, 2]


def identity(where: str) -> Alignment:
    """Return the alignment of an image whose pixels are those of the morphology image."""
    return Alignment(np.eye(3), where)


def read_alignment(path: Path) -> Alignment:
    """Read a matrix, keypoints, or the zip archive of both that Xenium Explorer exports.

    Raises
    ------
    DataError
        For a file that is none of these, and for a matrix that no alignment of one section can be.
    """
    plain_file(path, expected=EXPECTED)
    with reading(path, expected=EXPECTED):
        is_zip = zipfile.is_zipfile(path)
    if is_zip:
        return _from_zip(path)
    return _from_text(read_text(path, expected=EXPECTED, most_bytes=_MOST_BYTES), str(path))


def _from_zip(path: Path) -> Alignment:
    expected = "a zip archive of matrix.csv and keypoints.csv"
    texts: dict[str, str] = {}
    with reading(path, expected=expected), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = PurePosixPath(member.filename).name
            if name.lower().endswith(".csv") and not is_stray(name) and len(texts) < _MOST_TEXTS:
                with archive.open(member) as stream:
                    content = stream.read(_MOST_BYTES + 1)
                if len(content) > _MOST_BYTES:
                    raise DataError(f"'{name}' in it is too large", where=path, expected=expected)
                texts[name] = content.decode("utf-8-sig")
    points = {name: text for name, text in texts.items() if _is_keypoints(text)}
    matrices = {name: text for name, text in texts.items() if name not in points}
    if len(matrices) > 1:
        matrices = {name: text for name, text in matrices.items() if re.search("matrix|align", name, re.I)}
    if len(matrices) > 1 or len(points) > 1 or not (matrices or points):
        held = ", ".join(f"'{name}'" for name in list(texts)[:4]) or "no csv"
        raise DataError(f"holds {held}", where=path, expected=expected, remedy="unpack it and name the file")
    (name, text) = next(iter((matrices or points).items()))
    found = _from_text(text, f"{path}, {name}")
    if not (matrices and points):
        return found
    fixed, of_image = _pairs(next(iter(points.values())), f"{path}, {next(iter(points))}")
    return Alignment(found.matrix, found.where, _residual_notes(found, fixed, of_image, "the matrix"))


def _from_text(text: str, where: str) -> Alignment:
    if _is_keypoints(text):
        return _fitted(*_pairs(text, where), where)
    rows = _rows(text)
    if len(rows) != 3 or any(len(row) != 3 for row in rows):
        widths = sorted({len(row) for row in rows})
        shape = f"{len(rows)} rows of {' or '.join(map(str, widths))} fields" if rows else "nothing"
        raise DataError(f"holds {shape}", where=where, expected=EXPECTED, remedy=_remedy(rows))
    with reading(where, expected=EXPECTED, remedy="take a header and row names away"):
        matrix = np.array([[float(field) for field in row] for row in rows])
    return checked(Alignment(matrix, where))


def _remedy(rows: list[list[str]]) -> str:
    widths = {len(row) for row in rows}
    if widths == {3} and len(rows) == 2:
        return "add the last row, 0,0,1"
    if len(rows) == 4 and widths <= {3, 4}:
        if rows[0][-3:] == ["0", "1", "2"] or not all(map(_is_number, rows[0])):
            return "take the header and the names of rows off"
        if widths == {4}:
            return "leave out the third row and the third column, which are of z"
    if sum(map(len, rows)) == 9:
        return "write it as three rows of three"
    return "name the file that the alignment is in"


def _is_number(field: str) -> bool:
    with suppress(ValueError):
        float(field)
        return True
    return False


def checked(alignment: Alignment) -> Alignment:
    """Return an alignment that one section on two images can have.

    Raises
    ------
    DataError
        For numbers that are not finite, a last row other than 0, 0, 1, a matrix without inverse, and one that
        stretches an axis by more than 5 % against the other.
    """
    matrix, where = alignment.matrix, alignment.where

    def fault(what: str, remedy: str | None = None) -> DataError:
        return DataError(what, where=where, expected=EXPECTED, remedy=remedy)

    if not np.isfinite(matrix).all() or np.abs(matrix).max() > _MOST_PX:
        raise fault("holds numbers that are not finite or too large")
    if not np.allclose(matrix[2], (0, 0, 1), atol=1e-9):
        last = ", ".join(f"{value:g}" for value in matrix[2])
        turned = " (is it transposed?)" if np.allclose(matrix[:2, 2], 0) else ""
        raise fault(f"its last row is {last} in place of 0, 0, 1{turned}", "export an affine alignment")
    widest, narrowest = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    if narrowest < 1e-4 or widest > 1e4:
        raise fault(f"it makes a pixel {widest:.3g} x {narrowest:.3g} pixels wide")
    if widest / narrowest > 1 + _MOST_STRETCHED:
        raise fault(
            f"it stretches one axis {widest / narrowest:.3g} times as much as the other",
            "align the images again: both have square pixels",
        )
    return alignment


def _rows(text: str) -> list[list[str]]:
    """Return the fields of each line that holds any, parted by commas, semicolons, tabs or blanks."""
    rows = []
    for line in filter(None, map(str.strip, text.splitlines())):
        sign = next((sign for sign in ",;\t" if sign in line), None)
        rows.append([field.strip().strip('"') for field in line.split(sign)])
    return rows


def _is_keypoints(text: str) -> bool:
    head = _rows(text[:2000])[:1]
    names = {field.lower() for row in head for field in row}
    return len(names & set(_KEYPOINTS)) >= 2


def _pairs(text: str, where: str) -> tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "k 2"]]:
    """Return the places of keypoints in the morphology image and in the H&E image."""
    expected = (
        "keypoints: the columns fixedX, fixedY (morphology), alignmentX, alignmentY (H&E), 3 pairs or more"
    )
    head, *rows = _rows(text)
    columns = [field.lower() for field in head]
    missing = [name for name in _KEYPOINTS if columns.count(name) != 1]
    if missing:
        raise DataError(f"has no column '{missing[0]}'", where=where, expected=expected)
    with reading(where, expected=expected, remedy="mend the row"):
        values = [[float(row[columns.index(name)]) for name in _KEYPOINTS] for row in rows]
    points = np.array(values, dtype=np.float64).reshape(-1, 4)
    if not np.isfinite(points).all() or (np.abs(points) > _MOST_PX).any():
        raise DataError("holds numbers that are not finite or too large", where=where, expected=expected)
    if len(points) < 3:
        raise DataError(f"holds {len(points)} pairs", where=where, expected=expected)
    return points[:, :2], points[:, 2:]


def _fitted(fixed: Float[np.ndarray, "k 2"], of_image: Float[np.ndarray, "k 2"], where: str) -> Alignment:
    """Return the affine matrix that takes keypoints of the H&E image nearest to their pairs, by squares."""
    middle = of_image.mean(axis=0)
    spread = np.linalg.svd(of_image - middle, compute_uv=False)
    if spread[1] < 1e-3 * max(spread[0], 1.0):
        raise DataError(
            f"all {len(of_image)} keypoints lie on a line",
            where=where,
            expected="3 pairs or more that are not on a line",
            remedy="add a pair beside it",
        )
    design = np.column_stack([of_image - middle, np.ones(len(of_image))])
    solved = np.linalg.lstsq(design, fixed, rcond=None)[0]
    matrix = np.eye(3)
    matrix[:2, :2] = solved[:2].T
    matrix[:2, 2] = solved[2] - matrix[:2, :2] @ middle
    found = checked(Alignment(matrix, where))
    return Alignment(matrix, where, _residual_notes(found, fixed, of_image, "a matrix fitted to them"))


def _residual_notes(
    found: Alignment, fixed: Float[np.ndarray, "k 2"], of_image: Float[np.ndarray, "k 2"], what: str
) -> tuple[str, ...]:
    """Say how far keypoints lie from where the matrix takes them."""
    there = of_image @ found.matrix[:2, :2].T + found.matrix[:2, 2]
    apart = np.sqrt(((there - fixed) ** 2).sum(axis=1))
    rms = float(np.sqrt((apart**2).mean()))
    words = f"{len(fixed)} pairs of keypoints lie {rms:.3g} morphology pixels (rms) from {what}"
    if len(fixed) == 3 and "fitted" in what:
        return (f"{words}, as any 3 pairs would: nothing tells how good the alignment is",)
    worst = int(apart.argmax())
    return (f"{words}, pair {worst + 1} by most ({apart[worst]:.3g})",)


def candidates(folders: Sequence[Path]) -> list[Path]:
    """Return files in some folders that are alignments by their names."""
    found = []
    for folder in folders:
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if re.search(r"(align|matrix|keypoints)[^/]*\.(csv|zip)$", path.name, re.I) and not is_stray(
                    path.name
                ):
                    found.append(path)
    return list(dict.fromkeys(found))

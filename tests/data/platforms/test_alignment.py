"""Alignments of an H&E image: matrices, keypoints, archives of both."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.platforms.alignment import Alignment, checked, identity, read_alignment
from prestige.errors import DataError

TURNED = "0.011,1.29,808\n-1.29,0.011,73097\n0,0,1\n"


def written(folder: Path, text: str, name: str = "matrix.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_examples_of_explorer_give_their_worked_values(shared_data: Path) -> None:
    folder = shared_data / "exports" / "xenium" / "alignment_examples"
    turned = read_alignment(folder / "rotated90_he_imagealignment.csv")
    np.testing.assert_allclose(turned.matrix[:2, 2], (807.979, 73097.655), atol=1e-3)
    np.testing.assert_allclose(turned.on_image(turned.matrix[None, :2, 2]), [[0, 0]], atol=1e-6)
    assert turned.scale == pytest.approx(1.28963, abs=1e-5)
    assert 0.2125 * turned.scale == pytest.approx(0.27404, abs=1e-5)
    mirrored = read_alignment(folder / "mirrored_matrix.csv")
    assert np.linalg.det(mirrored.matrix) < 0
    assert 0.2125 * mirrored.scale == pytest.approx(0.41504, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (TURNED, "utf-8-sig"),
        (TURNED.replace("\n", "\r\n"), "utf-8"),
        (TURNED.replace(",", ", "), "utf-8"),
        (TURNED.replace(",", "\t"), "utf-8"),
        (TURNED.replace(",", ";"), "utf-8"),
        (TURNED.replace(",", "  ") + "\n\n", "utf-8"),
        ("1.1e-2,1.29,808.0\n-1.29e0,0.011,7.3097e4\n0.0,0.0,1.0", "utf-8"),
    ],
)
def test_forms_of_a_matrix(tmp_path: Path, text: str, encoding: str) -> None:
    found = read_alignment(written(tmp_path, text, encoding=encoding))
    np.testing.assert_array_equal(found.matrix, [[0.011, 1.29, 808], [-1.29, 0.011, 73097], [0, 0, 1]])
    # H&E (10, 20) -> 0.11 + 25.8 + 808, -12.9 + 0.22 + 73097
    np.testing.assert_allclose(found.on_image(np.array([[833.91, 73084.32]])), [[10, 20]], atol=1e-8)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds nothing"),
        ("1,0,0\n0,1,0\n", "add the last row, 0,0,1"),
        ("1,0,0,0,1,0,0,0,1\n", "write it as three rows of three"),
        ("1,0\n0,1\n", "name the file that the alignment is in"),
        ("a,b,c\n1,0,0\n0,1,0\n0,0,1\n", "take the header and the names of rows off"),
        ("0,1,2\n1,0,0\n0,1,0\n0,0,1\n", "take the header and the names of rows off"),
        ("1,0,0,9\n0,1,0,5\n0,0,1,0\n0,0,0,1\n", "leave out the third row and the third column"),
        (",0,1,2\n0,1,0,0\n1,0,1,0\n2,0,0,1\n", "take the header and the names of rows off"),
        ("1,0,x\n0,1,0\n0,0,1\n", "cannot be read"),
        ("1,0,nan\n0,1,0\n0,0,1\n", "not finite"),
        ("1,0,1e300\n0,1,0\n0,0,1\n", "too large"),
        (
            "0.011,-1.29,0\n1.29,0.011,0\n808,73097,1\n",
            "808, 73097, 1 in place of 0, 0, 1 (is it transposed?)",
        ),
        ("1,0,0\n0,1,0\n1e-5,0,1\n", "in place of 0, 0, 1"),
        ("1,1,0\n1,1,0\n0,0,1\n", "pixels wide"),
        ("0,0,0\n0,0,0\n0,0,1\n", "pixels wide"),
        ("1,0,0\n0,1.2,0\n0,0,1\n", "stretches one axis 1.2 times"),
        ("1,0.1,0\n0,1,0\n0,0,1\n", "stretches one axis 1.11 times"),
    ],
)
def test_what_is_no_alignment_is_a_line(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError) as told:
        read_alignment(path)
    assert words in str(told.value)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_lens_stretches_a_little(tmp_path: Path) -> None:
    found = read_alignment(written(tmp_path, "1.3,0.01,5\n0.01,1.34,9\n0,0,1\n"))
    assert found.scale == pytest.approx(np.sqrt(1.3 * 1.34 - 0.0001))


KEYPOINTS = "fixedX,fixedY,alignmentX,alignmentY\n"


def test_keypoints_are_fitted_and_their_residual_is_said(tmp_path: Path) -> None:
    # fixed = 2 * (y, -x) + (100, 500), the last off by (3, 4)
    pairs = [(0, 0), (10, 0), (0, 10), (10, 10)]
    rows = [(100 + 2 * y, 500 - 2 * x, x, y) for x, y in pairs]
    exact = read_alignment(written(tmp_path, KEYPOINTS + "\n".join(",".join(map(str, row)) for row in rows)))
    np.testing.assert_allclose(exact.matrix, [[0, 2, 100], [-2, 0, 500], [0, 0, 1]], atol=1e-9)
    rows[3] = (rows[3][0] + 0.3, rows[3][1] + 0.4, 10, 10)
    text = KEYPOINTS + "\n".join(",".join(map(str, row)) for row in rows)
    found = read_alignment(written(tmp_path, text))
    # four corners, an affine fit: each is left a quarter of the 0.5 by which one is off
    assert found.notes[0].startswith(
        "4 pairs of keypoints lie 0.125 morphology pixels (rms) from a matrix fitted to them, pair "
    )
    three = read_alignment(written(tmp_path, KEYPOINTS + "\n".join(text.splitlines()[1:4])))
    assert "nothing tells how good" in three.notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (KEYPOINTS + "1,2,3,4\n5,6,7,8\n", "holds 2 pairs"),
        (KEYPOINTS + "1,2,3,4\n5,6,7,8\n9,10,11,12\n", "lie on a line"),
        (KEYPOINTS + "1,2,3,4\n5,6,7,8\n9,10,11,12\nx,1,1,1\n", "cannot be read"),
        (KEYPOINTS + "1,2,3\n", "cannot be read"),
        (KEYPOINTS + "1,2,3,inf\n", "not finite"),
        ("fixedX,fixedY,alignmentX\n1,2,3\n", "no column 'alignmenty'"),
    ],
)
def test_keypoints_that_cannot_be_fitted_are_a_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError) as told:
        read_alignment(written(tmp_path, text))
    assert words in str(told.value)


def test_an_archive_of_explorer(tmp_path: Path) -> None:
    path = tmp_path / "he.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("export/he_matrix.csv", "0,2,100\n-2,0,500\n0,0,1\n")
        archive.writestr("export/keypoints.csv", KEYPOINTS + "100,500,0,0\n100,480,10,0\n120,503,0,10\n")
        archive.writestr("__MACOSX/._he_matrix.csv", "\0")
    found = read_alignment(path)
    np.testing.assert_array_equal(found.matrix, [[0, 2, 100], [-2, 0, 500], [0, 0, 1]])
    assert found.notes == (
        "3 pairs of keypoints lie 1.73 morphology pixels (rms) from the matrix, pair 3 by most (3)",
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(DataError, match=r"holds no csv; expected a zip archive of matrix\.csv"):
        read_alignment(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("matrix.csv", "0" * (1 << 21))
    with pytest.raises(DataError, match="is too large"):
        read_alignment(path)


ANGLES = st.floats(0, 2 * np.pi)
SCALES = st.floats(0.1, 20)
SHIFTS = st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    """Draw similarity maps with a little shear, mirrored or not."""
    angle, scale = draw(ANGLES), draw(SCALES)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    bent = np.array([[1.0, draw(st.floats(-0.02, 0.02))], [0.0, draw(st.sampled_from((1.0, -1.0)))]])
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = scale * turn @ bent, draw(SHIFTS)
    return matrix


@given(matrices(), st.lists(st.tuples(st.floats(0, 6e4), st.floats(0, 6e4)), min_size=1, max_size=5))
def test_there_and_back(matrix: np.ndarray, places: list[tuple[float, float]]) -> None:
    xy, alignment = np.array(places), checked(Alignment(matrix, "drawn"))
    there = xy @ matrix[:2, :2].T + matrix[:2, 2]
    np.testing.assert_allclose(alignment.on_image(there), xy, atol=1e-4)
    assert alignment.scale**2 == pytest.approx(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]))


@given(matrices(), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6))
def test_keypoints_of_a_matrix_give_it_back(
    tmp_path_factory: pytest.TempPathFactory, matrix: np.ndarray, more: list[tuple[int, int]]
) -> None:
    of_image = np.array([(0, 0), (50_000, 0), (0, 40_000), *((1000 * x, 1000 * y) for x, y in more)], float)
    fixed = of_image @ matrix[:2, :2].T + matrix[:2, 2]
    if np.abs(fixed).max() > 1e7:
        return
    rows = [",".join(f"{value:.9f}" for value in row) for row in np.hstack([fixed, of_image])]
    path = written(tmp_path_factory.mktemp("points"), KEYPOINTS + "\n".join(rows))
    np.testing.assert_allclose(read_alignment(path).matrix[:2, :2], matrix[:2, :2], atol=1e-8)


def test_identity_moves_nothing() -> None:
    assert identity("here").scale == 1
    np.testing.assert_array_equal(identity("here").on_image(np.array([[3.0, 4.0]])), [[3, 4]])

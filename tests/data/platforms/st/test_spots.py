"""Spots of classic Spatial Transcriptomics: names, files, the pitch of the array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prestige.data.platforms.st.spots import PITCH_UM, is_spot_file, pitch_of, places_in, read_spots, rows_of
from prestige.errors import DataError


def array(kind: str, matrix: np.ndarray, shift: tuple[float, float] = (500, 400)) -> pd.DataFrame:
    """Return the spot file of an array that lies on its image by a matrix."""
    x, y = np.meshgrid(np.arange(1, 12), np.arange(1, 10))
    places = np.column_stack([x.ravel(), y.ravel()])
    places = places[places.sum(axis=1) % 2 == 0] if kind == "2k" else places
    jitter = np.random.default_rng(0).normal(0, 0.03, places.shape)
    pixels = (places + jitter) @ matrix.T + shift
    return pd.DataFrame(
        np.column_stack([places, places + jitter, pixels, np.arange(len(places)) % 3 > 0]),
        columns=["x", "y", "new_x", "new_y", "pixel_x", "pixel_y", "selected"],
    ).astype({"x": int, "y": int, "selected": int})


def written(folder: Path, table: pd.DataFrame) -> Path:
    path = folder / "spots.tsv"
    table.to_csv(path, sep="\t", index=False)
    return path


def test_names_state_places() -> None:
    found = places_in(["10x14", "X9.98x14.03", "0x0"])
    assert found is not None
    np.testing.assert_array_equal(found, [[10, 14], [9.98, 14.03], [0, 0]])
    for names in (["10_14", "3_2"], ["S1_10x14", "S1_3x2"], ["10x14_1", "3x2_1"], ["X10-14", "X3-2"]):
        found = places_in(names)
        assert found is not None
        assert found.tolist() == [[10, 14], [3, 2]]
    assert places_in(["S1_10x14", "S2_3x2"]) is None  # of two sections
    assert all(places_in(names) is None for names in (["10x14", "GENE"], ["10x14x2"], ["-1x2"], [], ["x1"]))


@settings(max_examples=30)
@given(st.floats(20, 400), st.floats(-3.1, 3.1), st.booleans(), st.sampled_from(["1k", "2k"]))
def test_the_pitch_is_that_of_the_array_however_it_lies(
    tmp_path_factory: pytest.TempPathFactory, px: float, angle: float, mirrored: bool, kind: str
) -> None:
    # Neighbours on the array of 2k lie across: sqrt(2) units apart.
    unit = px if kind == "1k" else px / np.sqrt(2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = unit * turn @ np.diag([1, -1 if mirrored else 1])
    spots = read_spots(written(tmp_path_factory.mktemp("spots"), array(kind, matrix)))
    found = pitch_of(spots, where="spots")
    assert found is not None
    assert found.px == pytest.approx(px, rel=1e-6)
    assert (found.kind, found.mirrored) == (kind, mirrored)


def test_a_spot_file_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    table = array("1k", 10 * np.eye(2))[["pixel_y", "selected", "x", "y", "pixel_x", "new_y", "new_x"]]
    spots = read_spots(written(tmp_path, table))
    np.testing.assert_allclose(spots.xy_px, table[["pixel_x", "pixel_y"]])
    np.testing.assert_array_equal(spots.array, table[["x", "y"]])
    np.testing.assert_array_equal(spots.selected, table["selected"] == 1)
    assert spots.names[:2] == ["1x1", "2x1"]
    capitals = read_spots(written(tmp_path, table.rename(columns=str.upper)))
    np.testing.assert_array_equal(capitals.xy_px, spots.xy_px)
    np.testing.assert_array_equal(capitals.selected, spots.selected)
    assert is_spot_file([name.title() for name in table.columns])
    bare = read_spots(written(tmp_path, table[["x", "y", "pixel_x", "pixel_y"]]))
    assert bare.selected.all()
    np.testing.assert_array_equal(bare.measured, bare.array)


def test_names_of_old_files_are_found_by_the_measured_places(tmp_path: Path) -> None:
    table = array("1k", 10 * np.eye(2))
    spots = read_spots(written(tmp_path, table))
    wanted = table[["new_x", "new_y"]].round(2).to_numpy()[[5, 3, 8]]
    np.testing.assert_array_equal(rows_of(spots, np.vstack([wanted, [3.5, 3.5]])), [5, 3, 8, -1])
    np.testing.assert_array_equal(rows_of(spots, np.array([[2.0, 1], [99, 1]])), [1, -1])


def test_few_spots_or_a_line_of_them_have_no_pitch(tmp_path: Path) -> None:
    table = array("1k", 10 * np.eye(2))
    assert pitch_of(read_spots(written(tmp_path, table[:7])), where="a") is None
    line = array("1k", 10 * np.eye(2)).assign(new_y=3.0)
    assert pitch_of(read_spots(written(tmp_path, line[line.y == 1])), where="a") is None


def test_an_array_that_is_larger_has_no_known_kind(tmp_path: Path) -> None:
    table = array("1k", 10 * np.eye(2)).assign(x=lambda t: t.x + 40, new_x=lambda t: t.new_x + 40)
    found = pitch_of(read_spots(written(tmp_path, table)), where="a")
    assert found is not None
    assert found.kind is None
    assert PITCH_UM == {"1k": 200, "2k": 141}


def test_pixels_that_do_not_follow_the_array_are_refused(tmp_path: Path) -> None:
    table = array("1k", 100 * np.eye(2))
    table[["pixel_x", "pixel_y"]] = table[["pixel_x", "pixel_y"]].to_numpy()[
        np.random.default_rng(1).permutation(len(table))
    ]
    with pytest.raises(DataError, match="pixel_x and pixel_y do not follow the places on the array"):
        pitch_of(read_spots(written(tmp_path, table)), where="spots.tsv")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: t.drop(columns=["pixel_x", "y"]), "has no column 'y', 'pixel_x', only 'x', 'new_x'"),
        (lambda t: t.assign(pixel_x="a"), "the column 'pixel_x' holds 'a' in row 1"),
        (lambda t: t.assign(selected="maybe"), r"obs\['selected'\] is 'maybe' in"),
        (lambda t: t.assign(x=np.nan), "has spots without x and y"),
        (lambda t: pd.concat([t, t[:1]]), "names the spot 1x1 twice"),
        (lambda t: t[:0], "has no spots"),
    ],
)
def test_what_is_no_spot_file_is_a_line(tmp_path: Path, edit: object, words: str) -> None:
    table = array("1k", 10 * np.eye(2))
    with pytest.raises(DataError, match=words):
        read_spots(written(tmp_path, edit(table)))  # type: ignore[operator]

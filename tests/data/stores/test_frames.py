"""Transformations of images into coordinate systems, and from one image into another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.stores.frames import between, frames, moved, moves
from prestige.errors import DataError

CYX = ("c", "y", "x")
POINT = np.array([10.0, 20.0, 1.0])  # x, y


def matrix(*listed: dict[str, Any]) -> np.ndarray:
    (only,) = frames({"coordinateTransformations": list(listed)}, CYX, "a").values()
    return only


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        ({"type": "identity"}, (10, 20)),
        ({"type": "scale", "scale": [1, 2, 3]}, (30, 40)),
        ({"type": "translation", "translation": [0, 5, -1]}, (9, 25)),
        ({"type": "affine", "affine": [[1, 0, 0, 0], [0, 0, 1, 7], [0, 2, 0, 8]]}, (48, 17)),
        ({"type": "rotation", "rotation": [1, 0, 0, 0, 0, 1, 0, -1, 0]}, (-20, 10)),
        ({"type": "mapAxis", "mapAxis": {"c": "c", "x": "y", "y": "x"}}, (20, 10)),
        (
            {
                "type": "sequence",
                "transformations": [
                    {"type": "scale", "scale": [1, 2, 2]},
                    {"type": "translation", "translation": [0, 1, 1]},
                ],
            },
            (21, 41),
        ),
        (  # axes that are named stand for themselves
            {
                "type": "affine",
                "affine": [[2, 0, 1], [0, 1, 0]],
                "input": {"axes": [{"name": "x"}, {"name": "y"}]},
                "output": {"axes": [{"name": "x"}, {"name": "y"}], "name": "global"},
            },
            (21, 20),
        ),
    ],
)
def test_each_kind_of_transformation(one: dict[str, Any], expected: tuple[float, float]) -> None:
    np.testing.assert_allclose(matrix(one) @ POINT, [*expected, 1])


def test_each_system_has_its_own() -> None:
    listed = [
        {"type": "identity", "output": {"name": "global"}},
        {"type": "scale", "scale": [1, 2, 2], "output": {"name": "um"}},
    ]
    found = frames({"coordinateTransformations": listed}, CYX, "a")
    assert list(found) == ["global", "um"]
    assert frames({}, CYX, "a") == {}


@pytest.mark.parametrize(
    ("one", "said"),
    [
        ({"type": "displacements"}, "of the kind 'displacements'"),
        ("identity", "of the kind None"),
        ({"type": "scale", "scale": [1, 2]}, "a scale of 2 axes"),
        ({"type": "scale", "scale": [1, 2, float("nan")]}, "a scale"),
        ({"type": "affine", "affine": [[1, 0, 0, 0], [3, 1, 0, 0], [0, 0, 1, 0]]}, "mixes channels"),
        ({"type": "affine", "affine": [[1, 0, 0], [0, 1, 0]]}, "an? affine of 2 axes"),
        ({"type": "identity", "input": {"axes": [{"name": "u"}, {"name": "v"}]}}, "a transformation of u, v"),
    ],
)
def test_what_is_none_in_the_plane_is_refused(one: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        frames({"coordinateTransformations": [one]}, CYX, "a")


def test_sequences_in_sequences_come_to_an_end() -> None:
    one: dict[str, Any] = {"type": "identity"}
    for _ in range(50):
        one = {"type": "sequence", "transformations": [one]}
    with pytest.raises(DataError, match="kind"):
        frames({"coordinateTransformations": [one]}, CYX, "a")


def test_labels_come_to_the_image_through_a_system_that_both_name() -> None:
    half = np.diag([2.0, 2.0, 1.0])
    image, shifted = np.eye(3), np.array([[1.0, 0, 30], [0, 1, 40], [0, 0, 1]])
    np.testing.assert_array_equal(between({"global": half}, {"global": image}, "a"), half)
    np.testing.assert_allclose(between({"um": shifted}, {"um": half}, "a") @ POINT, [20, 30, 1])
    np.testing.assert_array_equal(between({}, {"global": half}, "a"), np.eye(3))
    chosen = between({"a": half, "global": image}, {"a": image, "global": image}, "a")
    np.testing.assert_array_equal(chosen, np.eye(3))
    with pytest.raises(DataError, match="lies in left, the image in right"):
        between({"left": half}, {"right": half}, "a")
    with pytest.raises(DataError, match="flat"):
        between({"a": half}, {"a": np.diag([1.0, 0, 1])}, "a")


def test_the_centre_of_a_pixel_stays_its_centre() -> None:
    """Pixel 0 of labels at half resolution covers pixels 0 and 1: their centre is 0.5."""
    np.testing.assert_array_equal(moved(np.array([[0.0, 3.0]]), np.diag([2.0, 2.0, 1.0])), [[0.5, 6.5]])


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_what_moves_no_pixel_is_no_move(dx: float, dy: float) -> None:
    shift = np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1.0]])
    assert moves(shift, 100, 100) == (max(abs(dx), abs(dy)) > 0.01)
    assert moves(np.diag([1.001, 1.0, 1.0]), 100, 100)
    assert not moves(np.diag([1 + 1e-9, 1.0, 1.0]), 100, 100)

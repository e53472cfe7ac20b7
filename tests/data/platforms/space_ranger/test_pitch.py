"""How an array lies on its image, by least squares over its places."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prestige.data.platforms.space_ranger.pitch import SPOTS_UM, fitted, irregular

from ....small_space_ranger import HD, VISIUM, Array


@settings(max_examples=50, deadline=None)
@given(
    um_per_px=st.floats(0.1, 10),
    degrees=st.floats(-179, 179),
    mirrored=st.booleans(),
    hexagonal=st.booleans(),
    shift=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
)
def test_an_array_laid_in_any_way_is_found(
    um_per_px: float, degrees: float, mirrored: bool, hexagonal: bool, shift: tuple[float, float]
) -> None:
    array = replace(
        VISIUM if hexagonal else replace(HD, rows=9, columns=7),
        um_per_px=um_per_px,
        degrees=degrees,
        mirrored=mirrored,
        start_px=shift,
    )
    lie = fitted(array.array, array.xy_px, array.pitch_um)
    assert lie is not None
    assert lie.um_per_px == pytest.approx(um_per_px, rel=1e-6)
    assert lie.is_mirrored == mirrored
    expected = degrees + (180 if mirrored else 0)  # a mirrored array's columns begin on the other side
    assert math.cos(math.radians(lie.degrees - expected)) == pytest.approx(1)
    assert lie.residual_um < 1e-3
    np.testing.assert_allclose(
        lie.xy_px(array.array.astype(float)), array.xy_px, atol=1e-4 * um_per_px + 1e-6
    )
    assert irregular(lie, array.pitch_um) is None


def test_whole_pixels_cost_little() -> None:
    array = Array(rows=78, columns=128, um_per_px=0.7252)
    lie = fitted(array.array, np.rint(array.xy_px), SPOTS_UM)
    assert lie is not None
    assert lie.um_per_px == pytest.approx(0.7252, rel=1e-5)
    assert 0.1 < lie.residual_um < 0.5


def test_too_few_places_say_nothing() -> None:
    assert fitted(VISIUM.array[:3], VISIUM.xy_px[:3], SPOTS_UM) is None
    row = VISIUM.array[:, 0] == 0
    assert fitted(VISIUM.array[row], VISIUM.xy_px[row], SPOTS_UM) is None
    assert fitted(VISIUM.array, np.zeros_like(VISIUM.xy_px), SPOTS_UM) is None


def test_places_that_are_no_array_are_told() -> None:
    places = np.random.default_rng(0).uniform(0, 300, VISIUM.xy_px.shape)
    lie = fitted(VISIUM.array, places, SPOTS_UM)
    assert lie is not None
    assert "um beside a regular array in the mean" in str(irregular(lie, SPOTS_UM))
    exchanged = fitted(VISIUM.array[:, ::-1], VISIUM.xy_px, SPOTS_UM)
    assert exchanged is not None
    assert "have rows of " in str(irregular(exchanged, SPOTS_UM))
    assert exchanged.words == (
        "the array lies, mirrored, turned by 90 degrees, as it would if x and y were exchanged, on the image"
    )

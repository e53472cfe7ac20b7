"""Ways in which places can have been read wrongly: where they put a point, worked out by hand."""

from __future__ import annotations

import numpy as np

from prestige.data.together.ways import OWN, shift_by, ways_of

XY = np.array([[2.0, 5.0], [40.0, 11.0], [10.0, 60.0]])


def test_an_image_of_its_own_size_is_swapped_mirrored_and_turned() -> None:
    ways = {way.words: way for way in ways_of(XY, height_px=80, width_px=100, um_per_px=10.0)}
    expected = {
        "as it stands": (2, 5),
        "x and y swapped": (5, 2),
        "mirrored left to right": (97, 5),
        "mirrored top to bottom": (2, 74),
        "turned by 180 degrees": (97, 74),
        "turned by 90 degrees clockwise": (94, 2),  # the pixel of row 5 from the top comes 5 from the right
        "turned by 90 degrees anticlockwise": (5, 77),
        "mirrored left to right about the centre of the observations": (40, 5),
        "mirrored top to bottom about the centre of the observations": (2, 60),
        "turned by 180 degrees about the centre of the observations": (40, 60),
    }
    for words, place in expected.items():
        np.testing.assert_allclose(ways[words](XY)[0], place, err_msg=words)
    about = "about the centre of the observations"
    np.testing.assert_allclose(ways[f"x and y swapped {about}"](XY)[0], (-6.5, 13.5))  # (21, 32.5) stays


def test_a_turned_image_holds_what_the_turned_places_name() -> None:
    image = np.arange(12).reshape(3, 4)
    turned = np.rot90(image, k=-1)
    ways = {way.words: way for way in ways_of(XY, height_px=3, width_px=4, um_per_px=100.0)}
    # Places in the turned image, read as if they were in the one that lies here, are turned back.
    for row, column in np.ndindex(turned.shape):
        x, y = ways["turned by 90 degrees anticlockwise"](np.array([[float(column), float(row)]]))[0]
        assert image[int(y) - (3 - 3), int(x)] == turned[row, column]


def test_shifts_go_in_eight_directions_by_three_lengths() -> None:
    ways = ways_of(XY, height_px=80, width_px=100, um_per_px=0.5)
    assert ways[0] is OWN
    shifts = [way for way in ways if way.kind == "shift"]
    moved = np.stack([way(XY)[0] - XY[0] for way in shifts]) * 0.5
    np.testing.assert_allclose(np.hypot(*moved.T), np.repeat([50.0, 100.0, 300.0], 8))
    assert len({tuple(one) for one in moved.round(3)}) == 24
    down = next(way for way in shifts if way.words == "shifted by 50 um down")
    np.testing.assert_allclose(down(XY)[0], (2.0, 105.0), atol=1e-9)


def test_ways_that_change_nothing_are_left_out() -> None:
    corners = np.array([[0.0, 0.0], [99.0, 99.0]])  # about the image or about them: the same
    words = [way.words for way in ways_of(corners, height_px=100, width_px=100, um_per_px=0.5)]
    assert not any("observations" in one for one in words)
    point = np.array([[49.5, 49.5]])
    assert all(way.kind != "turn" for way in ways_of(point, height_px=100, width_px=100, um_per_px=0.5))


def test_a_found_shift_says_how_far() -> None:
    assert shift_by(-20, 4, 0.5).words == "shifted by 10 um left and 2 um down"
    assert shift_by(0, -4, 0.5).words == "shifted by 2 um up"
    np.testing.assert_allclose(shift_by(-20, 4, 0.5)(XY)[0], (-18, 9))

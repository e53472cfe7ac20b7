"""Transparent pixels on white."""

from __future__ import annotations

import numpy as np

from prestige.data.slides.alpha import on_white


def test_what_is_seen_on_white() -> None:
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [100, 0, 200, 128]]], np.uint8)
    expected = [[10, 20, 30], [255, 255, 255], [177, 127, 227]]  # 100 * 128/255 + 255 * 127/255 = 177.2, ...
    np.testing.assert_array_equal(on_white(rgba)[0], expected)
    opaque = rgba[:, :1]
    np.testing.assert_array_equal(on_white(opaque), opaque[..., :3])


def test_colours_that_were_multiplied_by_it_are_only_lightened() -> None:
    rgba = np.array([[[50, 0, 100, 128], [0, 0, 0, 0]]], np.uint8)
    np.testing.assert_array_equal(on_white(rgba, premultiplied=True)[0], [[177, 127, 227], [255, 255, 255]])

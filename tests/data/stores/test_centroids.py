"""Centroids of labels, against scipy's, however the mask is cut into pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from prestige.data.stores import centroids
from prestige.data.stores.centroids import Centroids

MASKS = arrays.arrays(
    np.uint32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.sampled_from([0, 0, 1, 2, 7, 4_000_000_000]),
)


@given(MASKS, st.integers(1, 12), st.integers(1, 12), st.permutations([1, 2, 7, 4_000_000_000, 9]))
def test_the_same_as_scipy_in_any_pieces(
    mask: np.ndarray, rows: int, columns: int, labels: list[int]
) -> None:
    found = Centroids(np.array(labels))
    for y in range(0, mask.shape[0], rows):
        for x in range(0, mask.shape[1], columns):
            found.add(mask[y : y + rows, x : x + columns], y, x)
    for label, xy in zip(labels, found.xy_px(), strict=True):
        if label in mask:
            np.testing.assert_allclose(xy, ndimage.center_of_mass(mask == label)[::-1], atol=1e-9)
        else:
            assert np.isnan(xy).all()


def test_a_piece_larger_than_a_block_is_taken_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centroids, "_BLOCK_PX", 8)
    mask = np.zeros((9, 4), dtype=np.int32)
    mask[1:8, 1:3] = 5
    found = Centroids(np.array([5]))
    found.add(mask, 100, 200)
    np.testing.assert_array_equal(found.xy_px(), [[201.5, 104.0]])


def test_how_far_a_label_is_spread() -> None:
    """A disk has 1, an ellipse the mean of its axes' two ratios, two places far more, a pixel almost none."""
    y, x = np.mgrid[:200, :200]
    mask = np.zeros((200, 200), dtype=np.uint16)
    mask[(x - 50) ** 2 + (y - 50) ** 2 <= 30**2] = 1
    mask[((x - 150) / 40) ** 2 + ((y - 50) / 10) ** 2 <= 1] = 2
    mask[150:155, 10:15] = mask[150:155, 180:185] = 3  # centres 170 px apart
    mask[190, 100] = 4
    found = Centroids(np.array([4, 3, 2, 1, 9]))
    for row in range(0, 200, 64):
        found.add(mask[row : row + 64], row + 100_000, 100_000)
    pixel, apart, ellipse, disk, absent = found.spread()
    assert disk == pytest.approx(1, abs=0.01)
    assert ellipse == pytest.approx((4 + 1 / 4) / 2, abs=0.05)
    assert apart == pytest.approx((85**2 + 2 * 2) * 2 * np.pi / 50, rel=1e-4)
    assert pixel == pytest.approx(0, abs=0.01)
    assert np.isnan(absent)

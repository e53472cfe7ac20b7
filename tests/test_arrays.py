"""The named shapes accept what they say and refuse the rest."""

import numpy as np
import pytest

from prestige import arrays

CASES = [
    (arrays.Points, np.zeros((4, 2)), np.zeros((4, 3))),
    (arrays.Index, np.zeros(4, np.int32), np.zeros(4)),
    (arrays.Mask, np.zeros(4, bool), np.zeros(4, np.int64)),
    (arrays.Matrix, np.zeros((4, 5), np.float32), np.zeros((4, 5), np.int64)),
    (arrays.Pixels, np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5, 3), np.uint16)),
]


@pytest.mark.parametrize(("shape", "good", "bad"), CASES)
def test_shapes(shape: type, good: np.ndarray, bad: np.ndarray) -> None:
    assert isinstance(good, shape)
    assert not isinstance(bad, shape)

"""A hint changes nothing, wherever it points."""

import numpy as np
from numba import njit

from prestige.data.prefetch import prefetch


@njit
def summed(values, ahead):
    total = 0
    for i in range(len(values)):
        prefetch(values, i + ahead)
        total += values[i]
    return total


def test_a_hint_changes_nothing_and_may_point_outside() -> None:
    values = np.arange(1000, dtype=np.uint8)
    before = values.copy()
    for ahead in (0, 1, 64, -5000, 1 << 40):
        assert summed(values, ahead) == int(before.sum(dtype=np.int64))
    np.testing.assert_array_equal(values, before)


def test_the_processor_is_told() -> None:
    summed(np.zeros(4, np.uint8), 1)
    (code,) = summed.inspect_llvm().values()
    assert "llvm.prefetch" in code

"""Labels in another order, each sample by itself."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prestige.baselines.shuffled import shuffle_within


@given(seed=st.integers(0, 1000), n=st.integers(1, 60), samples=st.integers(1, 4))
def test_rows_stay_whole_and_within_their_sample(seed: int, n: int, samples: int) -> None:
    rng = np.random.default_rng(seed)
    sample_of = rng.integers(0, samples, n)
    y = np.stack([np.arange(n), 10.0 * np.arange(n), sample_of], axis=1).astype(np.float32)
    before = y.copy()
    found = shuffle_within(y, sample_of, seed=seed)
    np.testing.assert_array_equal(y, before)
    np.testing.assert_array_equal(np.sort(found[:, 0]), y[:, 0])
    np.testing.assert_array_equal(found[:, 1], 10 * found[:, 0])
    np.testing.assert_array_equal(found[:, 2], sample_of)
    np.testing.assert_array_equal(found, shuffle_within(y, sample_of, seed=seed))


def test_what_ties_a_row_to_its_place_is_gone_and_another_seed_is_another_order() -> None:
    y = np.arange(2000.0)[:, None]
    sample_of = np.repeat([0, 1], 1000)
    one, two = (shuffle_within(y, sample_of, seed=seed) for seed in (0, 1))
    assert (one != two).mean() > 0.9
    for sample in (0, 1):
        rows = sample_of == sample
        assert abs(np.corrcoef(one[rows, 0], y[rows, 0])[0, 1]) < 0.1
    # Two samples of one size are not shuffled alike.
    assert (one[:1000, 0] + 1000 != one[1000:, 0]).mean() > 0.9

"""Correlation within samples from sums over blocks, and the versions of a pair that are compared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.biology.agreement import (
    COMPARISONS,
    agreement,
    mean_agreement,
    moments,
    versions,
)
from prestige.biology.noise import draw
from prestige.biology.pair import Pair
from prestige.errors import DataError
from prestige.report.biology.phrases import mean_text
from prestige.stats.moments import spatial_blocks

TWO = {"predicted": ("p", "t")}


def sums(p: np.ndarray, t: np.ndarray, sample: np.ndarray, block: np.ndarray):
    names = [f"c{i}" for i in range(p.shape[1])]
    return moments(lambda rows: {"p": p[rows], "t": t[rows]}, names, sample, block, TWO)["predicted"]


@given(seed=st.integers(0, 10_000), n=st.integers(6, 60), m=st.integers(1, 5))
def test_the_mean_over_samples_is_that_of_numpy(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    t, sample = rng.normal(3, 1, (n, m)), np.repeat(["a", "b"], [3, n - 3])
    p = t + rng.normal(size=(n, m))
    found = agreement(sums(p.astype(np.float32), t.astype(np.float32), sample, rng.integers(0, 4, n)))
    for column in range(m):
        wanted = [np.corrcoef(p[sample == s, column], t[sample == s, column])[0, 1] for s in "ab"]
        assert found.value[column] == pytest.approx(np.mean(wanted), abs=2e-4)
    assert (found.n_samples == 2).all()
    assert (found.n_constant == 0).all()


def test_a_constant_truth_says_nothing_and_a_constant_prediction_counts_0() -> None:
    rng = np.random.default_rng(0)
    sample = np.repeat(["a", "b"], 20)
    t = rng.normal(size=(40, 3))
    p = t.copy()
    t[:20, 0] = 0.7  # in sample a
    p[20:, 1] = 1e6  # in sample b
    p[:, 2] = 0.1  # everywhere
    found = agreement(sums(p, t, sample, np.zeros(40, dtype=np.int64)))
    assert found.value[:2] == pytest.approx([1.0, 0.5])
    assert np.isnan(found.value[2])
    assert found.n_samples.tolist() == [1, 2, 2]
    assert found.n_constant.tolist() == [0, 1, 2]


def test_many_rows_are_taken_in_blocks_each_once() -> None:
    rng = np.random.default_rng(1)
    n, m = 9000, 1000  # more than one block of rows
    p, seen = rng.normal(size=(n, m)).astype(np.float32), np.zeros(n, dtype=int)

    def columns(rows: np.ndarray) -> dict[str, np.ndarray]:
        seen[rows] += 1
        return {"p": p[rows], "t": p[rows]}

    sample, block = np.full(n, "s"), rng.integers(0, 7, n)
    found = moments(columns, [str(i) for i in range(m)], sample, block, TWO)["predicted"]
    assert (seen == 1).all()
    assert found.n.tolist() == np.bincount(block).tolist()
    assert found.sum_pt.sum(axis=0) == pytest.approx(np.square(p.astype(float)).sum(axis=0))
    assert found.sum_t[3] == pytest.approx(p[block == 3].sum(axis=0, dtype=float), abs=1e-9)


def test_observations_and_blocks_have_to_fit() -> None:
    with pytest.raises(DataError, match="3 samples and 2 blocks"):
        moments(lambda rows: {}, ["x"], np.array(["a"] * 3), np.zeros(2, dtype=np.int64))


def test_an_interval_needs_blocks_and_holds_the_mean() -> None:
    rng = np.random.default_rng(2)
    xy, t = rng.uniform(0, 2000, (3000, 2)), rng.normal(size=(3000, 4))
    p = t + rng.normal(size=t.shape)
    sample = np.full(3000, "s")
    one = mean_agreement(sums(p, t, sample, spatial_blocks(xy, 400.0)), draws=200)
    assert one.low is not None
    assert one.high is not None
    assert one.low < one.value < one.high
    assert one.value == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert mean_text(one) == f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"
    none = mean_agreement(sums(p, t, sample, np.zeros(3000, dtype=np.int64)))
    assert (none.low, mean_text(none)) == (None, f"{none.value:.2f}")
    assert none.note


def test_nothing_that_varies_has_no_mean() -> None:
    flat = np.ones((30, 2))
    one = mean_agreement(sums(flat, flat, np.full(30, "s"), np.arange(30) % 12))
    assert np.isnan(one.value)
    assert one.note == "nothing varies in the truth"


def test_versions_share_what_was_drawn(make_pair: Callable[..., Pair]) -> None:
    rng = np.random.default_rng(3)
    pair = make_pair(rng.uniform(1, 4, (50, 6)), rng.uniform(0, 100, (50, 2)))
    drawn = draw(pair, 5)
    given_, made = versions(pair, drawn), versions(pair, seed=5)
    assert set(made) == {name for both in COMPARISONS.values() for name in both}
    for name in made:
        assert np.array_equal(made[name], given_[name])
    assert not np.array_equal(made["noisy"], versions(pair, seed=6)["noisy"])

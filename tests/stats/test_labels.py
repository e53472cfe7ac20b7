"""Agreement of labels: the indices of scikit-learn, derivatives, intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, cohen_kappa_score

from prestige.errors import DataError
from prestige.stats.labels import LabelTables, adjusted_rand, kappa, label_interval, label_tables
from prestige.stats.moments import spatial_blocks

labels = st.lists(st.integers(0, 3), min_size=2, max_size=40)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_indices_are_those_of_scikit_learn(data: st.DataObject) -> None:
    first = np.array(data.draw(labels))
    second = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(first), max_size=len(first))))
    zeros = np.zeros(len(first), np.int64)
    (table,) = label_tables((first, second), (4, 4), zeros, zeros).counts
    assert adjusted_rand(table[None])[0][0] == pytest.approx(adjusted_rand_score(first, second), abs=1e-12)
    if len(set(first) | set(second)) > 1:
        assert kappa(table[None])[0][0] == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    else:
        assert np.isnan(kappa(table[None])[0][0])


@pytest.mark.parametrize("index", [adjusted_rand, kappa])
def test_derivatives(index) -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(1, 50, (4, 4)) * 1e6  # pairs with themselves weigh nothing here
    value, slope = index(table[None])
    np.testing.assert_allclose((slope[0] * table).sum(), 0, atol=1e-9)
    for i in range(4):
        for j in range(4):
            step = np.zeros((4, 4))
            step[i, j] = 1e3
            up, down = (index((table + sign * step)[None])[0][0] for sign in (1, -1))
            assert slope[0, i, j] * 2e3 == pytest.approx(up - down, rel=1e-3, abs=1e-12)
    assert np.isfinite(value[0])


def test_tables_of_blocks_add_up() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 3, 500), rng.integers(0, 2, 500)
    sample, block = rng.choice(["a", "b"], 500), rng.integers(0, 5, 500)
    found = label_tables((first, second), (3, 2), sample, block)
    assert found.counts.shape == (10, 3, 2)
    for i in range(10):
        here = (sample == found.sample[i]) & (block == found.block[i])
        for one in range(3):
            for other in range(2):
                assert found.counts[i, one, other] == ((first == one) & (second == other) & here).sum()
    assert found.counts.sum() == 500


def tissue(rng: np.random.Generator, c: int, share: np.ndarray, agree: float) -> LabelTables:
    """Return blocks whose mixture of labels varies, in which a share of the second labels is the first."""
    m = len(share)
    counts = np.zeros((c, m, m))
    for i in range(c):
        mixture = rng.dirichlet(3 * share)
        own = min(0.95, max(0.05, rng.normal(agree, 0.1)))
        chances = own * np.diag(mixture) + (1 - own) * np.outer(mixture, share)
        counts[i] = rng.multinomial(200, (chances / chances.sum()).ravel()).reshape(m, m)
    places = np.stack([np.arange(c) % 7, np.arange(c) // 7], axis=1) * 100.0 + 50.0
    return LabelTables(np.full(c, "section"), spatial_blocks(places, 100.0), counts)


@pytest.mark.parametrize("index", [adjusted_rand, kappa])
def test_intervals_cover(index) -> None:
    share = np.array([0.4, 0.3, 0.2, 0.1])
    whole = tissue(np.random.default_rng(99), 20_000, share, 0.6).counts.sum(axis=0)
    truth = index(whole[None])[0][0]
    held = 0
    for seed in range(150):
        found = label_interval(
            tissue(np.random.default_rng(seed), 40, share, 0.6), index, draws=300, seed=seed
        )
        assert found is not None
        held += found[0] <= truth <= found[1]
    assert 0.89 <= held / 150 <= 1.0


def test_patients_are_drawn_where_there_are_enough() -> None:
    share = np.array([0.4, 0.3, 0.3])
    parts = [tissue(np.random.default_rng(p), 12, share, 0.4 + 0.04 * p) for p in range(12)]
    together = LabelTables(
        np.concatenate([np.full(12, f"S{p}") for p in range(12)]),
        np.concatenate([part.block for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )
    value = kappa(together.counts.sum(axis=0)[None])[0][0]
    blocks = label_interval(together, kappa)
    patients = label_interval(together, kappa, patient_of={f"S{p}": f"P{p}" for p in range(12)})
    assert blocks is not None
    assert patients is not None
    for low, high in (blocks, patients):
        assert low < value < high
    assert patients[1] - patients[0] > 1.5 * (blocks[1] - blocks[0])  # patients differ more than blocks do


def test_too_few_blocks_have_no_interval() -> None:
    assert label_interval(tissue(np.random.default_rng(0), 5, np.full(3, 1 / 3), 0.5), kappa) is None


def test_labels_out_of_range() -> None:
    zeros = np.zeros(3, np.int64)
    with pytest.raises(DataError, match="out of range"):
        label_tables((np.array([0, 1, 3]), zeros), (3, 3), zeros, zeros)
    with pytest.raises(DataError, match="out of range"):
        label_tables((zeros[:0], zeros[:0]), (3, 3), zeros[:0], zeros[:0])

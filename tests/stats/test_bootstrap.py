"""The bootstrap against resampling of the rows themselves, its coverage, and the comparison with the best."""

from __future__ import annotations

import numpy as np
import pytest

from prestige import metrics
from prestige.errors import DataError
from prestige.stats import (
    MIN_CLUSTERS,
    Moments,
    block_bootstrap,
    interval,
    mean_gene_pearson,
    moments_of,
    not_distinguishable_from_best,
)
from prestige.stats.bootstrap import draw, observed, resample

GENES = ("A", "B", "C")


def tissue(
    seed: int, *, blocks: int = 14, per_block: int = 20, samples: int = 2, signal: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return prediction, truth, sample and block with a shared deviation of each block."""
    rng = np.random.default_rng(seed)
    n = samples * blocks * per_block
    sample = np.repeat([f"S{i}" for i in range(samples)], blocks * per_block)
    block = np.tile(np.repeat(np.arange(blocks), per_block), samples)
    shared = np.repeat(rng.normal(size=(samples * blocks, len(GENES))), per_block, axis=0)
    truth = shared + rng.normal(size=(n, len(GENES)))
    echo = np.repeat(rng.normal(size=(samples * blocks, len(GENES))), per_block, axis=0)
    return signal * truth + echo + rng.normal(size=truth.shape), truth, sample, block


def moments(seed: int = 0, **options: float) -> Moments:
    return moments_of(*tissue(seed, **options), GENES)  # type: ignore[arg-type]


def test_each_draw_is_the_score_of_the_resampled_rows() -> None:
    pred, truth, sample, block = tissue(1)
    truth[(sample == "S0") & (block > 0), 2] = 1.5  # constant in draws without block 0
    pred[:, 1] = np.where(block < 3, pred[:, 1], 0.25)
    one = moments_of(pred, truth, sample, block, GENES)
    plan = draw([one], draws=40, seed=5)
    found = resample(plan, [one])
    lost = 0
    for d in range(40):
        units = []
        for u, unit in enumerate(plan.units):
            rows = np.concatenate(
                [
                    np.tile(np.flatnonzero((sample == unit.sample) & (block == one.block[row])), int(times))
                    for row, times in zip(unit.rows, plan.weights[u][d], strict=True)
                ]
            )
            r = metrics.pearson(pred[rows], truth[rows])
            varies = np.ptp(truth[rows], axis=0) > 0
            lost += int((~varies).sum())
            units.append(np.nan_to_num(r[varies]).mean())
        assert found[d] == pytest.approx(np.mean(units), abs=1e-9)
    assert lost > 0


def test_observed_is_the_mean_over_samples() -> None:
    one = moments()
    assert observed([one]) == pytest.approx(mean_gene_pearson(one), abs=1e-14)


def test_draws_are_paired_and_repeat_with_the_seed() -> None:
    one = moments(0)
    draws = block_bootstrap([one, one], draws=50, seed=3)
    assert draws.shape == (2, 50)
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws, block_bootstrap([one, one], draws=50, seed=3))
    assert not np.array_equal(draws, block_bootstrap([one, one], draws=50, seed=4))


def test_pieces_of_draws_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one = moments(0)
    whole = block_bootstrap([one], draws=30, seed=3)
    monkeypatch.setattr("prestige.stats.bootstrap._CHUNK", 12)
    np.testing.assert_allclose(block_bootstrap([one], draws=30, seed=3), whole, rtol=1e-12)


def test_different_observations_are_refused() -> None:
    with pytest.raises(DataError, match="different observations"):
        block_bootstrap([moments(0), moments(0, blocks=13)])


def test_patients_are_resampled_from_ten_on() -> None:
    few, many = moments(0, samples=9, blocks=3), moments(0, samples=10, blocks=3)
    names = {f"S{i}": f"P{i}" for i in range(10)}
    assert not draw([few], draws=5, seed=0, patient_of=names).by_patient
    plan = draw([many], draws=200, seed=0, patient_of=names)
    assert plan.by_patient
    assert plan.n_clusters == 10
    assert (plan.times.sum(axis=1) == 10).all()
    for u, weights in enumerate(plan.weights):
        drawn = np.maximum(plan.times[:, u], 1)
        np.testing.assert_array_equal(weights.sum(axis=1), 3 * drawn)
    # Two sections of each of five patients are no ten patients.
    pairs = {f"S{i}": f"P{i // 2}" for i in range(10)}
    assert not draw([many], draws=5, seed=0, patient_of=pairs).by_patient


def test_a_block_in_two_folds_is_drawn_alike() -> None:
    one = moments(0, samples=1)
    plan = draw([one, one], draws=30, seed=0)
    assert plan.n_clusters == 14
    np.testing.assert_array_equal(plan.weights[0], plan.weights[1])


def test_interval_is_made_of_percentiles() -> None:
    assert interval(np.arange(101, dtype=float), 0.9) == (pytest.approx(5.0), pytest.approx(95.0))
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    with pytest.raises(DataError, match="no draw"):
        interval(np.array([np.nan]))


def test_interval_covers_the_true_score() -> None:
    # Sections of 30 blocks with deviations shared within a block.  Resampling pairs of rows instead of
    # blocks takes neighbours for independent, and misses the true score far more often than 1 in 20.
    true = mean_gene_pearson(moments(10_000, blocks=4000, samples=1))
    covered = naive = 0
    for seed in range(100):
        pred, truth, sample, block = tissue(seed, blocks=30, samples=1)
        low, high = interval(block_bootstrap([moments_of(pred, truth, sample, block, GENES)], draws=200)[0])
        covered += low <= true <= high
        pairs = moments_of(pred, truth, sample, np.arange(len(pred)) // 2, GENES)
        low, high = interval(block_bootstrap([pairs], draws=60)[0])
        naive += low <= true <= high
    assert 87 <= covered <= 99
    assert naive < 75


def test_who_cannot_be_told_from_the_best() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=2000)
    scores = np.array([0.50, 0.49, 0.30])
    noise = 0.1 * shared + 0.02 * rng.normal(size=(3, 2000))  # paired: the shared part cancels
    found, reason = not_distinguishable_from_best(scores, scores[:, None] + noise, n_clusters=30)
    assert reason is None
    assert found is not None
    assert found.tied.tolist() == [True, True, False]
    np.testing.assert_allclose(found.gap, [0.0, 0.01, 0.20])
    assert (found.low[:2] == 0).all()
    # se of a difference 0.0283, critical value about 1.92 (max of two, correlated one half)
    assert found.low[2] == pytest.approx(0.2 - 1.92 * 0.0283, abs=0.006)
    assert found.high[2] == pytest.approx(0.2 + 1.92 * 0.0283, abs=0.006)
    assert (found.low <= found.gap).all()
    assert (found.gap <= found.high).all()


def test_the_truly_best_stays_among_the_tied() -> None:
    # Twelve equals: naming the best-looking one and testing against it would lose the true best too often.
    lost = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=12)
        draws = scores[:, None] + rng.normal(size=(12, 400))
        found, _ = not_distinguishable_from_best(scores, draws, n_clusters=40)
        assert found is not None
        lost += not found.tied[0]
    assert lost / 200 <= 0.08


def test_equal_configurations_are_tied_and_a_single_one_is_best() -> None:
    draws = np.random.default_rng(0).normal(size=(1, 100))
    found, _ = not_distinguishable_from_best(np.zeros(1), draws, n_clusters=20)
    assert found is not None
    assert found.tied.tolist() == [True]
    assert found.high.tolist() == [0.0]
    found, _ = not_distinguishable_from_best(np.zeros(2), np.repeat(draws, 2, axis=0), n_clusters=20)
    assert found is not None
    assert found.tied.tolist() == [True, True]


def test_below_ten_clusters_there_is_a_reason_instead() -> None:
    draws = np.random.default_rng(0).normal(size=(2, 100))
    found, reason = not_distinguishable_from_best(np.zeros(2), draws, n_clusters=MIN_CLUSTERS - 1)
    assert found is None
    assert reason is not None
    assert "9 clusters" in reason

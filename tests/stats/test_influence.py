"""Score and influence against resampled rows, numerical derivatives, and the textbook's standard error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from prestige.stats.influence import unit_scores, unit_sums
from prestige.stats.moments import moments_of

BLOCKS, PER_BLOCK = 6, 8
GENES = ("A", "B", "C")


def tissue(seed: int = 0) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return truth, two predictions and the block of each row."""
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(BLOCKS), PER_BLOCK)
    truth = rng.gamma(1.0, 1.0, (len(block), len(GENES))) + rng.normal(size=(BLOCKS, len(GENES)))[block]
    preds = [share * truth + rng.normal(size=truth.shape) + 2.0 for share in (0.7, 0.2)]
    return truth, preds, block


def scored(
    preds: list[np.ndarray], truth: np.ndarray, block: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    sample = np.array(["S"] * len(block))
    runs = [moments_of(pred, truth, sample, block, GENES[: truth.shape[1]]) for pred in preds]
    return unit_scores(weights, unit_sums(runs, np.arange(len(runs[0].n))))


def test_scores_are_those_of_the_repeated_rows() -> None:
    truth, preds, block = tissue()
    weights = np.random.default_rng(1).integers(0, 4, (20, BLOCKS)).astype(np.float64)
    scores, _ = scored(preds, truth, block, weights)
    for d in range(20):
        rows = np.repeat(np.arange(len(block)), weights[d, block].astype(int))
        for k, pred in enumerate(preds):
            wanted = np.mean([pearsonr(pred[rows, g], truth[rows, g])[0] for g in range(len(GENES))])
            assert scores[k, d] == pytest.approx(wanted, abs=1e-11)


@given(st.lists(st.floats(0.5, 4.0), min_size=BLOCKS, max_size=BLOCKS), st.integers(0, 20))
def test_influence_is_the_derivative(weights: list[float], seed: int) -> None:
    truth, preds, block = tissue(seed)
    w, step = np.array([weights]), 1e-5
    _, influence = scored(preds, truth, block, w)
    for b in range(BLOCKS):
        up, down = w.copy(), w.copy()
        up[0, b] += step
        down[0, b] -= step
        slope = (scored(preds, truth, block, up)[0] - scored(preds, truth, block, down)[0]) / (2 * step)
        np.testing.assert_allclose(influence[:, 0, b], slope[:, 0], atol=1e-7)
    np.testing.assert_allclose((influence * w[:, None, :]).sum(axis=2), 0.0, atol=1e-12)


@given(st.floats(-50, 50), st.floats(0.01, 100), st.integers(0, 20))
def test_shift_and_scale_of_a_prediction_change_nothing(shift: float, scale: float, seed: int) -> None:
    truth, preds, block = tissue(seed)
    weights = np.random.default_rng(seed).integers(0, 3, (5, BLOCKS)).astype(np.float64)
    weights[:, :3] += 1
    plain = scored(preds, truth, block, weights)
    moved = scored([scale * pred + shift for pred in preds], truth, block, weights)
    for a, b in zip(plain, moved, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)


@given(st.permutations(range(BLOCKS)), st.permutations(range(len(GENES))))
def test_order_of_blocks_and_genes_changes_nothing(order: list[int], genes: list[int]) -> None:
    truth, preds, block = tissue(3)
    weights = np.random.default_rng(3).integers(0, 4, (5, BLOCKS)).astype(np.float64)
    scores, influence = scored(preds, truth, block, weights)
    renamed, columns = np.argsort(order)[block], list(genes)
    again, moved = scored(
        [pred[:, columns] for pred in preds], truth[:, columns], renamed, weights[:, list(order)]
    )
    np.testing.assert_allclose(again, scores, atol=1e-12)
    np.testing.assert_allclose(moved, influence[:, :, list(order)], atol=1e-12)


def test_independent_observations_have_the_textbook_standard_error() -> None:
    # One observation a block: the standard error of r is (1 - rho^2) / sqrt(n) for a normal pair.
    rng, n, rho = np.random.default_rng(0), 20_000, 0.6
    truth = rng.normal(size=(n, 1))
    pred = rho * truth + np.sqrt(1 - rho**2) * rng.normal(size=(n, 1))
    _, influence = scored([pred], truth, np.arange(n), np.ones((1, n)))
    assert np.sqrt((influence**2).sum()) == pytest.approx((1 - rho**2) / np.sqrt(n), rel=0.03)


def test_variance_is_near_that_of_leaving_out_one_block_at_a_time() -> None:
    rng = np.random.default_rng(5)
    block = np.repeat(np.arange(80), 5)
    truth = rng.normal(size=(400, 3)) + rng.normal(size=(80, 3))[block]
    pred = 0.5 * truth + rng.normal(size=truth.shape)
    without = 1.0 - np.eye(80)
    left_out = scored([pred], truth, block, without)[0][0]
    jackknife = 79 / 80 * ((left_out - left_out.mean()) ** 2).sum()
    _, influence = scored([pred], truth, block, np.ones((1, 80)))
    assert (influence**2).sum() == pytest.approx(jackknife, rel=0.1)


def test_what_is_constant_has_no_influence() -> None:
    truth, preds, block = tissue()
    truth[block > 0, 2] = 0.4  # varies in block 0 only
    weights = np.ones((2, BLOCKS))
    weights[1, 0] = 0
    scores, influence = scored([preds[0], np.full_like(truth, 0.3)], truth, block, weights)
    assert scores[1].tolist() == [0.0, 0.0]
    assert not influence[1].any()
    rows = block > 0
    wanted = np.mean([pearsonr(preds[0][rows, g], truth[rows, g])[0] for g in (0, 1)])
    assert scores[0, 1] == pytest.approx(wanted, abs=1e-11)
    scores, influence = scored(preds, np.ones_like(truth), block, weights)
    assert np.isnan(scores).all()
    assert not influence.any()


def test_influences_may_be_left_out() -> None:
    truth, preds, block = tissue()
    runs = [moments_of(pred, truth, np.array(["S"] * len(block)), block, GENES) for pred in preds]
    sums, weights = unit_sums(runs, np.arange(BLOCKS)), np.ones((3, BLOCKS))
    scores, influence = unit_scores(weights, sums, influences=False)
    np.testing.assert_array_equal(scores, unit_scores(weights, sums)[0])
    assert influence.shape == (2, 3, 0)

"""Blocks cover the section evenly and are dealt fairly."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.split.blocks import assign_to_folds, best_draw, draw_share, extent_area, grid_blocks, thin


def test_grid_is_fitted_to_the_extent() -> None:
    x, y = np.meshgrid(np.arange(0, 101.0), np.arange(0, 51.0))
    block = grid_blocks(np.column_stack([x.ravel(), y.ravel()]), 26.0)  # 4 x 2 tiles, no slivers
    sizes = np.bincount(block)
    assert len(sizes) == 8
    assert sizes.min() > 0.9 * sizes.mean()


@given(seed=st.integers(0, 100), n=st.integers(1, 60), width=st.floats(1, 300))
def test_places_of_one_block_lie_together(seed, n, width) -> None:
    xy = np.random.default_rng(seed).uniform(0, 200, (n, 2))
    block = grid_blocks(xy, width)
    assert set(block) == set(range(block.max() + 1))
    for b in set(block):
        assert np.ptp(xy[block == b], axis=0).max() <= max(2 * width, 1) + 1e-9


def test_grid_of_nothing_and_of_one_place() -> None:
    assert grid_blocks(np.zeros((0, 2)), 10.0).shape == (0,)
    np.testing.assert_array_equal(grid_blocks(np.ones((3, 2)), 10.0), [0, 0, 0])
    assert extent_area(np.zeros((0, 2))) == 0
    assert extent_area(np.array([[0.0, 0.0], [3.0, 4.0]])) == 12


@given(seed=st.integers(0, 100), blocks=st.integers(4, 30), folds=st.integers(2, 4))
def test_deal_is_balanced_and_keeps_blocks_whole(seed, blocks, folds) -> None:
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(blocks), rng.integers(5, 15, blocks))
    fold = assign_to_folds(block, np.ones(len(block), bool), folds, rng)
    assert set(fold) == set(range(folds))
    assert all(len(set(fold[block == b])) == 1 for b in range(blocks))
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 15  # no more than the largest block


@given(seed=st.integers(0, 100), blocks=st.integers(2, 40), share=st.floats(0.05, 0.6))
def test_share_is_met_to_within_a_block(seed, blocks, share) -> None:
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(blocks), 10)
    drawn = draw_share(block, np.ones(len(block), bool), share, rng)
    assert 10 <= drawn.sum() <= len(block) - 10
    assert abs(drawn.sum() - share * len(block)) <= 10


def test_share_of_one_block_is_nothing() -> None:
    drawn = draw_share(np.zeros(5, int), np.ones(5, bool), 0.5, np.random.default_rng(0))
    assert not drawn.any()


def test_best_draw_takes_the_highest_and_repeats() -> None:
    first = best_draw(lambda rng: float(rng.random()), lambda value: value, seed=3)
    assert first == best_draw(lambda rng: float(rng.random()), lambda value: value, seed=3)
    assert first > 0.8
    assert first != best_draw(lambda rng: float(rng.random()), lambda value: value, seed=4)


def test_thin() -> None:
    assert len(thin(10)) == 10
    assert 4000 <= len(thin(125_530)) <= 5000

"""Neighbours against distances worked out one by one, and their number chosen at the right distance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.baselines import coordinates
from prestige.baselines.coordinates import COUNTS, Neighbours, fit_neighbours
from prestige.baselines.ridge import group_folds
from prestige.data.observations import Observations
from prestige.errors import DataError
from prestige.metrics import pearson


def places(xy: np.ndarray, slide: np.ndarray | int = 0) -> Observations:
    return Observations(np.zeros(len(xy), dtype=int) + slide, np.arange(len(xy)), xy)


def brute(train_xy: np.ndarray, y: np.ndarray, xy: np.ndarray, k: int) -> np.ndarray:
    distance = np.sqrt(((xy[:, None] - train_xy[None]) ** 2).sum(axis=2))
    return np.stack([y[np.argsort(row, kind="stable")[:k]].mean(axis=0) for row in distance])


@given(seed=st.integers(0, 10_000), n=st.integers(1, 40), k=st.integers(1, 60))
def test_a_prediction_is_the_mean_of_the_nearest(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    xy, y = rng.uniform(0, 100, (n, 2)), rng.uniform(0, 3, (n, 4)).astype(np.float32)
    new = rng.uniform(-20, 120, (13, 2))
    one = Neighbours(np.zeros(n, dtype=int), xy, y, k, {})
    np.testing.assert_allclose(one.means_near(places(new)), brute(xy, y, new, k), rtol=1e-5, atol=1e-6)


def test_only_neighbours_of_the_same_slide_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinates, "_ROWS", 7)  # pieces do not matter
    rng = np.random.default_rng(0)
    xy, slide = rng.uniform(0, 50, (60, 2)), np.repeat([0, 2, 5], 20)
    y = (slide[:, None] + rng.uniform(0, 0.1, (60, 2))).astype(np.float32)
    one = Neighbours(slide, xy, y, 4, {})
    asked = rng.permutation(60)
    found = one.means_near(places(xy[asked], slide[asked]))
    np.testing.assert_array_equal(found[:, 0].astype(int), slide[asked])
    for number in (0, 2, 5):
        here, rows = slide == number, slide[asked] == number
        wanted = brute(xy[here], y[here], xy[asked][rows], 4)
        np.testing.assert_allclose(found[rows], wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(DataError, match="sample 1"):
        one.means_near(places(xy[:2], 1))


def smooth(xy: np.ndarray, scale: float, noise: float, seed: int = 0) -> np.ndarray:
    """Return two genes that vary over ``scale`` and a third that is noise alone."""
    rng = np.random.default_rng(seed)
    waves = [np.sin(xy[:, 0] / scale), np.cos(xy[:, 1] / scale), np.zeros(len(xy))]
    return (2 + np.stack(waves, axis=1) + noise * rng.normal(size=(len(xy), 3))).astype(np.float32)


def test_errors_are_those_of_leaving_blocks_out_at_a_distance() -> None:
    rng = np.random.default_rng(3)
    xy, slide = rng.uniform(0, 300, (500, 2)), np.repeat([0, 1], 250)
    y = smooth(xy, 40, 0.5)
    block = (slide * 100 + xy[:, 0] // 60 * 10 + xy[:, 1] // 60).astype(int)
    gap = {0: 15.0, 1: 25.0}
    one = fit_neighbours(places(xy, slide), y, block, gap_px=gap, seed=2)
    fold, squares, n = group_folds(block, 2), np.zeros((len(COUNTS), 3)), 0
    for number in (0, 1):
        for left in range(5):
            held = np.flatnonzero((slide == number) & (fold == left))
            rest = np.flatnonzero((slide == number) & (fold != left))
            far = np.abs(xy[rest][:, None] - xy[held][None]).max(axis=2).min(axis=1) >= gap[number]
            rest = rest[far]
            assert len(rest)
            assert len(held)
            n += len(held)
            for i, k in enumerate(COUNTS):
                squares[i] += ((brute(xy[rest], y[rest], xy[held], k) - y[held]) ** 2).sum(axis=0)
    wanted = (squares / y.var(axis=0)).sum(axis=1) / (n * 3)
    assert list(one.errors) == list(COUNTS)
    np.testing.assert_allclose(list(one.errors.values()), wanted, rtol=1e-4)
    assert one.k == COUNTS[int(np.argmin(wanted))]


def test_noise_asks_for_many_neighbours_and_fine_structure_for_few() -> None:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 1000, (3000, 2))
    block = (xy[:, 0] // 100 * 10 + xy[:, 1] // 100).astype(int)
    settings = {"gap_px": {0: 5.0}}
    noisy = fit_neighbours(places(xy), smooth(xy, 400, 3.0)[:, :2], block, **settings)
    fine = fit_neighbours(places(xy), smooth(xy, 40, 0.02)[:, :2], block, **settings)
    assert fine.k <= 16 <= noisy.k
    assert fine.k < noisy.k


def test_a_wider_gap_chooses_for_what_lies_further_away() -> None:
    rng = np.random.default_rng(1)
    xy = rng.uniform(0, 1000, (3000, 2))
    y = smooth(xy, 60, 0.05)[:, :2]
    block = (xy[:, 0] // 100 * 10 + xy[:, 1] // 100).astype(int)
    near_by = fit_neighbours(places(xy), y, block, gap_px={0: 0.0})
    far = fit_neighbours(places(xy), y, block, gap_px={0: 80.0})
    assert min(near_by.errors.values()) < 0.3 < 0.6 < min(far.errors.values())
    assert near_by.k < far.k


def test_smoothness_predicts_what_is_smooth_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 1000, (2000, 2))
    y = smooth(xy, 100, 0.3)
    block = (xy[:, 0] // 100 * 10 + xy[:, 1] // 100).astype(int)
    test = block % 7 == 0
    train = np.abs(xy[:, None] - xy[test][None]).max(axis=2).min(axis=1) >= 20
    one = fit_neighbours(places(xy[train]), y[train], block[train], gap_px={0: 20.0})
    r = pearson(one.means_near(places(xy[test])), y[test])
    assert (r[:2] > 0.3).all()
    assert abs(r[2]) < 0.15


def test_where_nothing_can_be_left_out_a_middling_number_is_taken() -> None:
    rng = np.random.default_rng(0)
    xy, y = rng.uniform(0, 100, (50, 2)), rng.uniform(0, 1, (50, 2)).astype(np.float32)
    one_block = fit_neighbours(places(xy), y, np.zeros(50, dtype=int), gap_px={0: 1.0})
    too_far = fit_neighbours(places(xy), y, np.arange(50), gap_px={0: 1e6})
    for found in (one_block, too_far):
        assert (found.k, found.errors) == (16, {})


def test_a_constant_gene_and_a_large_section_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 500, (800, 2))
    y = smooth(xy, 100, 0.2)
    y[:, 2] = 1.5
    block = (xy[:, 0] // 100 * 10 + xy[:, 1] // 100).astype(int)
    every = fit_neighbours(places(xy), y, block, gap_px={0: 10.0})
    monkeypatch.setattr(coordinates, "_CHOICE_ROWS", 400)
    some = fit_neighbours(places(xy), y, block, gap_px={0: 10.0})
    assert np.isfinite(list(every.errors.values())).all()
    assert every.errors != some.errors
    assert every.errors[every.k] == pytest.approx(some.errors[every.k], rel=0.25)
    predicted = replace(every, k=3).means_near(places(xy[:5]))
    np.testing.assert_allclose(predicted[:, 2], 1.5, rtol=1e-6)

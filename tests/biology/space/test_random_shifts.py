"""A map of distances is moved as a whole: nothing is lost, nothing torn but at the edges."""

from __future__ import annotations

import numpy as np

from prestige.biology.space.random_shifts import Chart


def square(step: float = 10.0, size: float = 400.0) -> np.ndarray:
    at = np.arange(step / 2, size, step)
    return np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)


def test_a_moved_map_keeps_distances_and_neighbours() -> None:
    xy = square()
    distance = np.hypot(*(xy - [120, 150]).T) - 60
    chart = Chart.of(xy, distance, np.ones(len(xy), dtype=bool), 10.0)
    rng = np.random.default_rng(0)
    moved = np.stack([chart.shifted(rng) for _ in range(40)])
    inside = (moved < 0).sum(axis=1) / (distance < 0).sum()
    assert np.abs(inside - 1).max() < 0.15  # a disc is as large wherever it goes
    assert len(np.unique(moved.argmin(axis=1))) > 20  # and it goes everywhere
    table = moved.reshape(40, 40, 40)
    steps = np.abs(np.diff(table, axis=2))
    assert (steps <= 25).mean() > 0.95  # neighbours stay neighbours but across the edge


def test_unused_observations_and_empty_ground_count_for_nothing() -> None:
    xy = square()
    xy = xy[(xy[:, 0] < 200) | (xy[:, 1] < 200)]  # an L
    used = np.ones(len(xy), dtype=bool)
    used[:7] = False
    chart = Chart.of(xy, xy[:, 0] - 100, used, 10.0)
    assert np.isnan(chart.distance[:7]).all()
    assert 0.15 < np.isnan(chart.cells).mean() < 0.25  # a quarter, less two spacings around
    rng = np.random.default_rng(1)
    moved = np.stack([chart.shifted(rng) for _ in range(20)])
    assert np.isnan(moved[:, :7]).all()
    assert np.isnan(moved[:, 7:]).any()
    assert np.isfinite(moved[:, 7:]).mean() > 0.5


def test_the_same_seed_moves_alike() -> None:
    xy = square()
    chart = Chart.of(xy, xy[:, 0] - 100, np.ones(len(xy), dtype=bool), 10.0)
    one, two = (chart.shifted(np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, two)

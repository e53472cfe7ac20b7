"""Observations point to the right rows, and targets are worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from prestige.data.observations import Observations, all_observations, gather, positions_um, targets
from prestige.data.panel import Panel
from prestige.data.split.folds import TEST, TRAIN, UNUSED, Fold


def two(make_sample) -> tuple[list, Fold]:
    samples = [make_sample("a", n=4, seed=1), make_sample("b", n=3, seed=2)]
    sides = {
        "a": np.array([TRAIN, TEST, UNUSED, TRAIN], np.int8),
        "b": np.array([TEST, TEST, TRAIN], np.int8),
    }
    return samples, Fold(0, "f", sides, {})


def test_gather_orders_by_sample_then_row(make_sample) -> None:
    samples, fold = two(make_sample)
    got = gather(samples, fold, TRAIN)
    assert len(got) == 3
    np.testing.assert_array_equal(got.slide_index, [0, 0, 1])
    np.testing.assert_array_equal(got.row, [0, 3, 2])
    np.testing.assert_array_equal(got.xy_px[2], samples[1].xy_px[2])
    assert len(gather(samples, fold, 1)) == 0


def test_all_observations_and_take(make_sample) -> None:
    samples, _ = two(make_sample)
    every = all_observations(samples)
    assert len(every) == 7
    part = every.take(np.array([6, 0]))
    assert isinstance(part, Observations)
    np.testing.assert_array_equal(part.slide_index, [1, 0])
    np.testing.assert_array_equal(part.row, [2, 0])


def test_positions_are_in_um_of_the_slide_that_each_lies_on() -> None:
    samples = [
        SimpleNamespace(um_per_px=0.5),
        SimpleNamespace(um_per_px=0.25),
        SimpleNamespace(um_per_px=2.0),
    ]
    places = Observations(
        np.array([1, 0, 0, 1]), np.arange(4), np.array([[4.0, 8.0], [4.0, 8.0], [-1.0, 0.0], [1.0, 2.0]])
    )
    wanted = [[1.0, 2.0], [2.0, 4.0], [-0.5, 0.0], [0.25, 0.5]]
    np.testing.assert_array_equal(positions_um(samples, places), wanted)
    assert positions_um(samples, places.take(np.arange(0))).shape == (0, 2)


def test_positions_are_those_of_the_samples(make_sample) -> None:
    samples, _ = two(make_sample)
    every = all_observations(samples)
    wanted = np.concatenate([sample.xy_um for sample in samples])
    np.testing.assert_array_equal(positions_um(samples, every), wanted)


def test_targets_by_hand(make_sample) -> None:
    """Totals are over all measured genes: 10 counts of which 2 and 3 are in the panel, scaled to 100."""
    a = make_sample("a", n=1, counts=[[2, 3, 5]], genes=["A", "B", "C"])
    b = make_sample("b", n=2, counts=[[1, 0, 1], [0, 0, 0]], genes=["B", "X", "A"], totals=[4, 0])
    panel = Panel(("B", "A"), 100.0, np.zeros(2), np.ones(2))
    got = targets([a, b], all_observations([a, b]), panel)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.log1p([[30, 20], [25, 25], [0, 0]]), rtol=1e-6)
    again = targets([a, b], all_observations([a, b]).take(np.array([1, 0])), panel)
    np.testing.assert_array_equal(again, got[[1, 0]])

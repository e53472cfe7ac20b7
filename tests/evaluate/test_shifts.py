"""Centres moved as registration errs, scored on the same measurements."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates

from prestige.data.observations import Observations
from prestige.evaluate import shifts
from prestige.evaluate.shifts import moved, shifted_moments
from prestige.stats.moments import mean_gene_pearson


def places(n: int, slides: int = 2, seed: int = 0) -> Observations:
    rng = np.random.default_rng(seed)
    return Observations(rng.integers(0, slides, n), np.arange(n), rng.uniform(20, 180, (n, 2)))


@given(st.floats(0.1, 50), st.integers(0, 99))
def test_every_centre_of_a_slide_moves_by_the_distance_in_one_direction(shift_um: float, seed: int) -> None:
    some, um = places(60), (0.5, 2.0)
    step = moved(some, shift_um, um, seed=seed).xy_px - some.xy_px
    for slide, um_per_px in enumerate(um):
        of_slide = step[some.slide_index == slide]
        np.testing.assert_allclose(np.hypot(*of_slide.T) * um_per_px, shift_um, rtol=1e-6)
        np.testing.assert_allclose(of_slide, of_slide[:1].repeat(len(of_slide), 0), atol=1e-9)


def test_slides_move_their_own_ways_and_a_seed_always_alike() -> None:
    some, um = places(60), (1.0, 1.0)
    one, again, other = (moved(some, 5.0, um, seed=seed).xy_px - some.xy_px for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)
    first, second = (one[some.slide_index == slide][0] for slide in (0, 1))
    assert not np.allclose(first, second)
    twice = moved(some, 10.0, um, seed=1).xy_px - some.xy_px
    np.testing.assert_allclose(twice, 2 * one, atol=1e-9)


def test_a_sharp_reader_loses_more_than_a_blurred_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field whose grain is 3 px, read exactly and smoothed: moved by 4 px, only the first falls far."""
    monkeypatch.setattr(shifts, "MOST", 1500)
    fine = gaussian_filter(np.random.default_rng(0).normal(size=(200, 200)), 3)
    some = places(3000, slides=1)
    truth = map_coordinates(fine, some.xy_px.T[::-1], order=1)[:, None].astype(np.float32)

    def reader(field: np.ndarray):
        return lambda o: map_coordinates(field, o.xy_px.T[::-1], order=1, mode="nearest")[:, None]

    kinds = {"sharp": fine, "blurred": gaussian_filter(fine, 8)}
    scores = {}
    for name, field in kinds.items():
        found = shifted_moments(
            reader(field),
            some,
            truth,
            shifts_um=[2.0, 4.0, 4.0],
            um_per_px=[1.0],
            sample_of=np.full(3000, "s"),
            block_of=np.zeros(3000, dtype=np.int64),
            genes=["g"],
        )
        assert list(found) == [0.0, 2.0, 4.0]
        assert {int(moments.n.sum()) for moments in found.values()} == {1500}
        scores[name] = [mean_gene_pearson(moments) for moments in found.values()]
    assert scores["sharp"][0] == pytest.approx(1.0, abs=1e-5)
    assert scores["sharp"][0] > scores["sharp"][1] > scores["sharp"][2]
    lost = {name: values[0] - values[2] for name, values in scores.items()}
    assert lost["sharp"] > 2 * lost["blurred"]


def test_without_a_shift_it_is_the_score_of_the_predictions_themselves() -> None:
    some = places(400)
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(400, 2)).astype(np.float32)
    prediction = truth + rng.normal(size=(400, 2)).astype(np.float32)
    sample = np.array(["a", "b"])[some.slide_index]
    found = shifted_moments(
        lambda o: prediction[o.row],
        some,
        truth,
        shifts_um=[],
        um_per_px=[1.0, 1.0],
        sample_of=sample,
        block_of=np.zeros(400, dtype=np.int64),
        genes=["g", "h"],
    )
    expected = np.mean(
        [
            np.corrcoef(prediction[sample == s, g], truth[sample == s, g])[0, 1]
            for s in ("a", "b")
            for g in (0, 1)
        ]
    )
    assert mean_gene_pearson(found[0.0]) == pytest.approx(expected, abs=1e-6)

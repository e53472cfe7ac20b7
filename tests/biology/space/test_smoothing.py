"""The smoothing length on fields of known length: it is the width of the kernel that was used."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from prestige.biology.space.smoothing import Smoothing, smoothing_length
from prestige.errors import DataError

SIDE = 72
STEP = 10.0
ONE = np.full(SIDE * SIDE, "s")
XY = STEP * np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).reshape(-1, 2).astype(float)


def field(length_um: float, genes: int, seed: int = 0) -> np.ndarray:
    """White noise under a Gaussian kernel of a standard deviation in um: variance 1, (n, genes)."""
    rng = np.random.default_rng(seed)
    found = [
        gaussian_filter(rng.standard_normal((SIDE, SIDE)), length_um / STEP, mode="wrap").ravel()
        for _ in range(genes)
    ]
    values = np.stack(found, axis=1)
    return values / values.std(axis=0)


def blurred(values: np.ndarray, width_um: float) -> np.ndarray:
    planes = [gaussian_filter(v.reshape(SIDE, SIDE), width_um / STEP, mode="reflect") for v in values.T]
    return np.stack([plane.ravel() for plane in planes], axis=1)


def measured(values: np.ndarray, noise: float, seed: int = 9) -> np.ndarray:
    return values + noise * np.random.default_rng(seed).standard_normal(values.shape)


def found(m: np.ndarray, p: np.ndarray) -> Smoothing:
    return smoothing_length(m, p, XY, ONE, draws=60)


@pytest.mark.parametrize("width", [10.0, 20.0, 40.0])
@pytest.mark.parametrize("noise", [0.5, 3.0])
def test_the_length_is_the_width_of_the_kernel(width: float, noise: float) -> None:
    truth = field(15.0, 12)
    answer = found(measured(truth, noise), blurred(truth, width))
    assert answer.length_um == pytest.approx(width, rel=0.2)
    assert answer.low_um <= answer.length_um <= answer.high_um
    assert answer.spacing_um == pytest.approx(STEP, rel=0.15)  # the 8th neighbour touches at a corner
    # Fields of length 15 um lose 1 - 15^2 / (15^2 + width^2) of their variance, neighbours a bit less.
    assert answer.lost == pytest.approx(1 - 225 / (225 + width**2), abs=0.12)
    assert answer.lost_low <= answer.lost <= answer.lost_high
    assert answer.averaged == pytest.approx(4 * math.pi * (answer.length_um / answer.spacing_um) ** 2)


def test_structure_of_two_lengths() -> None:
    truth = field(12.0, 10) + field(80.0, 10, seed=5)
    answer = found(measured(truth, 1.0), blurred(truth, 25.0))
    assert answer.length_um == pytest.approx(25.0, rel=0.25)
    assert 0.2 < answer.lost < 0.6  # 0.81 of the finer half, 0.09 of the wider


@pytest.mark.parametrize("weak", [1.0, 0.05])
def test_what_is_right_but_weak_or_noisy_is_not_smooth(weak: float) -> None:
    truth = field(15.0, 12)
    for p in (weak * truth, weak * measured(truth, 0.7, seed=4)):
        answer = found(measured(truth, 2.0), p + 3.0)
        assert answer.length_um < 0.5 * STEP
        assert answer.low_um < 0.3 * STEP


def test_a_finer_prediction_has_length_0() -> None:
    truth = field(25.0, 12)
    assert found(measured(blurred(truth, 20.0), 0.3), truth).length_um == 0.0


def test_knowing_only_the_coarser_genes_is_not_smoothness() -> None:
    truth = np.concatenate([field(12.0, 10), field(40.0, 10, seed=2)], axis=1)
    weak = truth * np.repeat([0.02, 1.0], 10)
    assert found(measured(truth, 1.0), weak).length_um < 0.5 * STEP


def test_what_has_no_structure_has_no_length() -> None:
    truth = field(15.0, 6)
    rng = np.random.default_rng(1)
    for p in (np.full_like(truth, 0.3), truth[rng.permutation(len(truth))]):
        answer = found(measured(truth, 0.5), p)
        assert answer.n_genes == 0
        assert math.isnan(answer.length_um)
        assert answer.measured_structure
    answer = found(rng.standard_normal(truth.shape), truth)
    assert not answer.measured_structure
    assert math.isnan(answer.length_um)


def test_samples_have_their_own_means_and_blocks() -> None:
    truth = field(15.0, 8)
    values, smooth = measured(truth, 1.0), blurred(truth, 25.0)
    left = XY[:, 0] < XY[:, 0].mean()
    of = np.where(left, "a", "b")
    shift = np.where(left, 0.0, 50.0)[:, None]  # as large as you like: it is no structure
    answer = smoothing_length(values + shift, smooth + shift, XY, of, draws=30)
    assert answer.length_um == pytest.approx(25.0, rel=0.25)
    assert answer.n_blocks == 128


def test_same_seed_same_numbers() -> None:
    truth = field(15.0, 3)
    first, again = (found(measured(truth, 1.0), truth) for _ in range(2))
    np.testing.assert_array_equal(first.predicted, again.predicted)
    assert (first.length_um, first.high_um) == (again.length_um, again.high_um)


def test_too_little_tissue_is_refused() -> None:
    values = np.random.default_rng(0).standard_normal((len(XY), 2))
    with pytest.raises(DataError, match="no sample has 100"):
        smoothing_length(values[:50], values[:50], XY[:50], ONE[:50])
    with pytest.raises(DataError, match="say nothing of structure"):
        smoothing_length(values, values, np.zeros_like(XY), ONE)

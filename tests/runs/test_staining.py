"""Stains around an observation: colours of known amounts, sections of unlike resolution, small images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from prestige.data.observations import Observations
from prestige.data.patches.augment import EOSIN, HAEMATOXYLIN
from prestige.data.slides.slide import Slide
from prestige.runs.staining import stain_columns


def painted(haematoxylin: np.ndarray, eosin: np.ndarray) -> np.ndarray:
    """Return the colours that amounts of the stains give, by Beer and Lambert."""
    density = haematoxylin[..., None] * np.array(HAEMATOXYLIN) + eosin[..., None] * np.array(EOSIN)
    return np.clip(256 * 10**-density - 1, 0, 255).round().astype(np.uint8)


def of(sample, pixels: np.ndarray, um_per_px: float = 0.5):
    return replace(sample, slide=Slide(pixels, um_per_px, False, "made"))


def at(xy: list[tuple[float, float]], number: int = 0) -> Observations:
    places = np.array(xy, dtype=np.float64)
    return Observations(np.full(len(xy), number), np.arange(len(xy)), places)


def test_amounts_are_those_that_were_painted(small_samples) -> None:
    across = np.repeat(np.linspace(0.05, 0.6, 400)[None], 400, axis=0)
    sample = of(small_samples[0], painted(across, np.full_like(across, 0.2)))
    found = stain_columns(at([(100, 200), (200, 200), (300, 200)]), [sample])
    # The square is 100 px wide, the ramp straight: its mean is the value in the middle.
    assert found["haematoxylin"] == pytest.approx(across[0, [100, 200, 300]], abs=0.01)
    assert found["eosin"] == pytest.approx(0.2, abs=0.01)


def test_the_square_is_as_wide_in_um_on_every_section(small_samples) -> None:
    fine = np.zeros((400, 400))
    fine[:, 200:] = 0.4  # an edge: the mean says how much of the square lies beyond it
    coarse = fine[::2, ::2]
    samples = [
        of(small_samples[0], painted(fine, np.full_like(fine, 0.1)), 0.5),
        of(small_samples[1], painted(coarse, np.full_like(coarse, 0.1)), 1.0),
    ]
    both = [stain_columns(at([(x, y)], number), samples) for number, x, y in ((0, 175, 200), (1, 87.25, 100))]
    assert both[0]["haematoxylin"] == pytest.approx(both[1]["haematoxylin"], abs=0.02)
    assert both[0]["haematoxylin"] == pytest.approx(0.1, abs=0.02)  # a quarter of the square


def test_an_image_smaller_than_the_square(small_samples) -> None:
    flat = np.full((30, 40), 0.3)
    found = stain_columns(at([(20, 15)]), [of(small_samples[0], painted(flat, flat))])
    assert found["haematoxylin"] == pytest.approx(0.3, abs=0.02)


def test_no_observations(small_samples) -> None:
    found = stain_columns(at([(1, 1)]).take(np.zeros(0, np.int64)), small_samples)
    assert {name: len(values) for name, values in found.items()} == {"haematoxylin": 0, "eosin": 0}

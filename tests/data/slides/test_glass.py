"""Centres on bare glass: told with what would bring them onto tissue, and never of tissue without glass."""

from __future__ import annotations

import numpy as np
import pytest

from prestige.data.slides.glass import glass_note, glass_of, share_on_glass

SIDE = 400


def slide(glass: float = 240.0, noise: float = 2.0, tissue: tuple[int, int, int, int] = (180, 380, 20, 140)):
    """Return glass with a stained rectangle (rows, then columns) of purple and pink."""
    rng = np.random.default_rng(0)
    pixels = np.full((SIDE, SIDE, 3), glass)
    top, bottom, left, right = tissue
    nuclei = rng.random((bottom - top, right - left, 1)) < 0.3
    pixels[top:bottom, left:right] = np.where(nuclei, [110, 70, 150], [225, 150, 190])
    return np.clip(pixels + rng.normal(0, noise, pixels.shape), 0, 255).astype(np.uint8)


def centres(n: int = 500) -> np.ndarray:
    return np.random.default_rng(1).uniform([30, 190], [130, 370], (n, 2))


@pytest.mark.parametrize("glass", [200.0, 240.0, 255.0])
@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_the_glass_is_found_as_bright_as_it_is(glass: float, noise: float) -> None:
    pixels = slide(glass, noise)
    found = glass_of(pixels)
    assert found is not None
    assert found.share == pytest.approx(1 - 200 * 120 / SIDE**2, abs=0.05)
    assert share_on_glass(pixels, centres(), found) == 0
    assert glass_note(pixels, centres(), 0.5) is None


@pytest.mark.parametrize(
    ("wrong", "um_per_px", "said"),
    [
        (lambda xy: xy[:, ::-1], 0.5, "x and y may be swapped (0% then)"),
        (lambda xy: xy * 0.25, 0.25, "they may be of a level 4 times smaller or in micrometres (0% then)"),
        (lambda xy: xy * 0.3, 0.3, "they may be in micrometres (0% then)"),
        (lambda xy: xy / 2, 0.3, "they may be of a level 2 times smaller (0% then)"),
        (lambda xy: xy * [1, 0] + [0, 20], 0.3, "bare glass (86% of the slide is)"),
    ],
)
def test_places_beside_the_tissue_are_told_with_what_would_help(wrong, um_per_px: float, said: str) -> None:
    note = glass_note(slide(), wrong(centres()), um_per_px)
    assert note is not None
    assert said in note
    assert "of the centres lie on bare glass" in note


def test_a_few_centres_on_glass_are_nothing_unusual() -> None:
    xy = centres()
    xy[:100] = [300, 100]  # a fifth: lumina, fat, the rim
    assert glass_note(slide(), xy, 0.5) is None
    assert glass_note(slide(), xy[:0], 0.5) is None


def test_of_tissue_without_glass_nothing_is_said() -> None:
    rng = np.random.default_rng(2)
    xy = rng.uniform(0, SIDE - 1, (300, 2))
    for pixels in (
        slide(tissue=(0, SIDE, 0, SIDE)),
        rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8),
        np.full((SIDE, SIDE, 3), (235, 190, 215), dtype=np.uint8),  # even and pink
        np.full((SIDE, SIDE, 3), 60, dtype=np.uint8),  # even and dark
        np.zeros((3, 2, 3), dtype=np.uint8),
    ):
        assert glass_of(pixels) is None
        assert glass_note(pixels, np.minimum(xy, [pixels.shape[1] - 1, pixels.shape[0] - 1]), 0.5) is None

"""The alignment check: sound samples, every misplacement of them, and what it cannot tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from prestige.data.dataset import DatasetConfig, SampleSpec, open_dataset
from prestige.data.together.alignment import (
    FEWEST_OBS,
    Alignment,
    Position,
    _judged,
    alignment_of,
    check_alignment,
)
from prestige.data.together.ways import Way

UM = 2.0
HEIGHT, WIDTH = 500, 640  # 1,000 x 1,280 um


def tissue(seed: int = 0) -> np.ndarray:
    """Return an image whose haematoxylin varies over some 40 um, on glass at its left and upper border."""
    rng = np.random.default_rng(seed)
    amount = gaussian_filter(rng.normal(size=(HEIGHT // 10 + 1, WIDTH // 10 + 1)), 1.2)
    amount = np.clip(0.3 + 0.25 * zoom(amount / amount.std(), 10, order=1)[:HEIGHT, :WIDTH], 0.03, 1)
    amount[:60], amount[:, :100] = 0, 0
    stain = amount[:, :, None] * np.array([0.65, 0.70, 0.29])
    return np.clip(245 * 10**-stain + rng.normal(0, 1, stain.shape), 0, 255).astype(np.uint8)


def grid(step: float = 12.0) -> np.ndarray:
    x, y = np.meshgrid(np.arange(110, WIDTH - 10, step), np.arange(70, HEIGHT - 10, step))
    return np.column_stack([x.ravel(), y.ravel()]).astype(float)


def counts_at(pixels: np.ndarray, xy_px: np.ndarray, seed: int = 1) -> np.ndarray:
    density = gaussian_filter(255.0 - pixels[:, :, 0], 4)
    column, row = np.rint(xy_px).astype(int).T
    return np.random.default_rng(seed).poisson(density[row, column] / 3).astype(float)


@pytest.fixture(scope="module")
def sound() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pixels, xy_px = tissue(), grid()
    return pixels, xy_px, counts_at(pixels, xy_px)


def inside(xy_px: np.ndarray, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = ((xy_px >= 0) & (xy_px < (WIDTH, HEIGHT))).all(axis=1)
    return xy_px[kept], totals[kept]


def test_a_sound_sample_fits_as_it_stands(sound: Any) -> None:
    pixels, xy_px, totals = sound
    found = check_alignment(pixels, xy_px, totals, um_per_px=UM)
    assert found.verdict == "fits"
    assert found.better is None
    assert found.own.fit == pytest.approx(0.94, abs=0.02)
    assert found.own.darkness == pytest.approx(0, abs=0.05)  # places on a grid know nothing of nuclei
    assert found.text.startswith("image and table fit best as they stand")
    assert all(one.inside >= 0.98 for one in found.others)
    assert check_alignment(pixels, xy_px, totals, um_per_px=UM) == found


MOVED = {
    "x and y swapped": lambda xy: xy[:, ::-1],
    "mirrored left to right": lambda xy: np.column_stack([WIDTH - 1 - xy[:, 0], xy[:, 1]]),
    "mirrored top to bottom": lambda xy: np.column_stack([xy[:, 0], HEIGHT - 1 - xy[:, 1]]),
    "turned by 180 degrees": lambda xy: (WIDTH - 1, HEIGHT - 1) - xy,
    "shifted by 100 um left": lambda xy: xy + (50, 0),
    "shifted by 100 um right and up": lambda xy: xy + np.array([-50, 50]) / np.sqrt(2),
}


@pytest.mark.parametrize("back", MOVED)
def test_a_moved_sample_is_told_with_what_brings_it_back(sound: Any, back: str) -> None:
    pixels, xy_px, totals = sound
    places, kept = inside(MOVED[back](xy_px), totals)
    found = check_alignment(pixels, places, kept, um_per_px=UM)
    assert found.verdict == "fits elsewhere"
    assert found.better is not None
    assert found.better.way.words == back
    assert f"fit better {back} (" in found.text


def test_counts_that_have_nothing_to_do_with_the_tissue_tell_nothing(sound: Any) -> None:
    pixels, xy_px, _ = sound
    flat = np.full_like(pixels, 180)
    for image, totals in (
        (flat, np.random.default_rng(3).poisson(30, len(xy_px)).astype(float)),
        (flat, np.full(len(xy_px), 7.0)),
    ):
        found = check_alignment(image, xy_px, totals, um_per_px=UM)
        assert found.verdict == "cannot be told"
        assert "no better than elsewhere" in found.text


@pytest.mark.parametrize("seed", range(8))
def test_noise_flags_nothing(seed: int) -> None:
    rng, xy_px = np.random.default_rng(seed), grid()
    smooth = gaussian_filter(rng.normal(size=(HEIGHT, WIDTH)), 30)
    column, row = np.rint(xy_px).astype(int).T
    totals = rng.poisson(np.exp(3 + 0.8 * smooth[row, column] / smooth.std())).astype(float)
    assert check_alignment(tissue(seed), xy_px, totals, um_per_px=UM).better is None


def test_few_observations_tell_nothing(sound: Any) -> None:
    pixels, xy_px, totals = sound
    few = check_alignment(pixels, xy_px[:FEWEST_OBS - 1], totals[:FEWEST_OBS - 1], um_per_px=UM)  # fmt: skip
    assert few.text == "whether image and table fit cannot be told: 49 observations are too few"
    one_place = np.tile(xy_px[:1], (60, 1))
    assert check_alignment(pixels, one_place, totals[:60], um_per_px=UM).verdict == "cannot be told"
    bare = check_alignment(pixels, grid(20.0), None, um_per_px=UM)
    assert "there are no counts, and the observations are no single cells" in bare.text


def nuclei(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return an image at 0.5 um/px with dark nuclei 8 um wide, and their centres."""
    rng = np.random.default_rng(seed)
    columns, rows = np.meshgrid(np.arange(40, 1160, 32.0), np.arange(40, 960, 32.0))
    xy_px = np.column_stack([columns.ravel(), rows.ravel()]) + rng.uniform(-11, 11, (columns.size, 2))
    dots = np.zeros((1000, 1200))
    column, row = np.rint(xy_px).astype(int).T
    dots[row, column] = 1
    amount = 0.1 + 120 * gaussian_filter(dots, 6)
    stain = np.clip(amount, 0, 1)[:, :, None] * np.array([0.65, 0.70, 0.29])
    return (245 * 10**-stain).astype(np.uint8), xy_px


def test_cells_lie_on_nuclei_whether_counted_or_not() -> None:
    pixels, xy_px = nuclei()
    found = check_alignment(pixels, xy_px, None, um_per_px=0.5)
    assert found.verdict == "fits"
    assert found.own.fit is None
    assert found.own.darkness > 0.5  # type: ignore[operator]
    totals = np.random.default_rng(0).poisson(20, len(xy_px)).astype(float)
    assert check_alignment(pixels, xy_px, totals, um_per_px=0.5).verdict == "fits"


def test_the_very_shift_of_cells_is_found() -> None:
    pixels, xy_px = nuclei()
    moved = xy_px + (70, -33)  # 35 um right, 16.5 um up
    kept = ((moved >= 0) & (moved < (1200, 1000))).all(axis=1)
    found = check_alignment(pixels, moved[kept], None, um_per_px=0.5)
    assert found.better is not None
    assert found.better.way.kind == "found"
    right, down = found.better.way.offset_px
    assert abs(right + 70) <= 8
    assert abs(down - 33) <= 8


def test_an_observation_at_every_edge_is_looked_up() -> None:
    edges = np.array([[-0.5, -0.5], [WIDTH - 0.51, HEIGHT - 0.51]])
    xy_px = np.concatenate([grid(), edges])
    pixels = tissue()
    found = check_alignment(pixels, xy_px, np.ones(len(xy_px)), um_per_px=UM)
    assert isinstance(found, Alignment)


@pytest.mark.parametrize("shape", [(3, 3), (40, 2000), (200, 200)])
@pytest.mark.parametrize("um_per_px", [0.1, 3.0, 60.0])
def test_images_of_any_size(shape: tuple[int, int], um_per_px: float) -> None:
    rng = np.random.default_rng(0)
    xy_px = rng.uniform(0, 1, (120, 2)) * (shape[1] - 1, shape[0] - 1)
    pixels = rng.integers(0, 255, (*shape, 3)).astype(np.uint8)
    found = check_alignment(pixels, xy_px, rng.poisson(5, 120).astype(float), um_per_px=um_per_px)
    assert found.better is None


def test_the_kidney_fits_and_tells_shifts(shared_data: Path) -> None:
    spec = SampleSpec(id="KIDNEY", source="hest", path=shared_data / "kidney_visium_hd", patient="k",
                      table="KIDNEY_16um.h5ad")  # fmt: skip
    (sample,) = open_dataset(DatasetConfig(name="k", samples=(spec,))).samples
    found = alignment_of(sample)
    assert (found.verdict, found.told_from_um) == ("fits", 50.0)
    assert found.own.fit == pytest.approx(0.62, abs=0.02)
    moved = sample.xy_px[:, ::-1]
    totals = sample.obs["total_counts"].to_numpy(float)
    swapped = check_alignment(sample.slide.pixels, moved.copy(), totals, um_per_px=sample.um_per_px)
    assert swapped.better is not None
    assert swapped.better.way.words == "x and y swapped"


def test_a_position_that_is_taken_for_the_glass_alone_says_so() -> None:
    """Most centres lie on glass as it stands; the counts fit no position better."""
    names = ("as it stands", "turned by 90 degrees clockwise", "x and y swapped")
    ways = [Way(name, "own" if name == names[0] else "turn", ((1, 0), (0, 1)), (0.0, 0.0)) for name in names]
    own = Position(ways[0], 1.0, 0.65, fit=0.21)
    turned = Position(ways[1], 1.0, 0.2, fit=0.20, gain=-0.01, error=0.02)
    swapped = Position(ways[2], 1.0, 0.0, fit=0.14, gain=-0.07, error=0.02)
    found = _judged(own, [turned, swapped])
    assert found.better is swapped
    assert "0% of the centres lie on bare glass then, 65% as it stands" in found.text

"""Patches against a crop written out with numpy, at edges, over several slides, resized and greyed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prestige.data.patches.reader import (
    GREY,
    Patch,
    PatchConfig,
    PatchReader,
    resolve_patch,
    width_px,
    window_inside,
    window_start,
)
from prestige.errors import ConfigError, DataError


def naive(pixels: np.ndarray, xy: np.ndarray, width: int) -> np.ndarray:
    """Crop one patch pixel by pixel, the nearest edge pixel outside the image."""
    height, across = pixels.shape[:2]
    left, top = (int(np.floor(v - (width - 1) / 2 + 0.5)) for v in xy)
    out = np.zeros((width, width, 3), np.uint8)
    for r in range(width):
        for c in range(width):
            out[r, c] = pixels[min(max(top + r, 0), height - 1), min(max(left + c, 0), across - 1)]
    return out


def images(patches: torch.Tensor) -> np.ndarray:
    return patches.permute(0, 2, 3, 1).numpy()


@given(
    width=st.integers(1, 24),
    places=st.lists(
        st.tuples(st.integers(0, 1), st.floats(-3, 42), st.floats(-3, 32)), min_size=1, max_size=12
    ),
)
def test_batch_equals_naive_crops(make_slide, width, places) -> None:
    slides = [make_slide(30, 40, 0.5, seed=1), make_slide(33, 37, 0.5, seed=2)]
    slide_index = np.array([p[0] for p in places])
    xy = np.array([p[1:] for p in places], np.float64)
    patches = PatchReader(slides, Patch(width * 0.5, width))(slide_index, xy)
    assert patches.dtype == torch.uint8
    assert patches.shape == (len(places), 3, width, width)
    expected = [naive(slides[s].pixels, place, width) for s, place in zip(slide_index, xy, strict=True)]
    np.testing.assert_array_equal(images(patches), np.stack(expected))


def test_window_is_centred_on_pixel_centres() -> None:
    xy = np.array([[10.0, 20.0], [10.5, 20.5], [10.49, 20.51]])
    np.testing.assert_array_equal(window_start(xy, 3), [[9, 19], [10, 20], [9, 20]])
    np.testing.assert_array_equal(window_start(xy, 4), [[9, 19], [9, 19], [9, 19]])


@given(width=st.integers(1, 30), x=st.floats(0, 50), y=st.floats(0, 50))
def test_smaller_windows_lie_inside_larger_ones(width, x, y) -> None:
    xy = np.array([[x, y]])
    small, large = window_start(xy, width), window_start(xy, width + 1)
    assert (small >= large).all()
    assert (small + width <= large + width + 1).all()


def test_window_inside_knows_the_last_place_that_fits() -> None:
    xy = np.array([[1.0, 1.0], [0.4, 1.0], [7.0, 8.0], [8.0, 8.0], [7.0, 8.99], [7.0, 9.0]])
    inside = window_inside(xy, 4, width_px=10, height_px=11)
    np.testing.assert_array_equal(inside, [True, False, True, False, True, False])


def test_channels_last_and_any_number_of_threads(make_slide) -> None:
    slide = make_slide(300, 400)
    xy = np.random.default_rng(0).uniform(0, 300, (700, 2))
    where = np.zeros(len(xy), np.int64)
    one, four = (PatchReader([slide], Patch(16.0, 32), threads=t)(where, xy) for t in (1, 4))
    assert one.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(one, four)


def test_reads_a_memory_map_without_copying(make_slide, tmp_path) -> None:
    slide = make_slide(50, 60)
    np.save(tmp_path / "pixels.npy", slide.pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    reader = PatchReader([type(slide)(mapped, 0.5, False, "")], Patch(4.0, 8))
    assert np.shares_memory(reader._pixels[0], mapped)
    xy = np.array([[20.0, 30.0]])
    np.testing.assert_array_equal(images(reader(np.zeros(1, int), xy))[0], naive(slide.pixels, xy[0], 8))


def test_same_tissue_on_slides_of_different_resolution(make_slide) -> None:
    """A patch of 8 um is 16 px on one slide and 8 px on the other; both become 8 px of input."""
    fine, coarse = make_slide(60, 60, 0.5, seed=1), make_slide(60, 60, 1.0, seed=2)
    out = images(PatchReader([fine, coarse], Patch(8.0, 8))(np.array([1, 0, 1]), np.full((3, 2), 30.0)))
    np.testing.assert_array_equal(out[0], naive(coarse.pixels, np.array([30.0, 30.0]), 8))
    np.testing.assert_array_equal(out[2], out[0])
    native = naive(fine.pixels, np.array([30.0, 30.0]), 16).astype(float)
    assert abs(out[1].mean() - native.mean()) < 3.0


def test_shrinking_averages_stripes(make_slide) -> None:
    slide = make_slide(64, 64)
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, ::2] = 200
    striped = type(slide)(pixels, 0.5, False, "")
    out = images(PatchReader([striped], Patch(16.0, 8))(np.zeros(1, int), np.full((1, 2), 32.0)))
    off = np.abs(out.astype(int) - 100)  # without antialiasing it would be 100 everywhere
    assert off[:, 1:-1, 1:-1].max() <= 1
    assert off.max() <= 8  # the filter is cut at the patch's own border
    larger = images(PatchReader([striped], Patch(4.0, 16))(np.zeros(1, int), np.full((1, 2), 32.0)))
    assert larger.shape == (1, 16, 16, 3)


@pytest.mark.parametrize(("width", "shown"), [(16, 8), (16, 7), (15, 8), (16, 16)])
def test_greyed_out_control_shows_exactly_the_smaller_patch(make_slide, width, shown) -> None:
    slide = make_slide(80, 80)
    xy = np.random.default_rng(3).uniform(0, 79, (40, 2))
    where = np.zeros(len(xy), np.int64)
    out = images(PatchReader([slide], Patch(width * 0.5, width, shown * 0.5))(where, xy))
    offset = window_start(xy, shown) - window_start(xy, width)
    for image, place, (dx, dy) in zip(out, xy, offset, strict=True):
        inner = image[dy : dy + shown, dx : dx + shown]
        np.testing.assert_array_equal(inner, naive(slide.pixels, place, shown))
        hidden = np.ones((width, width), bool)
        hidden[dy : dy + shown, dx : dx + shown] = False
        assert (image[hidden] == GREY).all()


def test_empty_batch(make_slide) -> None:
    out = PatchReader([make_slide()], Patch(4.0, 8))(np.zeros(0, np.int64), np.zeros((0, 2)))
    assert out.shape == (0, 3, 8, 8)


def test_patch_larger_than_image(make_slide) -> None:
    with pytest.raises(DataError, match=r"slide 1: a patch of 32 um \(64 px\).*60 x 50 px"):
        PatchReader([make_slide(), make_slide(50, 60)], Patch(32.0, 64))


def test_resolve_patch() -> None:
    assert resolve_patch(PatchConfig(patch_px=32), [0.5, 0.5]) == Patch(16.0, 32)
    assert resolve_patch(PatchConfig(patch_um=16, input_px=24, visible_um=8), [0.5, 1.0]) == Patch(
        16.0, 24, 8.0
    )
    # no sample is enlarged: the coarsest decides the default input
    assert resolve_patch(PatchConfig(patch_um=16), [0.5, 1.0]) == Patch(16.0, 16)
    assert width_px(16.0, 0.425) == 38
    assert Patch(16.0, 32).width_px(0.425) == 38


def test_resolve_refuses_pixels_of_different_size() -> None:
    with pytest.raises(ConfigError, match="patch_um: 32, input_px: 32"):
        resolve_patch(PatchConfig(patch_px=32), [0.5, 1.0])
    with pytest.raises(ConfigError, match="at most 16 um"):
        resolve_patch(PatchConfig(patch_um=16, visible_um=17), [0.5])
    with pytest.raises(ConfigError, match="at least one sample"):
        resolve_patch(PatchConfig(patch_um=16), [])


@pytest.mark.parametrize("raw", [{}, {"patch_um": 16, "patch_px": 32}, {"patch_um": 0}, {"patch_px": 0}])
def test_patch_config_refuses(raw) -> None:
    with pytest.raises(ValidationError):
        PatchConfig(**raw)

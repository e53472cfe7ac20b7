"""The gather on a device against the reader it stands for, on the one device that every machine has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.patches import on_device as module
from prestige.data.patches.augment import AugmentConfig, augment, draw_parameters
from prestige.data.patches.on_device import DeviceReader, StreamedReader, bytes_of, on_device
from prestige.data.patches.reader import Patch, PatchReader, Reader

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    module._held.clear()
    yield
    module._held.clear()


@given(
    width=st.integers(1, 24),
    shown=st.none() | st.integers(1, 24),
    places=st.lists(st.tuples(st.integers(0, 1), st.floats(-3, 42), st.floats(-3, 32)), max_size=12),
)
def test_bytes_are_those_of_the_reader_on_the_cpu(make_slide, width, shown, places) -> None:
    slides = [make_slide(30, 40, 0.5, seed=1), make_slide(33, 37, 0.5, seed=2)]
    patch = Patch(width * 0.5, width, None if shown is None else min(shown, width) * 0.5)
    where = np.array([p[0] for p in places], dtype=np.int64)
    xy = np.array([p[1:] for p in places], np.float64).reshape(-1, 2)
    found = DeviceReader(slides, patch, CPU)(where, xy)
    expected = PatchReader(slides, patch)(where, xy)
    assert found.dtype == torch.uint8
    assert torch.equal(found, expected)
    assert not len(xy) or found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("width_um", "side"), [(16.0, 16), (16.0, 20), (8.0, 24)])
def test_resized_patches_are_within_one_level(make_slide, width_um, side) -> None:
    slides = [make_slide(60, 70, 0.5, seed=1), make_slide(60, 70, 1.0, seed=2)]
    rng = np.random.default_rng(0)
    where, xy = rng.integers(0, 2, 30), rng.uniform(0, 59, (30, 2))
    patch = Patch(width_um, side)
    found, expected = (
        reader(where, xy).int() for reader in (DeviceReader(slides, patch, CPU), PatchReader(slides, patch))
    )
    assert (found - expected).abs().max() <= 1


def test_a_slide_is_sent_once_and_shared(make_slide, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = make_slide(50, 60, 0.5, seed=1), make_slide(50, 60, 0.5, seed=2)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 16)
    first = DeviceReader([one, other], Patch(4.0, 8), CPU)
    second = DeviceReader([other], Patch(8.0, 16), CPU)
    assert second._words[0] is first._words[1]
    assert first._words[0].shape == (50, 60)
    assert bytes_of([one, other]) == 2 * 50 * 60 * 4


def test_slides_that_are_no_longer_wanted_make_room(make_slide, monkeypatch: pytest.MonkeyPatch) -> None:
    slides = [make_slide(50, 60, 0.5, seed=seed) for seed in range(4)]
    monkeypatch.setattr(module, "_room", lambda _: bytes_of(slides[:2]))
    for pair in ((0, 1), (1, 2), (3, 1)):
        DeviceReader([slides[i] for i in pair], Patch(4.0, 8), CPU)
        assert {key for key, _ in module._held} == {slides[i].fingerprint for i in pair}


@pytest.mark.parametrize("fits", [False, True])
def test_a_device_that_is_none_or_too_small_keeps_the_reader(
    make_slide, monkeypatch: pytest.MonkeyPatch, fits: bool
) -> None:
    reader = PatchReader([make_slide(50, 60)], Patch(4.0, 8))
    assert on_device(reader, CPU) is reader
    free = int(bytes_of(reader.slides) / module.SHARE) + (1 if fits else -1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 10 * free))
    monkeypatch.setattr(
        module, "_words", lambda slide, _: torch.zeros(slide.pixels.shape[:2], dtype=torch.int32)
    )
    monkeypatch.setattr(DeviceReader, "_where", lambda _: None)
    found = on_device(reader, torch.device("cuda"))
    assert isinstance(found, DeviceReader if fits else StreamedReader)
    assert found is not reader


def test_a_reader_of_any_kind_is_streamed(make_slide) -> None:
    class OnePixel:
        """A reader that knows no slides: every patch is one pixel of the place's own colour."""

        widest_px, bytes_a_patch = 1, 15

        def __call__(self, slide_index, xy_px):
            colours = np.stack([xy_px[:, 0], xy_px[:, 1], slide_index], axis=1).astype(np.uint8)
            return torch.from_numpy(colours)[:, :, None, None]

        def augmented(self, slide_index, xy_px, parameters):
            return augment(self(slide_index, xy_px), parameters)

    reader, settings = OnePixel(), AugmentConfig(stain_jitter=0)
    assert isinstance(reader, Reader)
    streamed = StreamedReader(reader, CPU)
    where, xy = np.array([0, 3]), np.array([[10.0, 20.0], [255.0, 0.0]])
    assert streamed(where, xy)[:, :, 0, 0].tolist() == [[10, 20, 0], [255, 0, 3]]
    augmented = streamed.augmented(where, xy, draw_parameters(2, settings, torch.Generator()))
    expected = torch.tensor([[10, 20, 0], [255, 0, 3]]) / 255
    torch.testing.assert_close(augmented[:, :, 0, 0], expected, atol=1e-6, rtol=0)
    assert (streamed.widest_px, streamed.bytes_a_patch) == (1, 15)


@pytest.mark.parametrize(("width_um", "side"), [(4.0, 8), (8.0, 8)])
def test_every_reader_has_the_protocol_and_says_what_a_patch_takes(make_slide, width_um, side) -> None:
    patch, slides = Patch(width_um, side), [make_slide(50, 60)]
    reader = PatchReader(slides, patch)
    on_the_device = DeviceReader(slides, patch, CPU)
    for one in (reader, on_the_device, StreamedReader(reader, CPU)):
        assert isinstance(one, Reader)
    assert reader.bytes_a_patch == 8 * 8 * 15
    assert (reader.widest_px, on_the_device.widest_px) == (8, int(width_um / 0.5))
    assert on_the_device.bytes_a_patch == (width_um / 0.5) ** 2 * 48  # no kernel on a CPU
    where, xy = np.zeros(5, np.int64), np.full((5, 2), 20.0)
    parameters = draw_parameters(5, AugmentConfig(), torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        reader.augmented(where, xy, parameters), augment(reader(where, xy), parameters), atol=0, rtol=0
    )

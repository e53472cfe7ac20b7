"""Features by way of the store: the encoder's own, computed once, and never those of another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from prestige.baselines.frozen import FrozenEncoder, freeze
from prestige.baselines.kept import KeptFeatures
from prestige.data.observations import Observations
from prestige.data.patches.reader import Patch, PatchReader
from prestige.models.settings import ModelConfig


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTIGE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the patches that an encoder is shown."""
    counted: list[int] = []
    original = FrozenEncoder.__call__

    def counting(self: FrozenEncoder, patches: torch.Tensor) -> np.ndarray:
        counted.append(len(patches))
        return original(self, patches)

    monkeypatch.setattr(FrozenEncoder, "__call__", counting)
    return counted


def encoder(seed: int = 0, readout: str = "whole") -> FrozenEncoder:
    return freeze(ModelConfig(encoder="compact_xs"), input_px=16, readout=readout, seed=seed)  # type: ignore[arg-type]


def scattered(samples, n: int = 60) -> tuple[PatchReader, Observations]:
    rng = np.random.default_rng(0)
    reader = PatchReader([sample.slide for sample in samples], Patch(8.0, 16))
    return reader, Observations(rng.integers(0, len(samples), n), np.arange(n), rng.uniform(0, 190, (n, 2)))


def direct(one: FrozenEncoder, reader: PatchReader, places: Observations) -> np.ndarray:
    return one(reader(places.slide_index, places.xy_px))


def test_features_are_the_encoders_own_and_computed_once(small_samples, seen: list[int]) -> None:
    reader, places = scattered(small_samples)
    one = encoder()
    expected = direct(one, reader, places)
    seen.clear()
    first = KeptFeatures(reader, one)(places)
    assert sum(seen) == 60
    again = KeptFeatures(reader, encoder())(places)  # another process, another head
    some = KeptFeatures(reader, encoder())(places.take(np.arange(10, 30)))  # another split
    assert sum(seen) == 60
    np.testing.assert_allclose(first, expected, atol=1e-5)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(some, first[10:30])


def test_only_what_is_missing_is_computed(small_samples, seen: list[int]) -> None:
    reader, places = scattered(small_samples)
    KeptFeatures(reader, encoder())(places.take(np.arange(40)))
    seen.clear()
    found = KeptFeatures(reader, encoder())(places)
    assert sum(seen) == 20
    np.testing.assert_allclose(found, direct(encoder(), reader, places), atol=1e-5)


@pytest.mark.parametrize(
    "change", ["weights", "readout", "patch", "visible", "resolution", "pixels", "place"]
)
def test_whatever_makes_other_features_is_computed_anew(small_samples, seen: list[int], change: str) -> None:
    reader, places = scattered(small_samples[:1])
    KeptFeatures(reader, encoder())(places)
    one, patch, slide = encoder(), reader.patch, reader.slides[0]
    if change == "weights":
        one = encoder(seed=1)
    elif change == "readout":
        one = encoder(readout="centre_whole")
    elif change == "patch":
        patch = Patch(12.0, 16)
    elif change == "visible":
        patch = Patch(8.0, 16, 4.0)
    elif change == "resolution":
        slide = type(slide)(slide.pixels, 0.25, False, slide.fingerprint)
    elif change == "pixels":
        slide = type(slide)(slide.pixels[::-1].copy(), 0.5, False, "another")
    else:
        places = Observations(places.slide_index, places.row, places.xy_px + 1.0)
    other = PatchReader([slide], patch)
    seen.clear()
    found = KeptFeatures(other, one)(places)
    assert sum(seen) == 60
    np.testing.assert_allclose(found, direct(one, other, places), atol=1e-5)


def test_what_is_shown_of_a_greyed_patch_hangs_on_halves_of_a_pixel(small_samples) -> None:
    reader = PatchReader([small_samples[0].slide], Patch(8.0, 16, 3.5))
    xy = np.repeat(np.arange(50.0, 60.0, 0.25)[:, None], 2, axis=1)
    places = Observations(np.zeros(len(xy), np.int64), np.arange(len(xy)), xy)
    np.testing.assert_allclose(
        KeptFeatures(reader, encoder())(places), direct(encoder(), reader, places), atol=1e-5
    )


def test_the_cache_stays_within_its_limit(
    small_samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, places = scattered(small_samples[:1])
    first, second = (KeptFeatures(reader, encoder(seed=seed)) for seed in (0, 1))
    first(places)
    monkeypatch.setenv("PRESTIGE_CACHE_GB", "1e-9")  # one byte
    second(places)
    second.close()
    left = list((tmp_path / "cache" / "features").iterdir())
    assert len(left) == 1  # what was just made stays
    seen = KeptFeatures(reader, encoder(seed=1))._stores[0]
    assert seen.folder == left[0]
    assert len(seen) == len(np.unique(np.round(places.xy_px), axis=0))


def test_of_a_slide_without_a_fingerprint_nothing_is_kept(
    small_samples, seen: list[int], tmp_path: Path
) -> None:
    reader, places = scattered(small_samples[:1])
    slide = reader.slides[0]
    reader = PatchReader([type(slide)(slide.pixels, 0.5, False, "")], reader.patch)
    one, two = (KeptFeatures(reader, encoder())(places) for _ in range(2))
    assert sum(seen) == 120
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(one, direct(encoder(), reader, places), atol=1e-5)
    assert not (tmp_path / "cache").exists()

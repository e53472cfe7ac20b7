"""Hand-made features: right on patches whose answer is known, and the same whatever the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import rgb2hed

from prestige.baselines.features import QUANTILES, n_features, patch_features, stains


def patches(n: int, d: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(30, 256, (n, 3, d, d), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("d", [1, 3, 8, 16, 17, 32, 64, 100, 224])
def test_any_width_gives_finite_features(d: int) -> None:
    found = patch_features(patches(3, d))
    assert found.shape == (3, n_features(d))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


@pytest.mark.parametrize("d", [16, 64])
@pytest.mark.parametrize("colour", [0, 128, 255])
def test_an_even_patch_has_means_but_no_texture(d: int, colour: int) -> None:
    found = patch_features(torch.full((2, 3, d, d), colour, dtype=torch.uint8))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[0], found[1])
    one = stains(torch.full((1, 3, 1, 1), colour, dtype=torch.uint8)).flatten().numpy()
    np.testing.assert_allclose(found[0, :3], one, atol=1e-4)
    np.testing.assert_allclose(found[0, 3:6], 0, atol=1e-4)


def test_stains_are_those_of_scikit_image() -> None:
    x = patches(2, 9)
    # scikit-image clips negative stains; it takes natural logarithms over log(1e-6), a factor of six decades.
    wanted = rgb2hed(((x.permute(0, 2, 3, 1).numpy().astype(float)) + 1) / 256, channel_axis=-1) * 6
    found = stains(x).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(np.maximum(found, 0), wanted, atol=1e-4)


def test_means_deviations_and_quantiles_of_the_whole() -> None:
    x = patches(4, 32)
    hed = stains(x).numpy()
    found = patch_features(x)
    np.testing.assert_allclose(found[:, :3], hed.mean(axis=(2, 3)), atol=1e-5)
    np.testing.assert_allclose(found[:, 3:6], hed.std(axis=(2, 3)), atol=1e-5)
    middle = hed[:, :, 8:24, 8:24]
    np.testing.assert_allclose(found[:, 6:9], middle.mean(axis=(2, 3)), atol=1e-5)
    at = 6 * 3  # three windows: 32, 16 and 8 pixels
    quantiles = found[:, at : at + 2 * len(QUANTILES)].reshape(4, 2, len(QUANTILES))
    wanted = np.quantile(hed[:, :2].reshape(4, 2, -1), QUANTILES, axis=2, method="nearest").transpose(1, 2, 0)
    np.testing.assert_allclose(quantiles, wanted, atol=5e-3)
    wanted = [np.corrcoef(hed[i, 0].ravel(), hed[i, 1].ravel())[0, 1] for i in range(4)]
    np.testing.assert_allclose(found[:, at + 2 * len(QUANTILES)], wanted, atol=1e-4)


def test_turns_and_flips_change_nothing_but_rounding() -> None:
    # Widths that halve evenly: the windows and the levels then lie symmetrically.
    x = patches(3, 32)
    found = patch_features(x)
    for turned in (x.flip(2), x.flip(3), torch.rot90(x, 1, (2, 3))):
        np.testing.assert_allclose(patch_features(turned), found, atol=1e-4)


def test_finer_texture_shows_at_a_finer_scale() -> None:
    rows = torch.arange(64)
    fine, coarse = ((rows % 2 == 0) * 150 + 50), ((rows // 8 % 2 == 0) * 150 + 50)
    x = torch.stack([pattern.to(torch.uint8)[:, None].expand(64, 64) for pattern in (fine, coarse)])
    found = patch_features(x[:, None].expand(2, 3, 64, 64).contiguous())
    # Last of all: at 8 pixels, whole and half, deviation and gradient of haematoxylin and eosin.
    last = found[:, -8:]
    np.testing.assert_allclose(last[0], 0, atol=1e-4)
    assert (np.abs(last[1, [2, 6]]) > 0.02).all()


def test_batches_and_memory_layout_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x = patches(13, 24)
    whole = patch_features(x)
    channels_last = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    np.testing.assert_allclose(patch_features(channels_last), whole, atol=1e-6)
    monkeypatch.setattr("prestige.baselines.features._PIXELS", 5 * 24 * 24)
    np.testing.assert_allclose(patch_features(x), whole, atol=1e-6)


def test_no_patches_no_features() -> None:
    assert patch_features(patches(0, 16)).shape == (0, n_features(16))

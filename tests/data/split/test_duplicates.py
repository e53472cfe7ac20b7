"""Tissue under two names is found, unrelated tissue is not."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, zoom

from prestige.data.split.duplicates import LIKENESS, likeness, perceptual_hashes, row_hashes


def tissue(seed: int, height: int = 300, width: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(height, width, 3)), (12, 12, 0))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return (smooth * 255).astype(np.uint8)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_unrelated_images_are_not_alike(a: int, b: int) -> None:
    if a != b:
        assert likeness(perceptual_hashes(tissue(a)), perceptual_hashes(tissue(b))) < LIKENESS


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_an_image_turned_or_mirrored_is_the_same(turns: int, mirrored: bool) -> None:
    image = tissue(1)
    other = np.rot90(image[:, ::-1] if mirrored else image, turns)
    assert likeness(perceptual_hashes(image), perceptual_hashes(np.ascontiguousarray(other))) > 0.95


def test_an_image_scaled_stained_anew_and_compressed_is_alike() -> None:
    image = tissue(2)
    smaller = zoom(image.astype(float), (0.6, 0.6, 1), order=1)
    restained = np.clip(smaller * [0.8, 1.1, 0.9] + 6, 0, 255)
    noisy = np.clip(restained + np.random.default_rng(0).normal(0, 6, restained.shape), 0, 255)
    assert likeness(perceptual_hashes(image), perceptual_hashes(noisy.astype(np.uint8))) >= LIKENESS


def core(seed: int, blob_px: float = 12.0, side: int = 256) -> np.ndarray:
    """Return a round core on glass, full of blobs of stain: one of a tissue microarray."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side / 2
    stain = gaussian_filter(rng.normal(size=(side, side)), blob_px)
    stain = 0.6 + 0.3 * stain / stain.std()
    tissue = 245 * 10 ** (-np.clip(stain, 0.05, 2)[..., None] * [0.35, 0.55, 0.2])
    pixels = np.where((x**2 + y**2 < (0.44 * side) ** 2)[..., None], tissue, 242.0)
    return np.clip(pixels + rng.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("blob_px", [6.0, 12.0, 24.0])
def test_round_cores_of_unlike_tissue_are_not_alike_by_their_outline(blob_px: float) -> None:
    hashes = [perceptual_hashes(core(seed, blob_px)) for seed in range(6)]
    pairs = list(combinations(hashes, 2))
    found = [likeness(one, other) for one, other in pairs]
    outline = [(one.bits == other.bits[0]).mean(axis=1).max() for one, other in pairs]
    assert max(found) < LIKENESS - 0.03
    assert np.mean(found) < np.mean(outline) - 0.02  # the outline had a part in it


@pytest.mark.parametrize("blob_px", [6.0, 12.0, 24.0])
def test_a_core_under_two_names_is_found(blob_px: float) -> None:
    image = core(1, blob_px)
    rng = np.random.default_rng(0)
    restained = np.clip(image * np.array([0.8, 1.1, 0.9]) + 6, 0, 255)
    copies = {
        "turned": np.rot90(image),
        "mirrored": image[:, ::-1],
        "smaller": zoom(image.astype(float), (0.6, 0.6, 1), order=1),
        "restained": restained,
        "noisy": np.clip(restained + rng.normal(0, 6, image.shape), 0, 255),
        "shifted": np.roll(image, (2, -2), (0, 1)),
    }
    for name, copy in copies.items():
        changed = np.ascontiguousarray(copy, dtype=np.uint8)
        assert likeness(perceptual_hashes(image), perceptual_hashes(changed)) >= LIKENESS, name


def test_likeness_does_not_depend_on_the_order() -> None:
    one, other = perceptual_hashes(tissue(3)), perceptual_hashes(np.rot90(tissue(3)).copy())
    assert likeness(one, other) == pytest.approx(likeness(other, one), abs=0.02)


def test_the_same_counts_have_the_same_hash_whatever_the_order_of_genes_and_rows(make_sample) -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(3.0, (40, 30))
    genes = [f"g{i}" for i in range(30)]
    genes_order, rows_order = rng.permutation(30), rng.permutation(40)
    one = make_sample("a", counts=counts, genes=genes)
    other = make_sample("b", counts=counts[rows_order][:, genes_order], genes=[genes[i] for i in genes_order])
    rows, hashes = row_hashes(one)
    others = dict(zip(*map(list, row_hashes(other)), strict=True))
    assert len(rows) == 40
    for place, row in enumerate(rows_order):
        assert others[place] == hashes[list(rows).index(row)]


def test_one_count_more_is_another_hash_and_poor_observations_have_none(make_sample) -> None:
    counts = np.random.default_rng(1).poisson(3.0, (4, 30))
    counts[1] = counts[0]
    counts[1, 7] += 1
    counts[2] = 0
    counts[2, :5] = 20  # enough counts, too few genes
    counts[3] = (np.arange(30) < 20).astype(int)  # enough genes, too few counts
    rows, hashes = row_hashes(make_sample("a", counts=counts, genes=[f"g{i}" for i in range(30)]))
    assert rows.tolist() == [0, 1]
    assert hashes[0] != hashes[1]


def test_hashes_are_sums_over_genes_modulo_2_to_the_64(make_sample) -> None:
    """Against Python's whole numbers, which do not overflow."""
    import hashlib

    counts = np.random.default_rng(2).poisson(5.0, (3, 20)) + 1
    genes = [f"g{i}" for i in range(20)]
    weights = [int.from_bytes(hashlib.sha256(g.encode()).digest()[:8], "little") for g in genes]
    expected = [sum(int(c) * w for c, w in zip(row, weights, strict=True)) % 2**64 for row in counts]
    assert [int(h) for h in row_hashes(make_sample("a", counts=counts, genes=genes))[1]] == expected

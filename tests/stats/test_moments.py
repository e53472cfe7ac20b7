"""Moments against the arrays they came from; blocks; files that are whole or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prestige import metrics
from prestige.errors import DataError, StorageError
from prestige.stats.moments import (
    Moments,
    gene_pearson,
    mean_gene_pearson,
    merge_blocks,
    moments_of,
    neighbours,
    spatial_blocks,
)

GENES = ("A", "B", "C", "D")


def arrays(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(1.0, 1.0, (n, 4)).astype(np.float32)
    pred = (0.5 * truth + rng.normal(size=truth.shape)).astype(np.float32)
    sample = rng.choice(["S1", "S2", "long name"], n)
    return pred, truth, sample, rng.integers(0, 12, n)


def test_sums_per_cluster_are_those_of_its_rows() -> None:
    pred, truth, sample, block = arrays()
    moments = moments_of(pred, truth, sample, block, GENES)
    assert moments.n.sum() == 300
    assert len(set(zip(moments.sample.tolist(), moments.block.tolist(), strict=True))) == len(moments.n)
    for c in range(len(moments.n)):
        rows = (sample == moments.sample[c]) & (block == moments.block[c])
        p, t = pred[rows].astype(float), truth[rows].astype(float)
        assert moments.n[c] == rows.sum()
        np.testing.assert_allclose(moments.sum_pt[c], (p * t).sum(0), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(moments.sum_pp[c], (p * p).sum(0), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(moments.sum_t[c], t.sum(0), rtol=1e-12, atol=1e-12)


def test_pearson_from_moments_is_pearson_from_arrays() -> None:
    pred, truth, sample, block = arrays()
    pred[:, 1] = 0.3  # constant prediction: NaN in the table, 0 in the mean
    truth[sample == "S2", 2] = 0.7  # constant truth: NaN, out of the mean
    moments = moments_of(pred, truth, sample, block, GENES)
    found = gene_pearson(moments)
    means = []
    for name in np.unique(sample):
        rows = sample == name
        wanted = metrics.pearson(pred[rows], truth[rows])
        np.testing.assert_allclose(found[str(name)], wanted, atol=1e-10)
        keep = np.ptp(truth[rows], axis=0) > 0
        means.append(np.nan_to_num(wanted[keep]).mean())
    assert np.isnan(found["S2"][[1, 2]]).all()
    assert mean_gene_pearson(moments) == pytest.approx(np.mean(means), abs=1e-10)


def test_nothing_that_varies_is_nan() -> None:
    truth = np.zeros((5, 4), dtype=np.float32)
    moments = moments_of(truth + 1, truth, np.array(["S"] * 5), np.zeros(5, dtype=int), GENES)
    assert np.isnan(mean_gene_pearson(moments))


def test_saved_and_loaded_are_equal(tmp_path: Path) -> None:
    moments = moments_of(*arrays(), GENES)
    moments.save(tmp_path / "moments.npz")
    loaded = Moments.load(tmp_path / "moments.npz")
    assert loaded.genes == GENES
    assert loaded.sample.tolist() == moments.sample.tolist()
    for name in ("block", "n", "sum_p", "sum_t", "sum_pp", "sum_tt", "sum_pt"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(moments, name))
    assert [path.name for path in tmp_path.iterdir()] == ["moments.npz"]
    first = (tmp_path / "moments.npz").read_bytes()
    moments.save(tmp_path / "moments.npz")
    assert (tmp_path / "moments.npz").read_bytes() == first


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign", "folder"])
def test_broken_files_are_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "moments.npz"
    moments_of(*arrays(), GENES).save(path)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "foreign":
        np.savez(path, schema=np.array("another/1"), n=np.zeros(3))
    else:
        path.unlink()
        path.mkdir()
    with pytest.raises(StorageError, match=r"moments\.npz"):
        Moments.load(path)


def test_a_file_in_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "no").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        moments_of(*arrays(), GENES).save(tmp_path / "no" / "moments.npz")
    assert list(tmp_path.iterdir()) == [tmp_path / "no"]


def test_genes_are_taken_by_name() -> None:
    moments = moments_of(*arrays(), GENES)
    some = moments.take_genes(("D", "B"))
    assert some.genes == ("D", "B")
    np.testing.assert_array_equal(some.sum_pt, moments.sum_pt[:, [3, 1]])
    with pytest.raises(DataError, match="'X'"):
        moments.take_genes(("A", "X"))


def test_blocks_are_squares_of_one_fixed_grid() -> None:
    xy = np.array([[0.0, 0.0], [499.9, 499.9], [500.0, 0.0], [0.0, 500.0], [-0.1, 0.0], [1200.0, 700.0]])
    block = spatial_blocks(xy, 500.0)
    assert block[0] == block[1]
    assert len(set(block.tolist())) == 5
    # The number depends on the place alone, not on which other observations are there.
    np.testing.assert_array_equal(spatial_blocks(xy[3:], 500.0), block[3:])


@pytest.mark.parametrize("times", [1, 2, 3])
def test_merged_blocks_are_those_of_a_wider_grid(times: int) -> None:
    pred, truth, sample, _ = arrays(800)
    xy = np.random.default_rng(1).uniform(-400, 700, (800, 2))
    merged = merge_blocks(moments_of(pred, truth, sample, spatial_blocks(xy, 50.0), GENES), times)
    wanted = moments_of(pred, truth, sample, spatial_blocks(xy, 50.0 * times), GENES)
    np.testing.assert_array_equal(merged.sample, wanted.sample)
    np.testing.assert_array_equal(merged.block, wanted.block)
    np.testing.assert_array_equal(merged.n, wanted.n)
    for name in ("sum_p", "sum_t", "sum_pp", "sum_tt", "sum_pt"):
        np.testing.assert_allclose(getattr(merged, name), getattr(wanted, name), rtol=1e-9, atol=1e-9)
    with pytest.raises(DataError, match="merged 0 times"):
        merge_blocks(merged, 0)


def test_neighbours_are_found_by_their_place() -> None:
    xy = np.random.default_rng(0).permutation(np.array([(x, y) for x in range(-2, 3) for y in range(4)]))
    block = spatial_blocks(xy + 0.5, 1.0)
    for dx, dy in ((1, 0), (0, -1), (-2, 3)):
        a, b = neighbours(block, dx, dy)
        assert len(a) == (5 - abs(dx)) * (4 - abs(dy))
        np.testing.assert_array_equal(xy[b] - xy[a], np.tile([dx, dy], (len(a), 1)))


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan")])
def test_blocks_need_a_width(width: float) -> None:
    with pytest.raises(DataError, match="width of a block"):
        spatial_blocks(np.zeros((2, 2)), width)


@pytest.mark.parametrize("position", [np.nan, np.inf, 1e12])
def test_blocks_refuse_absurd_positions(position: float) -> None:
    with pytest.raises(DataError, match="position"):
        spatial_blocks(np.array([[position, 0.0]]), 100.0)


def test_arrays_that_do_not_fit_are_refused() -> None:
    pred, truth, sample, block = arrays()
    with pytest.raises(DataError, match="do not fit"):
        moments_of(pred, truth, sample, block, GENES[:3])

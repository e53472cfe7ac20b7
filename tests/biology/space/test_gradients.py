"""Expression along a distance: planted gradients are found, autocorrelated genes without one are not."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import kstest

from prestige.biology.noise import draw
from prestige.biology.pair import Pair
from prestige.biology.space.gradients import _centred, gradients
from prestige.biology.space.marks import region_of_genes
from prestige.biology.space.regions import Region, region_of_mask
from prestige.errors import DataError
from prestige.report.biology.space import gradient_sentences

SIZE, STEP = 1600.0, 20.0


def smooth_fields(rng: np.random.Generator, xy: np.ndarray, length_um: float, g: int) -> np.ndarray:
    """Return g fields of variance 1 that are correlated over about ``length_um``, at the places."""
    cells, pad = int(SIZE / STEP), int(4 * length_um / STEP) + 1
    at = np.minimum((xy / STEP).astype(int), cells - 1)
    out = np.empty((len(xy), g))
    for k in range(g):
        field = gaussian_filter(rng.normal(size=(cells + 2 * pad,) * 2), length_um / STEP)[pad:-pad, pad:-pad]
        out[:, k] = (field / field.std())[at[:, 0], at[:, 1]]
    return out


def tissue(
    make_pair: Callable[..., Pair], seed: int, length_um: float, g: int, n: int = 1500, planted: int = 0
) -> tuple[Pair, Region]:
    """Discs in a tissue of smooth genes that know nothing of them, but for the planted ones."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, SIZE, (n, 2))
    centres = rng.uniform(200, SIZE - 200, (3, 2))
    away = np.hypot(*(xy[:, None] - centres).transpose(2, 0, 1)).min(axis=1) - 140
    log = 0.5 * smooth_fields(rng, xy, length_um, g)
    sign = np.where(np.arange(planted) % 2, -1.2, 1.2)
    log[:, :planted] += np.exp(-np.maximum(away, 0) / 80)[:, None] * sign
    mean = np.exp(log) * 3
    return make_pair(mean, xy, seed=seed), region_of_mask(away < 0, xy, np.full(n, "s"), min_size=10)


def test_planted_gradients_are_found_measured_and_predicted(make_pair: Callable[..., Pair]) -> None:
    pair, region = tissue(make_pair, 0, 50.0, 60, n=3000, planted=6)
    found = gradients(pair, region, max_um=250.0, permutations=399)
    top = set(found.table.index[:6])
    assert top == {f"G{i}" for i in range(6)}
    assert (found.table.loc[list(top), ["p_measured", "p_predicted"]] <= 0.01).all(axis=None)
    assert (found.table.loc[list(top), "p_adjusted_measured"] <= 0.05).sum() >= 4
    assert (found.table.loc[list(top), "curves"] > 0.9).all()
    assert (found.table["p_adjusted_measured"] <= 0.05).sum() <= 9
    # Curves fall (gene 0) and rise (gene 1) with the distance.
    for name in ("measured", "predicted"):
        curve = found.curves[name]
        assert curve[2, 0] > curve[-2, 0] + 0.2
        assert curve[2, 1] < curve[-2, 1] - 0.2
    told = gradient_sentences(found)
    assert "of 60 genes change within 250 um" in told[1]


@pytest.mark.parametrize("length_um", [30.0, 120.0])
def test_p_values_are_uniform_enough_on_autocorrelated_genes(
    length_um: float, make_pair: Callable[..., Pair]
) -> None:
    p = []
    for seed in range(6):
        pair, region = tissue(make_pair, 10 + seed, length_um, 50, n=1000)
        p.append(gradients(pair, region, max_um=250.0, permutations=99, seed=seed).table["p_measured"])
    p = np.concatenate(p)
    assert 0.02 <= (p <= 0.05).mean() <= 0.10
    assert 0.12 <= (p <= 0.2).mean() <= 0.30
    # Taken as independent observations, the smooth genes would nearly all have been found.
    assert kstest(p, "uniform").statistic < 0.12


def test_genes_that_define_the_region_are_not_tested(make_pair: Callable[..., Pair]) -> None:
    pair, region = tissue(make_pair, 1, 50.0, 8)
    found = gradients(pair, replace(region, defined_by=("G2", "G5")), max_um=200.0, permutations=19)
    assert found.genes == ("G0", "G1", "G3", "G4", "G6", "G7")
    assert set(found.table.index) == set(found.genes)


def test_a_shift_between_samples_is_no_gradient(make_pair: Callable[..., Pair]) -> None:
    one, region = tissue(make_pair, 2, 50.0, 5)
    both = replace(
        one.take(np.tile(np.arange(len(one)), 2)),
        sample_of=np.repeat(["a", "b"], len(one)),
    )
    twice = region_of_mask(np.tile(region.inside, 2), both.xy_um, both.sample_of, smooth=0)
    shifted = both.predicted.copy()
    shifted[len(one) :] += 3
    found = gradients(replace(both, predicted=shifted), twice, max_um=200.0, permutations=19)
    alone = gradients(both, twice, max_um=200.0, permutations=19)
    assert found.table["share_predicted"].to_numpy() == pytest.approx(
        alone.table["share_predicted"].to_numpy(), abs=1e-4
    )
    assert found.table["p_predicted"].equals(alone.table["p_predicted"])


def test_the_same_seed_gives_the_same_numbers(make_pair: Callable[..., Pair]) -> None:
    pair, region = tissue(make_pair, 3, 50.0, 10)
    one, two = (gradients(pair, region, max_um=200.0, permutations=29, seed=4) for _ in range(2))
    assert one.table.equals(two.table)


def test_nothing_found_is_told(make_pair: Callable[..., Pair]) -> None:
    pair, region = tissue(make_pair, 4, 50.0, 4)
    flat = replace(pair, predicted=np.full_like(pair.predicted, 0.5))
    found = gradients(flat, region, max_um=200.0, permutations=19)
    assert found.table["p_predicted"].to_numpy() == pytest.approx(1.0)
    assert "No measured gene is found to change within 200 um of the boundary." in gradient_sentences(found)


def test_counts_that_define_a_region_do_not_test_it(make_pair: Callable[..., Pair]) -> None:
    """Noise alone: where one gene is high by chance, one that shares the total is low in the same counts."""
    xy = np.random.default_rng(2).uniform(0, 1000, (3000, 2))
    pair = make_pair(np.full((3000, 2), 3.0), xy)
    region = region_of_genes(pair, ["G0"], share=0.3, smooth=2, min_size=5)
    for drawn in (None, draw(pair, 1)):  # of the region's seed, or of another
        found = gradients(pair, region, max_um=60.0, permutations=39, drawn=drawn)
        assert (found.table["p_adjusted_measured"] > 0.05).all()
        assert gradient_sentences(found)[0].endswith("Genes are tested on the other half.")
    same = gradients(pair, replace(region, half_seed=None), max_um=60.0, permutations=39)
    assert (same.table["p_adjusted_measured"] <= 0.05).all()  # what one pool of counts would say


def test_a_depth_that_changes_along_the_distance_is_told_from_a_prediction(
    make_pair: Callable[..., Pair],
) -> None:
    rng = np.random.default_rng(3)
    xy = rng.uniform(0, 1000, (3000, 2))
    away = np.hypot(*(xy - 400).T) - 150
    depth = np.where(away < 0, 60.0, 8.0)[:, None]
    pair = make_pair(depth * np.full(10, 0.1), xy)  # predicts the one profile everywhere
    region = region_of_mask(away < 0, xy, pair.sample_of)
    found = gradients(pair, region, max_um=120.0, permutations=99)
    assert (found.table["p_adjusted_noisy"] <= 0.05).all()
    assert (found.table["p_adjusted_depth"] <= 0.05).all()
    assert (found.table["p_predicted"] == 1.0).all()
    assert ", 10 with depth alone, " in gradient_sentences(found)[1]


def test_centring_holds_one_table_only() -> None:
    values = [np.random.default_rng(k).normal(3, 1, (40_000, 60)).astype(np.float32) for k in range(4)]
    rows = np.arange(0, 40_000)
    tracemalloc.start()
    out = _centred(values, rows, range(50))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * out.nbytes
    wanted = values[1][:, :50] - values[1][:, :50].mean(axis=0)
    np.testing.assert_allclose(out[:, 50:100], wanted, rtol=1e-6, atol=1e-4)


def test_bad_input(make_pair: Callable[..., Pair]) -> None:
    pair, region = tissue(make_pair, 5, 50.0, 4)
    with pytest.raises(DataError, match="reach 0"):
        gradients(pair, region, max_um=0.0)
    with pytest.raises(DataError, match="0 permutations"):
        gradients(pair, region, max_um=10.0, permutations=0)
    with pytest.raises(DataError, match=r"within 0\.001 um"):
        gradients(pair, region, max_um=0.001)
    with pytest.raises(DataError, match="all genes define"):
        gradients(pair, replace(region, defined_by=pair.genes), max_um=200.0)
    with pytest.raises(DataError, match="no places"):
        gradients(replace(pair, has_positions=False), region, max_um=200.0)

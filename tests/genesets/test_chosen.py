"""Sets chosen on training data, and Moran's I worked out in other ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prestige.errors import DataError
from prestige.genesets import (
    morans_i,
    most_expressed,
    most_spatially_variable,
    most_variable,
    within_sample_variance,
)

# Two pairs of places: with one neighbour each, everyone's is the other of the pair.
PAIRS = np.array([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0], [11.0, 0.0]])
ONE = np.array(["s"] * 4)


def dense_morans_i(y: np.ndarray, xy: np.ndarray, neighbours: int) -> np.ndarray:
    """The textbook's double sum, one gene and one pair of places at a time."""
    n, genes = y.shape
    weights = np.zeros((n, n))
    for i in range(n):
        away = np.hypot(*(xy - xy[i]).T)
        away[i] = np.inf
        for j in np.argsort(away)[:neighbours]:
            weights[i, j] = 1 / neighbours
    out = np.empty(genes)
    for gene in range(genes):
        z = y[:, gene] - y[:, gene].mean()
        above = sum(weights[i, j] * z[i] * z[j] for i in range(n) for j in range(n))
        out[gene] = n / weights.sum() * above / (z**2).sum()
    return out


def test_the_highest_are_taken_highest_first_and_ties_in_panel_order() -> None:
    mean = np.array([1.0, 3.0, np.nan, 3.0, 2.0])
    chosen = most_expressed(mean, ["A", "B", "C", "D", "E"], 3)
    assert chosen.genes == ("B", "D", "E")
    assert chosen.name == "most expressed"
    assert chosen.source == "chosen on training data"
    assert chosen.notes == ()
    assert most_variable(mean[::-1].copy(), ["A", "B", "C", "D", "E"], 2).genes == ("B", "D")


def test_too_few_genes_are_all_taken_and_said() -> None:
    chosen = most_variable(np.array([1.0, np.nan]), ["A", "B"], 50)
    assert chosen.genes == ("A",)
    assert chosen.notes == ("50 genes were asked for, there are 1",)


@given(arrays(float, st.integers(1, 12), elements=st.floats(-5, 5)), st.integers(1, 15))
def test_no_gene_outside_is_higher_than_one_inside(mean: np.ndarray, n: int) -> None:
    genes = [f"G{i}" for i in range(len(mean))]
    inside = {int(gene[1:]) for gene in most_expressed(mean, genes, n).genes}
    assert len(inside) == min(n, len(genes))
    outside = set(range(len(genes))) - inside
    assert not outside or mean[list(outside)].max() <= mean[list(inside)].min()


def test_values_that_do_not_fit_the_genes_are_refused() -> None:
    with pytest.raises(DataError, match=r"most expressed.*3 values for 2 genes"):
        most_expressed(np.zeros(3), ["A", "B"], 1)


def test_variance_within_samples_leaves_the_difference_between_them_out() -> None:
    y = np.array([[0.0, 1.0], [2.0, 1.0], [10.0, 5.0], [12.0, 5.0], [14.0, 5.0]])
    sample = np.array(["a", "a", "b", "b", "b"])
    # Gene 0: 1 + 1 about 1, and 4 + 0 + 4 about 12, over 5 - 2 observations.
    np.testing.assert_allclose(within_sample_variance(y, sample), [10 / 3, 0.0], atol=1e-12)
    assert np.isnan(within_sample_variance(y[[0, 2]], sample[[0, 2]])).all()


def test_morans_i_of_four_places_by_hand() -> None:
    y = np.array([[1, 1, 3, 5], [1, -1, 1, 5], [-1, 1, 0, 5], [-1, -1, 0, 5]], dtype=float)
    # Alike in pairs: 1.  Opposite in pairs: -1.  z = 2, 0, -1, -1: (0 + 0 + 1 + 1) / 6.  Constant: no answer.
    found = morans_i(y, PAIRS, ONE, neighbours=1)
    np.testing.assert_allclose(found[:3], [1, -1, 1 / 3])
    assert np.isnan(found[3])


@pytest.mark.parametrize("neighbours", [1, 4, 8])
def test_morans_i_is_the_double_sum(neighbours: int) -> None:
    rng = np.random.default_rng(neighbours)
    xy = rng.uniform(0, 100, (40, 2))
    y = np.column_stack([xy[:, 0] + rng.normal(0, 10, 40), rng.normal(size=40), np.sin(xy[:, 1] / 20)])
    found = morans_i(y, xy, np.array(["s"] * 40), neighbours=neighbours)
    np.testing.assert_allclose(found, dense_morans_i(y, xy, neighbours), rtol=1e-12, atol=1e-12)


def test_samples_weigh_alike_and_never_touch() -> None:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 100, (90, 2))
    y = rng.normal(size=(90, 2)) + xy[:, :1] / 50
    sample = np.array(["a"] * 30 + ["b"] * 60)
    apart = [dense_morans_i(y[rows], xy[rows], 8) for rows in (slice(0, 30), slice(30, 90))]
    np.testing.assert_allclose(morans_i(y, xy, sample), np.mean(apart, axis=0), rtol=1e-12, atol=1e-12)
    # The second sample has one gene constant, a third is too small: they say nothing, the rest remains.
    y[30:, 1] = 2.0
    sample[25:30] = "c"
    expected = dense_morans_i(y[:25], xy[:25], 8)[1]
    np.testing.assert_allclose(morans_i(y, xy, sample)[1], expected, rtol=1e-12, atol=1e-12)


@given(st.integers(0, 10_000), st.floats(0.1, 50), st.floats(-20, 20))
def test_scale_shift_and_distance_unit_change_nothing(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    xy, y = rng.uniform(0, 1, (30, 2)), rng.normal(size=(30, 3))
    sample = np.zeros(30, dtype=int)
    first = morans_i(y, xy, sample)
    np.testing.assert_allclose(morans_i(y * scale + shift, xy * 1000, sample), first, atol=1e-7)
    assert (np.abs(first) < 1.5).all()


def test_values_without_a_place_have_the_known_mean() -> None:
    rng = np.random.default_rng(3)
    xy = rng.uniform(0, 1, (50, 2))
    found = morans_i(rng.normal(size=(50, 4000)), xy, np.zeros(50, dtype=int))
    assert abs(found.mean() + 1 / 49) < 4 * found.std() / np.sqrt(4000)


def test_thinning_keeps_the_neighbours_and_follows_the_seed() -> None:
    many = np.vstack([PAIRS + [100.0 * i, 0] for i in range(50)])
    y = np.tile([1.0, 1.0, -1.0, -1.0], 50)[:, None]
    sample = np.zeros(200, dtype=int)
    # Every place has a neighbour like itself, so any 20 of them say 1; thinned places alone would not.
    np.testing.assert_allclose(morans_i(y, many, sample, neighbours=1, max_centres=20), [1.0])
    rng = np.random.default_rng(0)
    noisy = many[:, :1] / 5000 + rng.normal(0, 1, (200, 1))
    full = morans_i(noisy, many, sample)
    thin = [morans_i(noisy, many, sample, max_centres=100, seed=seed)[0] for seed in (0, 0, 1)]
    assert thin[0] == thin[1] != thin[2]
    assert (
        abs(np.mean([morans_i(noisy, many, sample, max_centres=100, seed=s)[0] for s in range(40)]) - full)
        < 0.03
    )
    assert (morans_i(noisy, many, sample, max_centres=200) == full).all()


def test_places_that_coincide_are_each_others_neighbours() -> None:
    xy = np.repeat(PAIRS[[0, 2]], 5, axis=0)  # two heaps of five
    y = np.repeat([1.0, -1.0], 5)[:, None]
    np.testing.assert_allclose(morans_i(y, xy, np.zeros(10, dtype=int), neighbours=3), [1.0])


def test_the_smooth_gene_is_the_most_spatially_variable() -> None:
    rng = np.random.default_rng(1)
    xy = rng.uniform(0, 1000, (300, 2))
    y = np.column_stack(
        [rng.normal(0, 9, 300), np.sin(xy[:, 0] / 100), np.full(300, 2.0), rng.normal(size=300)]
    )
    chosen = most_spatially_variable(y.astype(np.float32), xy, np.array(["s"] * 300), ["N", "S", "C", "M"], 1)
    assert chosen.genes == ("S",)
    assert "Moran" in chosen.description
    every = most_spatially_variable(y, xy, np.array(["s"] * 300), ["N", "S", "C", "M"], 4)
    assert "C" not in every.genes
    assert every.notes


@pytest.mark.parametrize(
    ("y", "xy", "sample", "words"),
    [
        (np.zeros((4, 1)), PAIRS, ONE[:3], "not of one length: 3, 4"),
        (np.zeros((4, 1)), PAIRS[:2], ONE, "not of one length: 2, 4"),
        (np.zeros((0, 1)), PAIRS[:0], ONE[:0], "no observations"),
        (np.full((4, 1), np.nan), PAIRS, ONE, "values are not all finite"),
        (np.zeros((4, 1)), PAIRS + np.inf, ONE, "places are not all finite"),
    ],
)
def test_bad_input_is_refused(y: np.ndarray, xy: np.ndarray, sample: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        morans_i(y, xy, sample)

"""Matched random sets: who may stand in for whom, and p values that are what they claim to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import kstest, rankdata

from prestige.errors import DataError
from prestige.genesets import RandomSets, matched_random_sets, set_excess


def panel(n: int) -> list[str]:
    return [f"G{i}" for i in range(n)]


def scaled(features: np.ndarray) -> np.ndarray:
    return np.column_stack([(rankdata(column) - 1) / (len(column) - 1) for column in features.T])


def test_six_genes_by_hand() -> None:
    features = np.array([[0.0], [10.0], [11.0], [50.0], [51.0], [1000.0]])  # ranks 0, 0.2, ... 1
    made = matched_random_sets(["G0", "G1", "G5"], panel(6), features, draws=4, caliper=0.2)
    # G0's only neighbour in reach is a member; G1 has G2; G5 has G4.
    assert made.genes == ("G1", "G5")
    assert made.unmatched == ("G0",)
    np.testing.assert_array_equal(made.members, [1, 5])
    np.testing.assert_array_equal(made.index, [[2, 4]] * 4)


def test_members_that_compete_for_one_gene() -> None:
    features = np.array([[1.0], [1.0], [1.0], [9.0]])
    made = matched_random_sets(["G0", "G1"], panel(4), features, draws=5, caliper=0.1)
    assert len(made.genes) == 1
    assert len(made.unmatched) == 1
    assert set(made.genes) | set(made.unmatched) == {"G0", "G1"}
    np.testing.assert_array_equal(made.index, [[2]] * 5)


def test_a_draw_that_gets_stuck_is_mended() -> None:
    # A chain: ten members between eleven genes, so one gene is free and says where all others go.
    features = np.arange(21, dtype=float)[:, None]
    members = [f"G{i}" for i in range(1, 21, 2)]
    made = matched_random_sets(members, panel(21), features, draws=300, caliper=1.05 / 20)
    assert made.unmatched == ()
    assert all(len(set(row)) == 10 for row in made.index)
    assert (np.abs(made.index - made.members) == 1).all()
    free = {tuple(set(range(0, 21, 2)) - set(row)) for row in made.index.tolist()}
    assert len(free) > 5  # greedy choices alone would leave every second draw without an end


def test_where_the_nearest_are_too_few_the_caliper_is_used_up() -> None:
    # Three members at one place, one gene beside them, others farther but in reach.
    features = np.array([[5.0], [5.0], [5.0], [6.0], [7.0], [8.0], [99.0], [99.0]])
    made = matched_random_sets(panel(3), panel(8), features, draws=50, caliper=0.7, neighbours=1)
    assert made.unmatched == ()
    assert all(set(row) == {3, 4, 5} for row in made.index)


@given(st.integers(0, 10_000), st.integers(4, 40), st.floats(0.05, 0.5), st.integers(1, 6))
def test_draws_keep_every_promise(seed: int, n: int, caliper: float, neighbours: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 8, (n, 2)).astype(float)  # with ties
    members = [f"G{i}" for i in np.flatnonzero(rng.random(n) < rng.uniform(0.1, 0.7))]
    made = matched_random_sets(
        members, panel(n), features, draws=20, seed=seed, caliper=caliper, neighbours=neighbours
    )
    inside = {int(gene[1:]) for gene in members}
    ranks = scaled(features)
    assert sorted((*made.genes, *made.unmatched)) == sorted(members)
    assert made.index.shape == (20, len(made.genes))
    assert not inside & set(made.index.ravel().tolist())
    assert all(len(set(row)) == len(row) for row in made.index)
    assert (np.abs(ranks[made.index] - ranks[made.members]) <= caliper + 1e-9).all()
    # As many members are kept as can have stand-ins at once, by an assignment solved in another way.
    outside = [i for i in range(n) if i not in inside]
    near = np.abs(ranks[sorted(inside)][:, None] - ranks[outside][None]).max(axis=2) <= caliper + 1e-12
    assert len(made.genes) == near[linear_sum_assignment(near, maximize=True)].sum()
    again = matched_random_sets(
        members, panel(n), features, draws=20, seed=seed, caliper=caliper, neighbours=neighbours
    )
    np.testing.assert_array_equal(made.index, again.index)


@given(st.integers(0, 10_000))
def test_only_ranks_of_the_features_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(30, 2))
    first = matched_random_sets(["G0", "G1", "G2"], panel(30), features, draws=10, seed=seed)
    other = np.column_stack([np.exp(features[:, 0]), features[:, 1] * 7 - 3])
    np.testing.assert_array_equal(
        first.index, matched_random_sets(["G0", "G1", "G2"], panel(30), other, draws=10, seed=seed).index
    )


def test_stand_ins_come_from_the_nearest_genes_evenly() -> None:
    features = np.arange(101, dtype=float)[:, None]
    made = matched_random_sets(["G50"], panel(101), features, draws=4000, neighbours=4, caliper=0.5)
    drawn, times = np.unique(made.index, return_counts=True)
    np.testing.assert_array_equal(drawn, [48, 49, 51, 52])
    assert (np.abs(times - 1000) < 5 * np.sqrt(4000 * 0.25 * 0.75)).all()


def test_genes_without_a_feature_stand_in_for_none() -> None:
    features = np.array([[1.0, 1.0], [1.0, np.nan], [1.0, 1.0], [1.0, np.nan], [1.0, np.inf]])
    made = matched_random_sets(["G0", "G1"], panel(5), features, draws=3)
    assert made.genes == ("G0",)
    assert made.unmatched == ("G1",)
    assert (made.index == 2).all()


def test_a_set_of_everything_has_no_random_sets() -> None:
    made = matched_random_sets(panel(3), panel(3), np.arange(3.0)[:, None], draws=7)
    assert made.unmatched == ("G0", "G1", "G2")
    assert made.index.shape == (7, 0)
    empty = set_excess(np.arange(3.0), made.members, made.index)
    assert np.isnan([empty.set_mean, empty.excess, empty.p]).all()
    assert empty.n_genes == 0


def test_excess_by_hand() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    draws = np.array([[0], [1], [2]])
    found = set_excess(values, np.array([5]), draws)
    assert (found.set_mean, found.random_mean, found.excess) == (6.0, 2.0, 4.0)
    # Each of three genes has the mean weight 1/3: sum of squares 1/3, f = sqrt((1 + 1/3) / (1 - 1/3)).
    np.testing.assert_allclose(found.widening, np.sqrt(2))
    assert (found.p, found.n_genes, found.draws) == (1 / 4, 1, 3)
    # 4 is 2 above the mean of the draws; the widened draws lie at 2 - 1.41, 2, 2 + 1.41.
    assert set_excess(values, np.array([3]), draws).p == 1 / 4
    assert set_excess(np.array([1, 2, 3, 3.4, 0, 0]), np.array([3]), draws).p == 2 / 4
    assert set_excess(values * 0 + 2.0, np.array([3]), draws).p == 1.0


def test_missing_scores_count_on_neither_side() -> None:
    values = np.array([1.0, np.nan, 3.0, 10.0, np.nan, 20.0])
    found = set_excess(values, np.array([3, 4]), np.array([[0, 2], [2, 0], [1, 5]]))
    # The second member has no score: its column of stand-ins goes too, and the third draw has none left.
    assert (found.set_mean, found.random_mean, found.n_genes) == (10.0, 2.0, 1)
    nothing = set_excess(values * np.nan, np.array([3]), np.array([[0], [2]]))
    assert np.isnan(nothing.excess)


def test_without_choice_there_is_no_p() -> None:
    found = set_excess(np.array([1.0, 2.0]), np.array([1]), np.array([[0], [0], [0]]))
    assert found.excess == 1.0
    assert np.isnan(found.p)


def example(seed: int, *, n: int, m: int, draws: int) -> RandomSets:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 2))
    members = [f"G{i}" for i in rng.choice(n, m, replace=False)]
    return matched_random_sets(members, panel(n), features, draws=draws, seed=seed)


@pytest.mark.parametrize("m", [10, 80])  # 80 of 400: the pool outside is small beside the set
def test_p_is_uniform_when_the_set_is_like_all_others(m: int) -> None:
    rng = np.random.default_rng(m)
    found = []
    for seed in range(12):
        made = example(seed, n=400, m=m, draws=400)
        found += [set_excess(rng.gamma(2, size=400), made.members, made.index).p for _ in range(50)]
    assert kstest(found, "uniform").pvalue > 0.001
    assert 0.025 < np.mean(np.array(found) <= 0.05) < 0.08


def test_p_is_too_small_for_genes_that_go_together() -> None:
    """What the docstring warns of: a set whose genes share half of their variance."""
    rng = np.random.default_rng(5)
    made = example(1, n=400, m=30, draws=400)
    found = []
    for _ in range(200):
        values = rng.normal(size=400)
        values[made.members] = np.sqrt(0.5) * values[made.members] + np.sqrt(0.5) * rng.normal()
        found.append(set_excess(values, made.members, made.index).p)
    assert np.mean(np.array(found) <= 0.05) > 0.2


def test_a_feature_that_drives_the_scores_makes_no_excess() -> None:
    rng = np.random.default_rng(2)
    expression = rng.normal(size=600)
    features = np.column_stack([expression, rng.normal(size=600)])
    members = [f"G{i}" for i in np.argsort(expression)[400:560:4]]  # 40 highly expressed genes
    made = matched_random_sets(members, panel(600), features)
    values = 0.1 * expression  # better predicted because more expressed, and for no other reason
    found = set_excess(values, made.members, made.index)
    naive = values[made.members].mean() - values.mean()
    assert naive > 0.08
    assert abs(found.excess) < 0.1 * naive
    assert set_excess(values + np.isin(np.arange(600), made.members) * 0.1, made.members, made.index).p < 0.01


@pytest.mark.parametrize(
    ("members", "names", "features", "settings", "words"),
    [
        (["X", "G1"], panel(3), np.zeros((3, 2)), {}, "1 members are not in the panel: X"),
        (["G1", "G1"], panel(3), np.zeros((3, 2)), {}, "named twice"),
        (["G1"], panel(3), np.zeros((2, 2)), {}, "features of 2 genes"),
        (["G1"], ["G1", "G1", "G2"], np.zeros((3, 2)), {}, "2 different ones"),
        (["G1"], panel(3), np.zeros((3, 2)), {"draws": 0}, "0 draws"),
        (["G1"], panel(3), np.zeros((3, 2)), {"neighbours": 0}, "0 neighbours"),
        (["G1"], panel(3), np.zeros((3, 2)), {"caliper": 0.0}, "caliper"),
        (["G1"], panel(3), np.zeros((3, 2)), {"caliper": float("nan")}, "caliper"),
    ],
)
def test_bad_input_is_refused(
    members: list[str], names: list[str], features: np.ndarray, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        matched_random_sets(members, names, features, **settings)

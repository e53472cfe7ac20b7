"""Sections and folds put together: nothing is lost, mixed up, or made of genes that one of them lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from prestige.biology.join import join
from prestige.biology.pair import Pair
from prestige.errors import DataError


@pytest.fixture
def two(make_pair: Callable[..., Pair]) -> tuple[Pair, Pair]:
    rng = np.random.default_rng(0)
    made = []
    for n in (30, 20):
        pair = make_pair(rng.uniform(1, 9, size=(n, 5)), rng.uniform(0, 90, size=(n, 2)), seed=n)
        made.append(
            replace(
                pair, sample_of=np.full(n, f"s{n}"), train_mean=np.zeros(5), train_std=np.ones(5), notes=()
            )
        )
    return made[0], made[1]


def test_observations_follow_each_other(two: tuple[Pair, Pair]) -> None:
    found = join(two)
    assert len(found) == 50
    assert found.genes == two[0].genes
    np.testing.assert_array_equal(found.counts.toarray()[30:], two[1].counts.toarray())
    np.testing.assert_array_equal(found.predicted[:30], two[0].predicted)
    np.testing.assert_array_equal(found.sample_of, ["s30"] * 30 + ["s20"] * 20)
    np.testing.assert_array_equal(found.measured, np.concatenate([one.measured for one in two]))
    np.testing.assert_array_equal(found.train_mean, np.zeros(5))
    assert found.notes == ()
    assert join(two[:1]) is two[0]


def test_only_shared_genes_stay_and_their_values_go_with_them(two: tuple[Pair, Pair]) -> None:
    other = two[1].of_genes(["G4", "G1", "G3"])
    found = join([two[0], other])
    assert found.genes == ("G1", "G3", "G4")
    np.testing.assert_array_equal(found.predicted[30:], two[1].predicted[:, [1, 3, 4]])
    np.testing.assert_array_equal(found.totals, np.concatenate([two[0].totals, two[1].totals]))


def test_training_statistics_of_folds_are_averaged_and_said(two: tuple[Pair, Pair]) -> None:
    other = replace(two[1], train_mean=np.full(5, 2.0), train_std=np.full(5, 3.0))
    found = join([two[0], other])
    assert found.train_mean is not None
    assert found.train_std is not None
    np.testing.assert_array_equal(found.train_mean, np.ones(5))
    np.testing.assert_array_equal(found.train_std, np.full(5, 2.0))
    assert "averaged" in found.notes[-1]


def test_where_one_has_none_the_whole_has_none(two: tuple[Pair, Pair]) -> None:
    found = join([two[0], replace(two[1], train_mean=None, train_std=None)])
    assert found.train_mean is None
    assert found.train_std is None
    assert any("measured values" in note for note in found.notes)


def test_what_cannot_be_joined_is_refused(two: tuple[Pair, Pair]) -> None:
    with pytest.raises(DataError, match="no pair"):
        join([])
    with pytest.raises(DataError, match="different scales"):
        join([two[0], replace(two[1], total=50.0)])
    with pytest.raises(DataError, match="share no gene"):
        join([two[0].of_genes(["G0"]), two[1].of_genes(["G1"])])

"""Sections and folds put together: nothing is lost, mixed up, or made of genes that one of them lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.biology.join import join
from prestige.biology.pair import Pair
from prestige.errors import DataError
from prestige.stats.moments import gene_pearson, moments_of, spatial_blocks


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


def test_parts_of_a_section_that_several_folds_tested_are_samples_of_their_own(
    two: tuple[Pair, Pair],
) -> None:
    same = [replace(one, sample_of=np.full(len(one), "s")) for one in two]
    alone = replace(two[1], sample_of=np.full(len(two[1]), "t"))
    found = join([*same, alone], [0, 3, 3])
    np.testing.assert_array_equal(found.sample_of, ["s, fold 0"] * 30 + ["s, fold 3"] * 20 + ["t"] * 20)
    assert found.notes == (
        "s: tested part by part by several folds, whose models differ, so what each fold tested is a sample "
        "of its own here",
    )
    # Two files of one section in one fold, and sections of different folds, keep their names.
    assert set(join(same, [2, 2]).sample_of) == {"s"}
    assert join(same, [2, 2]).notes == ()
    np.testing.assert_array_equal(join(two, [0, 1]).sample_of, join(two).sample_of)


def test_models_that_differ_by_a_constant_bring_no_correlation(two: tuple[Pair, Pair]) -> None:
    # Fold 1 has more counts and predicts more, by its model's constant; within neither is a relation.
    rng = np.random.default_rng(1)
    folds = []
    for shift, mean in ((0.0, 2.0), (3.0, 9.0)):
        counts = csr_matrix(
            rng.poisson(mean, (400, 5)).astype(np.float32) + np.float32(mean) * (np.arange(5) == 0)
        )
        folds.append(
            Pair(
                genes=two[0].genes,
                counts=counts,
                totals=np.full(400, 100.0),
                predicted=(shift + rng.normal(size=(400, 5))).astype(np.float32),
                xy_um=rng.uniform(0, 500, (400, 2)),
                sample_of=np.full(400, "s"),
                obs=pd.DataFrame(index=[str(i) for i in range(400)]),
                train_mean=np.zeros(5),
                train_std=np.ones(5),
            )
        )

    def scores(pair: Pair) -> np.ndarray:
        block = spatial_blocks(pair.xy_um, 100.0)
        moments = moments_of(
            pair.predicted.astype(float), pair.measured.astype(float), pair.sample_of, block, pair.genes
        )
        return np.mean(list(gene_pearson(moments).values()), axis=0)

    assert np.min(scores(join(folds))) > 0.5
    assert np.max(np.abs(scores(join(folds, [0, 1])))) < 0.2


def test_where_one_has_none_the_whole_has_none(two: tuple[Pair, Pair]) -> None:
    found = join([two[0], replace(two[1], train_mean=None, train_std=None)])
    assert found.train_mean is None
    assert found.train_std is None
    assert any("measured values" in note for note in found.notes)


def test_what_cannot_be_joined_is_refused(two: tuple[Pair, Pair]) -> None:
    with pytest.raises(DataError, match="no pair"):
        join([])
    with pytest.raises(DataError, match="1 folds of 2 pairs"):
        join(two, [0])
    with pytest.raises(DataError, match="different scales"):
        join([two[0], replace(two[1], total=50.0)])
    with pytest.raises(DataError, match="share no gene"):
        join([two[0].of_genes(["G0"]), two[1].of_genes(["G1"])])

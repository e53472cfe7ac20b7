"""Pathway activity: decoupler's t values, and correlations that mean what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import decoupler
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prestige.biology.genes.activity import (
    membership_of,
    network,
    pathway_activity,
    ulm,
)
from prestige.biology.noise import draw
from prestige.biology.pair import Pair
from prestige.errors import DataError
from prestige.genesets import GeneSet
from prestige.report.biology.genes import activity_sentences


def gene_set(name: str, genes: list[str]) -> GeneSet:
    return GeneSet(name, tuple(genes), "test")


def tissue(make_pair: Callable[..., Pair], n: int = 900, g: int = 60, **more: Any) -> Pair:
    """Genes 0-9 follow one smooth field, 10-19 another, the others none."""
    rng = np.random.default_rng(4)
    xy = rng.uniform(0, 1500, (n, 2))
    fields = np.stack([np.sin(xy[:, 0] / 200), np.cos(xy[:, 1] / 250)], axis=1)
    mean = np.full((n, g), 1.5)
    mean[:, :10] *= np.exp(0.8 * fields[:, :1])
    mean[:, 10:20] *= np.exp(0.8 * fields[:, 1:])
    return make_pair(mean, xy, **more)


SETS = {
    "first": gene_set("first", [f"G{i}" for i in range(10)]),
    "second": gene_set("second", [f"G{i}" for i in range(10, 20)]),
    "none": gene_set("none", [f"G{i}" for i in range(30, 40)]),
    "alike": gene_set("alike", [f"G{i}" for i in range(9)]),
    "small": gene_set("small", ["G1", "G2", "NOT1", "NOT2", "NOT3"]),
}


@given(seed=st.integers(0, 10_000), n=st.integers(1, 12), g=st.integers(14, 40))
@settings(max_examples=15)
def test_the_t_values_are_those_of_decoupler(seed: int, n: int, g: int) -> None:
    rng = np.random.default_rng(seed)
    z = (rng.normal(size=(n, g)) * rng.uniform(0.1, 5, (n, 1)) + rng.normal(size=(n, 1))).astype(np.float32)
    genes = [f"G{i}" for i in range(g)]
    sets = {f"S{k}": list(rng.choice(genes, rng.integers(2, g - 2), replace=False)) for k in range(4)}
    membership = np.array([[gene in sets[name] for name in sets] for gene in genes], dtype=float)
    table = pd.DataFrame(z, columns=genes, index=[str(i) for i in range(n)])
    wanted: Any = decoupler.mt.ulm(table, network(sets), tmin=1, empty=False)
    found = ulm(z, membership)
    assert found.dtype == np.float32
    assert found == pytest.approx(wanted[0][list(sets)].to_numpy(), rel=2e-4, abs=2e-4)


def test_one_t_value_by_hand() -> None:
    z, membership = np.array([[1.0, 2.0, 4.0, 5.0]]), np.array([[0.0], [0.0], [1.0], [1.0]])
    # Means 1.5 and 4.5, residuals 0.5 each: slope 3, error sqrt(1 / 2 * (1 / 2 + 1 / 2)).
    assert ulm(z, membership)[0, 0] == pytest.approx(3 / np.sqrt(0.5), rel=1e-5)


def test_weights_may_be_negative_and_the_given_values_stay() -> None:
    z = np.random.default_rng(0).normal(size=(3, 9)).astype(np.float32)
    z.flags.writeable = False
    weights = np.random.default_rng(1).normal(size=(9, 2))
    assert ulm(z, -weights) == pytest.approx(-ulm(z, weights), rel=1e-4, abs=1e-5)


def test_an_observation_without_differences_has_no_activity() -> None:
    z = np.array([[3.0] * 8, [0.0] * 8, list(range(8))])
    found = ulm(z, np.eye(8)[:, 6:])
    assert (found[:2] == 0).all()
    assert (found[2] > 0).all()


def test_sets_and_genes_have_to_fit() -> None:
    with pytest.raises(DataError, match="weighs all genes"):
        ulm(np.eye(4), np.ones((4, 1)))
    with pytest.raises(DataError, match="expression of 4 genes, sets over 5"):
        ulm(np.eye(4), np.eye(5))


def test_too_small_sets_and_whole_panels_are_told() -> None:
    genes = [f"G{i}" for i in range(12)]
    sets = {
        "all": gene_set("all", genes),
        "few": gene_set("few", ["G1", "X"]),
        "five": gene_set("five", genes[:5]),
    }
    scored, matrix, told = membership_of(genes, sets)
    assert list(scored) == ["five"]
    assert matrix[:, 0].tolist() == [1.0] * 5 + [0.0] * 7
    assert "few: 1 of 2 genes in the panel, too small" in told[0]
    assert told[1] == "all: has fewer than 5 genes of the panel outside"


def test_the_true_mean_reaches_what_halves_reach(make_pair: Callable[..., Pair]) -> None:
    found = pathway_activity(tissue(make_pair), SETS, block_um=300.0)
    table = found.table
    assert list(table.index) == ["first", "second", "none", "alike"]
    assert len(found.too_small) == 1
    for name in ("first", "second"):
        row = table.loc[name]
        assert row["noisy_half"] == pytest.approx(row["halves"], abs=0.06)
        assert row["noisy"] > row["halves"] > 0.2
    assert abs(table.loc["none", "noisy_half"]) < 0.1
    # Name of the best and the sentence on what was left out.
    told = " ".join(activity_sentences(found))
    assert "4 pathways (ULM)" in told
    assert "outside: 1 sets" in told
    low, high = found.means["predicted"].low, found.means["predicted"].high
    assert low is not None
    assert high is not None
    assert low < found.means["predicted"].value < high


def test_correlations_are_those_of_the_whole_activities(make_pair: Callable[..., Pair]) -> None:
    pair = tissue(make_pair)
    drawn = draw(pair, 9)
    found = pathway_activity(pair, SETS, drawn=drawn)
    scored, matrix, _ = membership_of(pair.genes, SETS)
    measured, predicted = ulm(pair.z(pair.measured), matrix), ulm(pair.z(pair.predicted), matrix)
    half_a, half_b = (ulm(pair.z(one), matrix) for one in drawn.measured_halves)
    for column, name in enumerate(scored):
        assert found.table.loc[name, "predicted"] == pytest.approx(
            np.corrcoef(measured[:, column], predicted[:, column])[0, 1], abs=1e-5
        )
        assert found.table.loc[name, "halves"] == pytest.approx(
            np.corrcoef(half_a[:, column], half_b[:, column])[0, 1], abs=1e-5
        )
    assert "small" not in found.maps  # too small to be scored
    assert found.maps["second"] == pytest.approx(
        np.stack([measured[:, 1], predicted[:, 1]], axis=1), rel=1e-4, abs=1e-5
    )


def test_maps_are_of_pathways_that_share_few_genes(make_pair: Callable[..., Pair]) -> None:
    found = pathway_activity(tissue(make_pair), SETS)
    assert len(found.maps) == 3
    assert not {"first", "alike"} <= set(found.maps)


def test_shuffled_observations_have_no_activity_left(make_pair: Callable[..., Pair]) -> None:
    pair = tissue(make_pair)
    order = np.random.default_rng(0).permutation(len(pair))
    from dataclasses import replace

    found = pathway_activity(replace(pair, predicted=pair.predicted[order]), SETS)
    assert found.table[["predicted", "noisy"]].abs().to_numpy().max() < 0.12


def test_a_training_mean_is_constant_and_counts_0(make_pair: Callable[..., Pair]) -> None:
    pair = tissue(make_pair)
    from dataclasses import replace

    constant = np.broadcast_to(pair.measured.mean(axis=0), pair.measured.shape).astype(np.float32)
    found = pathway_activity(replace(pair, predicted=np.ascontiguousarray(constant)), SETS)
    assert found.table["predicted"].isna().all()
    assert (found.table["n_constant"] == 1).all()
    assert found.means["predicted"].value == 0
    assert any("is constant in a sample and counts 0" in line for line in activity_sentences(found))


def test_no_set_that_can_be_scored_is_told(make_pair: Callable[..., Pair]) -> None:
    found = pathway_activity(tissue(make_pair), {"small": SETS["small"]})
    assert found.table.empty
    assert activity_sentences(found)[0].startswith("No pathway has enough genes")


def test_the_same_seed_gives_the_same_numbers(make_pair: Callable[..., Pair]) -> None:
    pair = tissue(make_pair, n=300)
    one, two, other = (pathway_activity(pair, SETS, seed=seed).table for seed in (1, 1, 2))
    assert one.equals(two)
    assert not one["noisy"].equals(other["noisy"])

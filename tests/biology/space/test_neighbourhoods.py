"""Rings and the enrichment index, on tissue where both are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.biology.noise import draw
from prestige.biology.pair import Pair
from prestige.biology.space.neighbourhoods import (
    FAR,
    distance_weights,
    enrichment_index,
    neighbourhoods,
    ring_means,
    rings,
)
from prestige.biology.space.regions import Region, region_of_mask
from prestige.errors import DataError
from prestige.report.biology.space import neighbourhood_sentences


def half(make_pair: Callable[..., Pair]) -> tuple[Pair, Region]:
    """The left part is the region; gene 0 falls with the distance, gene 1 is high at the boundary."""
    at = np.arange(10.0, 1000, 20)
    xy = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    mean = np.full((len(xy), 12), 2.0)
    mean[:, 0] = 4 - 3 * xy[:, 0] / 1000
    mean[:, 1] = 0.2 + 4 * np.exp(-(((xy[:, 0] - 500) / 60) ** 2))
    pair = make_pair(mean, xy)
    return pair, region_of_mask(xy[:, 0] < 500, xy, pair.sample_of, smooth=0)


@given(width=st.floats(1, 200), n=st.integers(1, 5))
def test_a_ring_holds_its_distances(width: float, n: int) -> None:
    distance = np.append(np.linspace(-700, 700, 401), np.nan)
    ring = rings(distance, width, n)
    for number in range(-n, n):
        here = distance[ring == number]
        assert ((here >= number * width - 1e-6) & (here < (number + 1) * width + 1e-6)).all()
    left = distance[ring == FAR]
    assert (np.isnan(left) | (np.abs(left) >= n * width - 1e-6)).all()
    assert ring[-1] == FAR


def test_ring_means_are_means(make_pair: Callable[..., Pair]) -> None:
    pair, region = half(make_pair)
    found = ring_means(pair, region, width_um=100.0, n_rings=3)
    assert sorted(found["ring"].unique()) == [-3, -2, -1, 0, 1, 2]
    row = found[(found["ring"] == 1) & (found["gene"] == "G0")].iloc[0]
    here = (region.distance_um >= 100) & (region.distance_um < 200)
    assert row["n"] == here.sum() == 250
    assert (row["from_um"], row["to_um"]) == (100, 200)
    assert row["measured"] == pytest.approx(pair.measured[here, 0].mean(), rel=1e-6)
    assert row["predicted"] == pytest.approx(pair.predicted[here, 0].mean(), rel=1e-6)


def test_the_index_finds_what_is_high_at_the_boundary(make_pair: Callable[..., Pair]) -> None:
    pair, region = half(make_pair)
    weights = distance_weights(region, "boundary", scale_um=60.0, side="both")
    measured, predicted = (enrichment_index(one, weights) for one in (pair.measured, pair.predicted))
    assert min(measured[1], predicted[1]) > 2
    assert abs(measured[5] - 1) < 0.1
    inside = distance_weights(region, "boundary", scale_um=60.0)
    assert np.isnan(inside[~region.inside]).all()
    assert np.isfinite(inside[region.inside]).all()


def test_towards_the_centre_there_is_only_the_inside(make_pair: Callable[..., Pair]) -> None:
    _, region = half(make_pair)
    weights = distance_weights(region, "centre", scale_um=100.0)
    assert (np.isfinite(weights) == region.inside).all()
    assert weights[region.inside].argmax() == region.centre_um[region.inside].argmin()


def test_the_index_by_hand() -> None:
    values = np.array([[1.0, 0.0], [3.0, 0.0], [100.0, 1.0]])
    found = enrichment_index(values, np.array([1.0, 0.5, np.nan]))
    assert found[0] == pytest.approx((1 + 1.5) / 1.5 / 2)
    assert np.isnan(found[1])


def test_bad_input(make_pair: Callable[..., Pair]) -> None:
    pair, region = half(make_pair)
    with pytest.raises(DataError, match="0 rings"):
        rings(np.zeros(3), 10.0, 0)
    with pytest.raises(DataError, match="the scale is 0"):
        distance_weights(region, "boundary", scale_um=0.0)
    with pytest.raises(DataError, match="2 weights for 3"):
        enrichment_index(np.zeros((3, 1)), np.zeros(2))
    with pytest.raises(DataError, match="no observation has a positive weight"):
        enrichment_index(np.zeros((3, 1)), np.full(3, np.nan))
    with pytest.raises(DataError, match="a region of 2500 observations for 10"):
        ring_means(pair.take(slice(0, 10)), region, width_um=10.0, n_rings=2)


def test_what_is_high_at_the_boundary_is_kept_or_lost(make_pair: Callable[..., Pair]) -> None:
    pair, region = half(make_pair)
    region = replace(region, defined_by=("G2",))
    found = neighbourhoods(pair, region, draw(pair, 1), max_um=300.0)
    assert "G2" not in found.table.index
    assert (found.width_um, len(found.table), set(found.rings["ring"])) == (100.0, 11, {-3, -2, -1, 0, 1, 2})
    # By hand: near the boundary on both sides, over all within reach.
    near = np.abs(region.distance_um) <= 300
    weight = np.exp(-0.5 * (region.distance_um[near] / 100) ** 2)
    value = pair.measured[near, 1].astype(float)
    assert found.table.loc["G1", "boundary_measured"] == pytest.approx(
        (weight @ value / weight.sum()) / value.mean(), rel=1e-5
    )
    assert found.table.loc["G1", "boundary_predicted"] > 1.2
    kept = found.agreement.loc["boundary"]
    assert kept["predicted"] > 0.9
    assert kept["half"] > 0.9
    assert kept["n_genes"] == 11
    assert (
        f"correlation {kept['predicted']:.2f} of predicted with measured" in neighbourhood_sentences(found)[0]
    )
    # A prediction that says the same everywhere keeps nothing of it.
    flat = replace(pair, predicted=np.tile(pair.predicted.mean(axis=0), (len(pair), 1)))
    lost = neighbourhoods(flat, region, draw(flat, 1), max_um=300.0)
    assert abs(lost.agreement.loc["boundary", "predicted"]) < 0.7
    assert lost.table.loc["G1", "boundary_predicted"] == pytest.approx(1, abs=0.1)
    assert lost.agreement.loc["boundary", "half"] == kept["half"]


def test_few_genes_have_no_correlation(make_pair: Callable[..., Pair]) -> None:
    pair, region = half(make_pair)
    region = replace(region, defined_by=tuple(pair.genes[2:]))
    found = neighbourhoods(pair, region, draw(pair, 1), max_um=300.0)
    assert found.agreement["predicted"].isna().all()
    assert neighbourhood_sentences(found) == []
    with pytest.raises(DataError, match="rings of"):
        neighbourhoods(pair, region, draw(pair, 1), max_um=0.0)

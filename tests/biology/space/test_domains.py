"""Domains of a tissue whose domains are known, and predictions that have them or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from prestige.biology.pair import Pair
from prestige.biology.space.domains import domains
from prestige.errors import DataError
from prestige.report.biology.space import domain_sentences

Make = Callable[..., Pair]
K = 3
SIDE = 40


def known(xy: np.ndarray) -> np.ndarray:
    """Three stripes of unequal width."""
    return np.searchsorted([0.25, 0.55], xy[:, 0] / xy[:, 0].max()).astype(np.int64)


@pytest.fixture(scope="module", params=[60.0, 400.0], ids=["shallow", "deep"])
def pair(request: pytest.FixtureRequest, make_pair: Make) -> Pair:
    xy = 10.0 * np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).reshape(-1, 2)
    rng = np.random.default_rng(0)
    profile = rng.dirichlet(np.full(20, 3.0), K)[known(xy)]
    depth = request.param * np.exp(rng.normal(0, 0.3, (len(xy), 1)))
    return make_pair(depth * profile, xy)


def test_the_domains_are_found_on_both_sides(pair: Pair) -> None:
    found = domains(pair, n_domains=K)
    truth = known(pair.xy_um)
    assert adjusted_rand_score(truth, found.measured) > 0.9
    assert adjusted_rand_score(truth, found.predicted) > 0.9
    assert found.ari > 0.85
    assert found.ari_half == pytest.approx(found.ari_halves, abs=0.08)
    assert abs(found.ari_shuffled) < 0.05
    # Numbers go by size (stripes of 0.25, 0.30 and 0.45), and the same colour means the same place.
    assert list(np.argsort(-np.bincount(found.measured))) == [0, 1, 2]
    assert (found.measured == found.predicted).mean() > 0.9
    assert "adjusted Rand index" in domain_sentences(found)[0]


def test_the_indices_have_intervals_where_there_are_blocks_enough(pair: Pair) -> None:
    fine, coarse = (domains(pair, n_domains=K, block_um=width) for width in (60.0, 300.0))
    assert set(fine.intervals) == {"ari", "ari_half", "ari_halves", "ari_shuffled", "ari_depth"}
    for name, ends in fine.intervals.items():
        assert ends is not None
        assert ends[0] <= getattr(fine, name) + 1e-9
        assert ends[1] >= getattr(fine, name) - 1e-9
    low, high = fine.intervals["ari_half"] or (0, 0)
    assert high - low < 0.35
    assert (
        f"half of the measurement {fine.ari_half:.2f} ({low:.2f} to {high:.2f})" in domain_sentences(fine)[0]
    )
    assert all(ends is None for ends in coarse.intervals.values())
    assert f"depth {coarse.ari:.2f}." in domain_sentences(coarse)[0]


def test_a_prediction_without_domains_agrees_no_better_than_a_shuffled_one(pair: Pair) -> None:
    constant = np.broadcast_to(pair.predicted.mean(axis=0), pair.predicted.shape)
    shuffled = pair.predicted[np.random.default_rng(0).permutation(len(pair))]
    for values in (constant, shuffled):
        found = domains(replace(pair, predicted=values.astype(np.float32)), n_domains=K)
        assert abs(found.ari_half) < 0.1
        assert found.ari_halves > 0.8
    nothing = domains(replace(pair, predicted=np.zeros_like(pair.predicted)), n_domains=K)
    assert nothing.ari == 0.0
    assert "no domains" in domain_sentences(nothing)[0]


def test_a_prediction_that_merges_two_domains_is_worse(pair: Pair) -> None:
    truth = known(pair.xy_um)
    values = pair.predicted.copy()
    values[truth > 0] = values[truth > 0].mean(axis=0)
    found = domains(replace(pair, predicted=values), n_domains=K)
    assert 0.1 < found.ari_half < found.ari_halves - 0.1


def test_same_seed_same_labels_and_samples_do_not_mix(pair: Pair) -> None:
    once, again = (domains(pair, n_domains=K, seed=3) for _ in range(2))
    np.testing.assert_array_equal(once.predicted, again.predicted)
    assert once.ari_shuffled == again.ari_shuffled
    apart = replace(pair, sample_of=np.where(np.arange(len(pair)) % 2, "a", "b"))
    assert domains(apart, n_domains=K).ari > 0.8


def test_what_cannot_be_clustered_is_refused(pair: Pair) -> None:
    with pytest.raises(DataError, match="no positions"):
        domains(replace(pair, has_positions=False))
    with pytest.raises(DataError, match="2 domains or more"):
        domains(pair, n_domains=1)
    with pytest.raises(DataError, match="observations for 6 domains"):
        domains(pair.take(slice(0, 50)))
    few = replace(pair, sample_of=np.repeat([f"s{k}" for k in range(100)], len(pair) // 100))
    with pytest.raises(DataError, match="the largest of 100 samples has 16 observations"):
        domains(few)


def test_a_sample_smaller_than_a_neighbourhood_is_left_out_and_told(pair: Pair) -> None:
    few = np.arange(len(pair)) < 15
    found = domains(replace(pair, sample_of=np.where(few, "small", "b")), n_domains=K)
    assert found.left_out == ("small",)
    assert (found.measured[few] == K).all()
    assert (found.predicted[few] == K).all()
    assert found.measured[~few].max() == found.predicted[~few].max() == K - 1
    assert found.ari > 0.85
    assert (
        domain_sentences(found)[-1]
        == "Left out of tissue domains, with fewer than 20 observations: sample small."
    )


def test_depth_with_a_pattern_in_space_is_told_from_a_prediction(make_pair: Make) -> None:
    """300 counts in a disc and 100 outside: noise at that depth gives domains to any prediction."""
    rng = np.random.default_rng(3)
    xy = rng.uniform(0, 600, (1500, 2))
    disc = np.hypot(*(xy - 300).T) < 150
    depth = np.where(disc, 300.0, 100.0)[:, None]
    pair = make_pair(depth * rng.dirichlet(np.full(40, 0.3)), xy)  # predicts the one profile everywhere
    found = domains(pair, n_domains=2)
    assert found.ari_half > 0.5
    assert found.ari_depth == pytest.approx(found.ari_half, abs=0.1)
    assert abs(found.ari_shuffled) < 0.1
    assert f"of depth alone {found.ari_depth:.2f}" in domain_sentences(found)[0]
    # Where depth has no pattern it brings nothing.
    even = domains(
        make_pair(200 * pair.predicted / pair.predicted.sum(axis=1, keepdims=True), xy), n_domains=2
    )
    assert abs(even.ari_depth) < 0.1

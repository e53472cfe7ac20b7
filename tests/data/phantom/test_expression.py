from __future__ import annotations

import numpy as np
import pytest

from prestige.data.phantom import PhantomConfig, Section, make_section
from prestige.data.phantom.expression import (
    Hidden,
    find_ring,
    log_normalised,
    make_programme,
    mean_counts,
)
from prestige.data.phantom.tissue import Granules


def test_genes_take_the_shares_asked_for():
    config = PhantomConfig(n_genes=40, own_share=0.25, neighbourhood_share=0.5, purity=0.8)
    programme = make_programme(config, np.random.default_rng(0))
    assert np.bincount(programme.group).tolist() == [10, 20, 10]
    np.testing.assert_allclose(programme.shares.sum(1), 1.0)
    np.testing.assert_allclose(programme.shares.mean(0), [0.25, 0.5, 0.25])
    np.testing.assert_allclose(programme.shares[0], [0.8 + 0.2 * 0.25, 0.1, 0.05])
    assert len(set(programme.genes)) == 40
    assert programme.sign.sum() == 0


def test_only_the_own_nucleus_can_matter():
    config = PhantomConfig(own_share=0.6, neighbourhood_share=0.0)
    programme = make_programme(config, np.random.default_rng(0))
    assert np.all(programme.shares[:, 1] == 0)
    assert not np.any(programme.group == 1)


def test_the_ring_is_what_a_plain_loop_finds():
    rng = np.random.default_rng(0)
    config = PhantomConfig(radius_um=10.0, hole_share=0.5)
    xy = rng.uniform(0, 100, (20, 2))
    granules = Granules(rng.integers(-20, 120, (500, 2)), rng.choice([-1, 1], 500), 2)
    ring = find_ring(config, xy, granules)
    for i in range(20):
        um = np.hypot(*(granules.xy_px - xy[i]).T) * 0.5
        acts = (um > 5.0) & (um <= 10.0)
        assert ring.count()[i] == acts.sum()
        assert ring.sum(granules.mark)[i] == granules.mark[acts].sum()


def test_mean_counts_of_one_cell_by_hand():
    config = PhantomConfig(n_genes=4, effect=0.5, own_share=0.25, neighbourhood_share=0.5)
    programme = make_programme(config, np.random.default_rng(0))
    own, latent = np.array([[1.0, -1.0, 0.5, 2.0]]), np.array([[0.2, 0.0, -1.0, 1.0]])
    found = mean_counts(config, programme, own, np.array([1.5]), Hidden(np.array([200.0]), latent))
    for g in range(4):
        a, b, c = np.sqrt(programme.shares[g])
        rate = a * own[0, g] + b * programme.sign[g] * 1.5 + c * latent[0, g]
        assert found[0, g] == pytest.approx(200 * np.exp(programme.base[g] + 0.5 * rate))


def test_log_normalised_by_hand():
    counts = np.array([[1.0, 3.0], [0.0, 0.0]])
    np.testing.assert_allclose(log_normalised(counts, 100.0), [[np.log(26), np.log(76)], [0, 0]])


def test_counts_are_poisson_around_the_truth_at_the_depth(
    phantom_config: PhantomConfig, phantom_sections: tuple[Section, ...]
):
    section = phantom_sections[0]
    n, g = section.counts.shape
    surprise = (section.counts - section.mean) / np.sqrt(section.mean)
    assert abs(surprise.mean()) < 4 / np.sqrt(n * g)
    assert np.var(surprise) == pytest.approx(1.0, abs=0.03)
    assert section.counts.sum(1).mean() == pytest.approx(phantom_config.depth, rel=0.1)


def test_without_signal_genes_are_smooth_in_space_and_blind_to_the_tissue():
    from scipy.spatial import KDTree

    config = PhantomConfig(size_px=900, no_signal=True)
    section = make_section(config, 0, 0)
    value = np.log(section.mean / section.mean.sum(1, keepdims=True))
    value = (value - value.mean(0)) / value.std(0)
    nearest = KDTree(section.xy_px).query(section.xy_px, k=2)[1][:, 1]
    assert np.mean(value * value[nearest]) > 0.5
    # Other granules around the very same cells: not one mean count changes.
    other = make_section(config.model_copy(update={"radius_um": 7.5}), 0, 0)
    assert not np.array_equal(other.pixels, section.pixels)
    assert abs(np.corrcoef(other.environment, section.environment)[0, 1]) < 0.2
    np.testing.assert_array_equal(other.mean, section.mean)
    assert max(float(score.mean()) for score in section.oracle.values()) < 0.02

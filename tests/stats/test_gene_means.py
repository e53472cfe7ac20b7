"""Weighted means over genes against the bootstrap they extend, resampled rows, and numbers by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from prestige.errors import DataError
from prestige.stats.bootstrap import BlockDraws, PatientDraws, draw, resample
from prestige.stats.gene_means import quantile_bounds, quantiles, resample_genes
from prestige.stats.moments import Moments, moments_of, spatial_blocks

GENES = ("A", "B", "C", "D")


def tissue(
    seed: int, *, samples: int = 2, blocks: int = 14, signal: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    side = np.arange(blocks * 10) % 10
    xy = np.column_stack([np.arange(blocks * 10) // 10 * 10.0 + side / 2, side.astype(float) / 2])
    block = np.tile(spatial_blocks(xy, 10.0), samples)
    sample = np.repeat([f"S{i}" for i in range(samples)], len(xy))
    shared = rng.normal(size=(samples * blocks, len(GENES))).repeat(10, axis=0)
    truth = shared + rng.normal(size=(len(block), len(GENES)))
    return signal * truth + rng.normal(size=truth.shape), truth, sample, block


def moments(seed: int = 0, **options: float) -> Moments:
    return moments_of(*tissue(seed, **options), GENES)  # type: ignore[arg-type]


def flat(moments: Moments, sample: str, gene: int) -> Moments:
    """Return moments in which the truth of a gene is 1 everywhere in a sample."""
    here = moments.sample == sample
    t, tt, pt = moments.sum_t.copy(), moments.sum_tt.copy(), moments.sum_pt.copy()
    t[here, gene] = tt[here, gene] = moments.n[here]
    pt[here, gene] = moments.sum_p[here, gene]
    return replace(moments, sum_t=t, sum_tt=tt, sum_pt=pt)


@pytest.mark.parametrize("patients", [False, True])
def test_equal_weights_are_the_bootstrap(patients: bool) -> None:
    samples = 11 if patients else 2
    one, other = moments(1, samples=samples), moments(2, samples=samples)
    one = flat(one, "S0", 2)
    seeds = [[one], [replace(one, sum_p=other.sum_p, sum_pp=other.sum_pp, sum_pt=other.sum_pt)]]
    patient_of = {f"S{i}": f"P{i}" for i in range(samples)} if patients else None
    plan = draw([one], draws=40, seed=3, patient_of=patient_of)
    assert isinstance(plan, PatientDraws if patients else BlockDraws)
    for each in (plan, plan.whole()):
        found, wanted = resample_genes(each, seeds, np.ones((1, 4))), resample(each, [seeds])
        np.testing.assert_allclose(found.means.scores, wanted.scores, atol=1e-12)
        np.testing.assert_allclose(found.means.covariances, wanted.covariances, atol=1e-12)


def test_weights_and_scale_against_resampled_rows() -> None:
    pred, truth, sample, block = tissue(4, samples=1)
    one = moments_of(pred, truth, sample, block, GENES)
    plan = draw([one], draws=6, seed=0)
    assert isinstance(plan, BlockDraws)
    weights = np.array([[1.0, 3.0, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]])
    scale = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 4.0]])
    found = resample_genes(plan, [[one]], weights, scale)
    times = plan.weights(slice(0, 6))
    for d in range(6):
        rows = np.concatenate(
            [np.tile(np.flatnonzero(block == b), int(k)) for b, k in zip(one.block, times[d], strict=True)]
        )
        r = np.array([pearsonr(pred[rows, g], truth[rows, g])[0] for g in range(4)])
        np.testing.assert_allclose(found.genes[d], r, atol=1e-10)
        np.testing.assert_allclose(
            found.means.scores[:, d], [(r[0] + 3 * r[1]) / 4, (2 * r[2] + 4 * r[3]) / 2], atol=1e-10
        )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.lists(st.floats(0.1, 5.0), min_size=4, max_size=4))
def test_a_mean_of_means_is_linear(seed: int, weights: list[float]) -> None:
    """The score and its covariance with others follow from those of single genes."""
    one = moments(seed, blocks=5)
    plan = draw([one], draws=3, seed=seed)
    table = np.vstack([np.eye(4), weights])
    found = resample_genes(plan, [[one]], table).means
    share = np.array(weights) / sum(weights)
    np.testing.assert_allclose(found.scores[4], share @ found.scores[:4], atol=1e-12)
    np.testing.assert_allclose(found.covariances[:, 4, :4], share @ found.covariances[:, :4, :4], atol=1e-12)
    np.testing.assert_allclose(
        found.covariances[:, 4, 4], share @ found.covariances[:, :4, :4] @ share, atol=1e-12
    )


def test_a_gene_whose_truth_is_constant_in_a_sample_counts_in_the_other() -> None:
    one = flat(moments(5), "S1", 0)
    plan = draw([one], draws=5, seed=0).whole()
    found = resample_genes(plan, [[one]], np.array([[1.0, 0, 0, 0], [1.0, 1.0, 0, 0]]))
    by_sample = [
        resample_genes(draw([part], draws=2, seed=0).whole(), [[part]], np.eye(4)[:2]).means.scores[:, 0]
        for part in (_only(one, "S0"), _only(moments(5), "S1"))
    ]
    assert found.genes[0, 0] == pytest.approx(by_sample[0][0], abs=1e-9)
    assert found.means.scores[0, 0] == pytest.approx(by_sample[0][0], abs=1e-9)
    # Of the pair, gene B alone is left in S1 and has all the weight there.
    assert found.means.scores[1, 0] == pytest.approx((by_sample[0].mean() + by_sample[1][1]) / 2, abs=1e-9)


def test_a_gene_that_never_varies_is_nan_and_its_mean_too() -> None:
    one = flat(flat(moments(5), "S1", 0), "S0", 0)
    found = resample_genes(draw([one], draws=4, seed=0), [[one]], np.eye(4)[:2])
    assert np.isnan(found.genes[:, 0]).all()
    assert np.isnan(found.means.scores[0]).all()
    assert np.isfinite(found.means.scores[1]).all()


def _only(moments: Moments, sample: str) -> Moments:
    rows = moments.sample == sample
    names = ("sample", "block", "n", "sum_p", "sum_t", "sum_pp", "sum_tt", "sum_pt")
    return replace(moments, **{name: getattr(moments, name)[rows] for name in names})


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.ones((1, 3)), "weights of 3 genes for moments of 4"),
        (np.array([[1.0, -1.0, 0.0, 0.0]]), "not finite or below 0"),
        (np.array([[1.0, np.nan, 0.0, 0.0]]), "not finite or below 0"),
        (np.zeros((1, 4)), "a mean over no gene"),
    ],
)
def test_bad_weights_are_refused(weights: np.ndarray, words: str) -> None:
    one = moments(0)
    with pytest.raises(DataError, match=words):
        resample_genes(draw([one], draws=2, seed=0), [[one]], weights)


def test_bounds_of_a_median_by_hand() -> None:
    observed, middle = np.array([0.1, 0.3, 0.5]), np.array([0.5])
    # The median of each draw lies -2, ..., 2 standard errors of its own from 0.3.
    steps = np.linspace(-2, 2, 99)
    drawn = np.full(99, 0.05)
    genes = np.column_stack([np.zeros(99), 0.3 + steps * drawn, np.ones(99)])
    low, high = quantile_bounds(genes, observed, (0.1, drawn), middle, level=0.9)
    # Of 99 distances from 0 to 2, each but the first twice, the one of rank 90 bounds 90 % of 100.
    half = np.sort(np.abs(steps))[89] * 0.1
    assert (low[0], high[0]) == pytest.approx((0.3 - half, 0.3 + half))
    with pytest.raises(DataError, match="no standard error"):
        quantile_bounds(genes, observed, (0.1, np.zeros(99)), middle)
    with pytest.raises(DataError, match="no standard error"):
        quantile_bounds(genes, observed * np.nan, (0.1, drawn), middle)


@given(st.integers(0, 1000), st.floats(0, 0.9))
def test_quantiles_are_those_of_numpy(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(7, 9))
    values[rng.random(values.shape) < share] = np.nan
    values[:, 0] = 0.0  # numpy warns of rows without any
    p = np.array([0.0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(quantiles(values, p), np.nanquantile(values, p, axis=1), atol=1e-12)
    assert np.isnan(quantiles(np.full((1, 3), np.nan), p)).all()

"""Estimates of sets against means and differences of the genes' own correlations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from prestige.analysis.gene_sets import estimates as set_estimates
from prestige.analysis.gene_sets.estimates import FRACTION, Estimate, Estimator, SetGenes
from prestige.genesets import matched_random_sets
from prestige.stats.bootstrap import draw
from prestige.stats.gene_means import GeneDraws, resample_genes
from prestige.stats.moments import Moments, gene_pearson, moments_of

GENES = tuple(f"G{i}" for i in range(30))
GOOD = GENES[:6]


@pytest.fixture(scope="module")
def moments() -> Moments:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(1200, 30))
    weight = np.where(np.isin(GENES, GOOD), 1.0, 0.3)
    return moments_of(
        weight * truth + rng.normal(size=truth.shape), truth, np.full(1200, "s"), np.arange(1200) // 30, GENES
    )


def estimates(
    moments: Moments, one: SetGenes, ceiling: np.ndarray | None = None
) -> dict[tuple[str, ...], Estimate]:
    pearson = gene_pearson(moments)["s"]
    plan = draw([moments], draws=300, seed=0)
    values = pd.DataFrame({"pearson": pearson, "mse": np.arange(30.0)}, index=list(GENES))
    found = Estimator(GENES, {one.name: one}, plan, ceiling).estimates([[moments]], values)
    return {(row.genes, row.metric, row.statistic): row for row in found}


def set_of(genes: tuple[str, ...], rare: tuple[str, ...] = ()) -> SetGenes:
    features = np.arange(30.0)[:, None] % 6
    members = [gene for gene in genes if gene not in rare]
    random = matched_random_sets(members, GENES, features, draws=100, seed=0)
    return SetGenes("good", genes, rare, random)


def test_the_mean_is_that_of_the_genes_and_lies_in_its_interval(moments: Moments) -> None:
    found = estimates(moments, set_of(GOOD))
    pearson = gene_pearson(moments)["s"]
    mean = found["all", "pearson", "mean"]
    assert (mean.gene_set, mean.n_genes, mean.n_rare) == ("good", 6, 0)
    assert mean.value == pytest.approx(pearson[:6].mean())
    assert mean.low < mean.value < mean.high
    assert found["all", "pearson", "median"].value == pytest.approx(np.median(pearson[:6]))
    other = found["all", "mse", "mean"]
    assert other.value == pytest.approx(2.5)
    assert np.isnan(other.low)


def test_the_excess_is_the_difference_to_the_random_sets(moments: Moments) -> None:
    one = set_of(GOOD)
    found = estimates(moments, one)
    pearson = gene_pearson(moments)["s"]
    excess = found["matched", "pearson", "excess"]
    assert excess.value == pytest.approx(pearson[:6].mean() - pearson[one.random.index].mean(), abs=1e-9)
    assert 0 < excess.low < excess.value < excess.high
    assert found["matched", "pearson", "p (descriptive)"].value == pytest.approx(1 / 101)


def test_rare_genes_count_apart(moments: Moments) -> None:
    found = estimates(moments, set_of(GOOD, rare=GOOD[:1]))
    pearson = gene_pearson(moments)["s"]
    assert found["all", "pearson", "mean"].n_rare == 1
    assert found["all", "pearson", "mean"].value == pytest.approx(pearson[:6].mean())
    assert found["measurable", "pearson", "mean"].value == pytest.approx(pearson[1:6].mean())


def test_the_share_of_the_ceiling_is_the_mean_of_shares(moments: Moments) -> None:
    ceiling = np.linspace(0.5, 1.0, 30)
    found = estimates(moments, set_of(GOOD), ceiling)
    share = found["measurable", FRACTION, "mean"]
    assert share.value == pytest.approx((gene_pearson(moments)["s"][:6] / ceiling[:6]).mean())
    assert share.low < share.value < share.high


def test_too_few_blocks_give_no_interval(moments: Moments) -> None:
    first = slice(0, 5)
    few = Moments(
        sample=moments.sample[first],
        block=moments.block[first],
        n=moments.n[first],
        **{name: getattr(moments, name)[first] for name in ("sum_p", "sum_t", "sum_pp", "sum_tt", "sum_pt")},
        genes=GENES,
    )
    found = estimates(few, set_of(GOOD))
    mean, excess = found["all", "pearson", "mean"], found["matched", "pearson", "excess"]
    assert np.isfinite(mean.value)
    assert np.isnan([mean.low, mean.high, excess.low, excess.high]).all()


def with_dead_genes(moments: Moments, dead: slice, rows: slice = slice(None)) -> Moments:
    """Return moments in which the truth of some genes is 1 everywhere in some blocks."""
    t, tt, pt = moments.sum_t.copy(), moments.sum_tt.copy(), moments.sum_pt.copy()
    t[rows, dead] = tt[rows, dead] = moments.n[rows, None]
    pt[rows, dead] = moments.sum_p[rows, dead]
    return replace(moments, sum_t=t, sum_tt=tt, sum_pt=pt)


def test_a_dead_set_takes_nothing_from_a_live_one(moments: Moments) -> None:
    """Genes 24 to 29 never vary, or in one block alone: of that set, and in draws without it, all is NaN."""
    features = np.arange(30.0)[:, None] % 6
    features[24:] = np.nan
    live = SetGenes("live", GOOD, (), matched_random_sets(GOOD, GENES, features, draws=100, seed=0))
    none = matched_random_sets([], GENES, features, draws=100, seed=0)
    dead = SetGenes("dead", GENES[24:], (), none)
    plan = draw([moments], draws=300, seed=0)
    for rows in (slice(None), slice(1, None)):
        some = with_dead_genes(moments, slice(24, 30), rows)
        values = pd.DataFrame({"pearson": gene_pearson(some)["s"]}, index=list(GENES))
        alone = Estimator(GENES, {"live": live}, plan, None).estimates([[some]], values)
        both = Estimator(GENES, {"dead": dead, "live": live}, plan, None).estimates([[some]], values)
        beside = [row for row in both if row.gene_set == "live"]
        assert [row[:6] for row in beside] == [row[:6] for row in alone]
        np.testing.assert_allclose(
            [row[6:] for row in beside], [row[6:] for row in alone], rtol=1e-9, atol=1e-10
        )
        found = {(row.genes, row.statistic): row for row in beside}
        for key in (("all", "mean"), ("matched", "mean"), ("matched", "excess")):
            assert found[key].low < found[key].value < found[key].high
        mean = next(row for row in both if row[:2] == ("dead", "all") and row.statistic == "mean")
        assert np.isnan(mean.value) == (rows == slice(None))


def test_no_estimate_depends_on_how_many_sets_share_a_pass(moments: Moments) -> None:
    sets = {f"set {i}": replace(set_of(GENES[i : i + 6]), name=f"set {i}") for i in range(5)}
    values = pd.DataFrame({"pearson": gene_pearson(moments)["s"]}, index=list(GENES))
    plan, ceiling = draw([moments], draws=100, seed=0), np.linspace(0.5, 1.0, 30)
    found = [
        Estimator(GENES, sets, plan, ceiling, at_once=n).estimates([[moments]], values) for n in (1, 2, 16)
    ]
    assert [row[:6] for row in found[0]] == [row[:6] for row in found[1]] == [row[:6] for row in found[2]]
    for other in found[1:]:
        np.testing.assert_allclose(
            [row[6:] for row in other], [row[6:] for row in found[0]], rtol=1e-9, atol=1e-10
        )


def test_memory_does_not_grow_with_the_square_of_the_sets(
    moments: Moments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Covariances of 40 sets at once would be (draws, 200, 200); a pass holds those of 16."""
    largest = 0

    def watched(*given: Any) -> GeneDraws:
        nonlocal largest
        found = resample_genes(*given)
        largest = max(largest, found.means.covariances.shape[1])
        return found

    monkeypatch.setattr(set_estimates, "resample_genes", watched)
    rng = np.random.default_rng(0)
    none = matched_random_sets([], GENES, np.zeros((30, 1)), draws=100, seed=0)
    sets = {
        f"set {i}": SetGenes(f"set {i}", tuple(rng.choice(GENES, 6, replace=False)), (), none)
        for i in range(40)
    }
    values = pd.DataFrame({"pearson": gene_pearson(moments)["s"]}, index=list(GENES))
    found = Estimator(GENES, sets, draw([moments], draws=10, seed=0), None).estimates([[moments]], values)
    assert len({row.gene_set for row in found}) == 40
    assert largest == 16

"""Estimates of sets against means and differences of the genes' own correlations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prestige.genesets import matched_random_sets
from prestige.report.set_estimates import FRACTION, Estimate, Estimator, SetGenes
from prestige.stats import Moments, gene_pearson, moments_of
from prestige.stats.bootstrap import draw

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
    assert excess.value == pytest.approx(pearson[:6].mean() - pearson[one.random.index].mean())
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

"""Ranked enrichment: planted sets are found, others are not, and expression is told apart."""

from __future__ import annotations

from typing import Any

import decoupler
import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri
from scipy.stats import kstest, rankdata, ttest_ind
from scipy.stats import t as student

from prestige.biology.genes.activity import network
from prestige.biology.genes.enrichment import CAVEAT, enrichment
from prestige.errors import DataError
from prestige.genesets import GeneSet
from prestige.report.biology.genes import enrichment_sentences

GENES = [f"G{i}" for i in range(300)]


def sets_of(**genes: list[str]) -> dict[str, GeneSet]:
    return {name: GeneSet(name, tuple(one), "test") for name, one in genes.items()}


def random_sets(rng: np.random.Generator, n: int) -> dict[str, GeneSet]:
    return sets_of(**{f"R{k}": list(rng.choice(GENES, rng.integers(5, 40), replace=False)) for k in range(n)})


def test_planted_sets_are_found_on_their_sides() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(0.2, 0.1, 300)
    scores[:20] += 0.15
    scores[20:40] -= 0.15
    sets = sets_of(good=GENES[:20], bad=GENES[20:40]) | random_sets(rng, 50)
    found = enrichment(scores, GENES, sets)
    assert (found.table.index[0], found.table.index[-1]) == ("good", "bad")
    assert found.table.loc[["good", "bad"], "p_adjusted"].max() < 1e-3
    assert found.table.loc["good", "mean_inside"] == pytest.approx(scores[:20].mean(), abs=1e-9)
    assert found.table.loc["good", "mean_outside"] == pytest.approx(scores[20:].mean(), abs=1e-9)
    told = enrichment_sentences(found)
    assert "etter predicted than the rest of the panel: good" in told[0]
    assert "worse predicted than the rest of the panel: bad" in told[0]
    assert told[-1] == CAVEAT


def test_t_and_p_are_those_of_a_t_test_on_normal_scores() -> None:
    rng = np.random.default_rng(1)
    scores = rng.exponential(size=300)
    found = enrichment(scores, GENES, sets_of(one=GENES[:30], two=GENES[100:180])).table
    ranked = ndtri((scores.argsort().argsort() + 0.5) / 300)
    wanted = ttest_ind(ranked[:30], ranked[30:])
    assert found.loc["one", "t"] == pytest.approx(wanted.statistic, rel=1e-6, abs=1e-9)
    assert found.loc["one", "p"] == pytest.approx(wanted.pvalue, rel=1e-6)
    # Adjusted p values are decoupler's, which keeps them in single precision.
    table = pd.DataFrame(ranked[None], columns=GENES, index=["s"])
    theirs: Any = decoupler.mt.ulm(table, network({"one": GENES[:30], "two": GENES[100:180]}), empty=False)
    assert found.loc[["one", "two"], "p_adjusted"].to_numpy() == pytest.approx(theirs[1].iloc[0], rel=1e-5)


def test_p_values_of_random_sets_are_uniform() -> None:
    rng = np.random.default_rng(2)
    p = [enrichment(rng.exponential(size=300), GENES, random_sets(rng, 10)).table["p"] for _ in range(60)]
    assert kstest(np.concatenate(p), "uniform").pvalue > 1e-3


def test_what_follows_expression_is_explained_by_it() -> None:
    rng = np.random.default_rng(3)
    expression = rng.normal(size=300)
    expression[:30] += 1.5  # a set of highly expressed genes, predicted no better than others like them
    scores = 0.1 * expression + rng.normal(0, 0.05, 300)
    scores[30:60] += 0.1  # and one that is
    sets = sets_of(expressed=GENES[:30], good=GENES[30:60])
    found = enrichment(scores, GENES, sets, covariates={"mean expression": expression})
    assert found.table.loc["expressed", "p"] < 1e-3
    assert found.table.loc["expressed", "p_residual"] > 0.01
    assert found.table.loc["good", "p_residual"] < 1e-6
    assert found.explained > 0.5
    told = enrichment_sentences(found)
    assert told[1].startswith("Mean expression explains")
    assert (
        "Beyond what mean expression explains, better predicted than the rest of the panel: good" in told[2]
    )


def _ordinary(values: np.ndarray, columns: list[np.ndarray]) -> tuple[float, float]:
    """Return t and p of the last column in a regression on all of them and a constant."""
    design = np.stack([np.ones(len(values)), *columns], axis=1)
    slope = np.linalg.lstsq(design, values, rcond=None)[0]
    free = len(values) - design.shape[1]
    variance = np.square(values - design @ slope).sum() / free
    t = slope[-1] / np.sqrt(variance * np.linalg.inv(design.T @ design)[-1, -1])
    return float(t), float(2 * student.sf(abs(t), free))


def test_beside_covariates_it_is_the_regression_on_all_columns() -> None:
    rng = np.random.default_rng(4)
    given = {"mean expression": rng.normal(size=60), "ceiling": rng.uniform(size=60)}
    given["ceiling"] += 0.2 * given["mean expression"]
    # Who is a member goes with expression: to leave it as it is gives another t.
    inside = np.argsort(given["mean expression"] + 0.5 * rng.normal(size=60))[-15:]
    scores = given["mean expression"] + rng.normal(size=60)
    sets = sets_of(high=[GENES[i] for i in inside], other=GENES[:12])
    found = enrichment(scores, GENES[:60], sets, covariates=given).table
    ranked, *normal = (ndtri((rankdata(values) - 0.5) / 60) for values in (scores, *given.values()))
    columns = [*normal, *(np.square(one) for one in normal)]
    for name, one in sets.items():
        member = np.isin(GENES[:60], one.genes).astype(float)
        t, p = _ordinary(ranked, [*columns, member])
        assert found.loc[name, "t_residual"] == pytest.approx(t, rel=1e-9, abs=1e-9)
        assert found.loc[name, "p_residual"] == pytest.approx(p, rel=1e-9)


def test_membership_that_covariates_tell_has_no_effect_of_its_own() -> None:
    rng = np.random.default_rng(5)
    inside = np.zeros(300)
    inside[:30] = 1.0  # the covariate is the membership
    sets = sets_of(told=GENES[:30], other=GENES[100:150])
    found = enrichment(rng.normal(size=300), GENES, sets, covariates={"ceiling": inside})
    assert found.table.loc["told", ["t_residual", "p_residual", "p_adjusted_residual"]].isna().all()
    assert 0 <= found.table.loc["other", "p_residual"] <= 1
    assert found.table.loc["other", "p_adjusted_residual"] == found.table.loc["other", "p_residual"]


def test_scores_that_covariates_explain_say_nothing_beyond() -> None:
    scores = np.arange(300.0)
    found = enrichment(scores, GENES, sets_of(one=GENES[:30]), covariates={"ceiling": scores})
    assert found.explained == pytest.approx(1.0)
    assert found.table["t_residual"].isna().all()


def test_genes_without_a_score_are_left_out_and_named() -> None:
    scores = np.arange(300.0)
    scores[[3, 7]] = np.nan
    ceiling = np.ones(300)
    ceiling[9] = np.inf
    found = enrichment(scores, GENES, sets_of(one=GENES[:10]), covariates={"ceiling": ceiling})
    assert found.left_out == ("G3", "G7", "G9")
    assert (found.n_genes, found.table.loc["one", "n_genes"]) == (297, 7)


def test_equal_scores_and_small_sets_say_nothing() -> None:
    found = enrichment(np.ones(300), GENES, sets_of(one=GENES[:10], few=GENES[:3], all=GENES))
    assert found.table["t"].isna().all()
    assert len(found.too_small) == 2
    assert "none of 1 gene sets is told" in enrichment_sentences(found)[0].lower()
    assert enrichment_sentences(enrichment(np.arange(300.0), GENES, {}))[0].startswith("No gene set")


def test_bad_input() -> None:
    with pytest.raises(DataError, match="299 values of 'scores' for 300 genes"):
        enrichment(np.zeros(299), GENES, {})
    with pytest.raises(DataError, match="2 values of 'ceiling'"):
        enrichment(np.zeros(300), GENES, {}, covariates={"ceiling": np.zeros(2)})
    with pytest.raises(DataError, match="no gene has a score"):
        enrichment(np.full(300, np.nan), GENES, {})

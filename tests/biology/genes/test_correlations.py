"""Which genes go together: on tissue of known modules, and for predictions that have them or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.biology.genes.correlations import correlation, gene_correlations
from prestige.biology.noise import draw
from prestige.biology.pair import Pair
from prestige.errors import DataError
from prestige.report.biology.genes import correlation_sentences

N, G = 3000, 24
SETS = {
    "first": [f"G{i}" for i in range(8)],
    "second": [f"G{i}" for i in range(8, 16)],
    "few": ["G1", "X", "G2"],
}
Make = Callable[..., Pair]


@pytest.fixture(scope="module", params=[60.0, 600.0], ids=["shallow", "deep"])
def pair(request: pytest.FixtureRequest, make_pair: Make) -> Pair:
    """Genes 0 to 7 and 8 to 15 follow a factor each, the rest nothing; depth varies."""
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((N, 2))
    rate = np.zeros((N, G))
    rate[:, :8] = 0.8 * factor[:, :1]
    rate[:, 8:16] = 0.8 * factor[:, 1:]
    depth = request.param * np.exp(rng.normal(0, 0.3, (N, 1)))
    return make_pair(depth * np.exp(rate) / np.exp(rate).sum(axis=1, keepdims=True), np.zeros((N, 2)))


def row(pair: Pair, name: str = "all genes") -> dict[str, float]:
    table = gene_correlations(pair, SETS).table.set_index("set")
    return {str(key): float(value) for key, value in table.loc[name].items()}


def test_the_true_mean_agrees_as_the_other_half_does(pair: Pair) -> None:
    for name in ("all genes", "first"):
        found = row(pair, name)
        assert found["strength_predicted"] == pytest.approx(found["strength_measured"], rel=0.1)
        assert found["strength_predicted_half"] == pytest.approx(found["strength_half"], rel=0.1)
    found = row(pair)
    assert found["agreement_half"] == pytest.approx(found["agreement_halves"], abs=0.03)
    assert found["agreement_half"] > 0.8
    assert found["agreement_depth"] < 0.5
    assert found["n_pairs"] == G * (G - 1) / 2


def test_a_constant_prediction_agrees_as_depth_alone_does(pair: Pair) -> None:
    share = np.asarray(pair.counts.sum(axis=0)).ravel() / pair.totals.sum()
    constant = np.broadcast_to(np.log1p(100 * share).astype(np.float32), pair.predicted.shape)
    found = row(replace(pair, predicted=constant))
    assert found["agreement_half"] == pytest.approx(found["agreement_depth"], abs=0.12)
    assert found["strength_predicted"] < 0.4 * found["strength_measured"]


def test_a_prediction_that_lacks_a_module_is_seen_within_that_set(pair: Pair) -> None:
    values = pair.predicted.copy()
    values[:, 8:16] = values[np.random.default_rng(1).permutation(N)][:, 8:16].mean(axis=0)
    found = replace(pair, predicted=values)
    kept, lost = row(found, "first"), row(found, "second")
    assert kept["strength_predicted"] == pytest.approx(kept["strength_measured"], rel=0.15)
    assert lost["strength_predicted"] < 0.5 * lost["strength_measured"]


def test_sentences_name_sets_and_those_too_small(pair: Pair) -> None:
    found = gene_correlations(pair, SETS, draw(pair, 2))
    assert found.too_small == ("few",)
    told = correlation_sentences(found)
    assert len(told) == 4
    assert "24 genes of all genes" in told[0]
    assert "the set 'first'" in told[1]
    assert "fewer than 5" in told[3]
    assert found.measured.shape == (G, G)
    np.testing.assert_allclose(found.measured, np.corrcoef(pair.measured.T), atol=1e-5)


def test_of_many_sets_the_ten_farthest_from_the_halves_are_told(pair: Pair) -> None:
    rng = np.random.default_rng(0)
    sets = {f"set {i:02d}": tuple(rng.choice(pair.genes, 6, replace=False)) for i in range(13)}
    sets |= {f"few {i}": pair.genes[:2] for i in range(11)}
    found = gene_correlations(pair, sets, draw(pair, 2))
    told = correlation_sentences(found)
    assert len(told) == 1 + 10 + 1 + 10 + 1
    away = {
        row["set"]: abs(row["agreement_half"] - row["agreement_halves"]) for _, row in found.table.iterrows()
    }
    del away["all genes"]
    far = sorted(sorted(away, key=lambda name: -away[name])[:10])
    assert [text.split("'")[1] for text in told[1:11]] == far
    assert told[11].startswith("3 more sets")
    assert told[-1].startswith("1 more sets have fewer than 5")
    assert len(found.table) == 14


@given(shift=st.floats(-1e3, 1e3), seed=st.integers(0, 1000))
def test_correlation_is_within_samples(shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((60, 3))
    of = np.repeat(["a", "b"], [25, 35])
    centred = x.copy()
    for name in ("a", "b"):
        centred[of == name] -= centred[of == name].mean(axis=0)
    moved = x + np.where(of == "a", shift, 0.0)[:, None]
    np.testing.assert_allclose(correlation(moved, of), np.corrcoef(centred.T), atol=1e-6)


def test_constant_genes_have_none() -> None:
    x = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    x[:, 1] = 0.7
    found = correlation(x, np.full(50, "s"))
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 1]).all()
    assert np.isfinite(found[np.ix_([0, 2], [0, 2])]).all()


def test_what_is_not_defined_is_said(make_pair: Make) -> None:
    rng = np.random.default_rng(0)
    pair = make_pair(
        np.concatenate([np.full((40, 1), 50.0), np.zeros((40, 5))], axis=1), rng.uniform(0, 9, (40, 2))
    )
    found = gene_correlations(pair)
    assert found.table["n_pairs"][0] == 0
    assert "not defined" in correlation_sentences(found)[0]
    with pytest.raises(DataError, match="2 genes"):
        gene_correlations(pair.of_genes(["G0", "G1"]))

"""Sets scored in one pair agree with what is worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.analysis.gene_sets.of_pair import pair_set_scores
from prestige.biology.agreement import mean_agreement
from prestige.biology.pair import Pair
from prestige.biology.study import Study, study
from prestige.genesets import GeneSet, GeneSetConfig

from ...small_study import patients_study

GENES = tuple(f"G{i}" for i in range(120))
GOOD = GENES[:8]


@pytest.fixture(scope="module")
def found() -> Study:
    rng = np.random.default_rng(0)
    n = 1500
    signal = rng.normal(size=(n, 120))
    mean = np.exp(1.0 + 0.5 * signal)
    counts = rng.poisson(mean).astype(np.float32)
    noise = np.where(np.isin(GENES, GOOD), 0.2, 3.0)
    predicted = np.log1p(100 * mean / mean.sum(axis=1, keepdims=True)) + 0.2 * noise * rng.normal(
        size=(n, 120)
    )
    pair = Pair(
        genes=GENES,
        counts=csr_matrix(counts),
        totals=counts.sum(axis=1).astype(np.float64),
        predicted=predicted.astype(np.float32),
        xy_um=rng.uniform(0, 600, size=(n, 2)),
        sample_of=np.full(n, "s"),
        obs=pd.DataFrame(index=[f"c{i}" for i in range(n)]),
    )
    sets = {"good": GeneSet("good", GOOD, "t"), "small": GeneSet("small", GENES[:3], "t")}
    return study(pair, {**sets, "all": GeneSet("all", GENES, "t")}, block_um=100.0)


def test_a_set_has_its_mean_and_its_excess_over_random_sets(found: Study) -> None:
    scores, key = pair_set_scores(found, GeneSetConfig(draws=200))
    assert list(scores.sets) == ["good"]  # three genes are too few, and the panel itself is no set
    mean = scores.of(key, "all", "pearson", "mean")["good"]
    by_hand = [np.corrcoef(found.pair.predicted[:, i], found.pair.measured[:, i])[0, 1] for i in range(120)]
    assert mean.value == pytest.approx(np.mean(by_hand[:8]), abs=1e-5)
    assert mean.low < mean.value < mean.high
    excess = scores.of(key, "matched", "pearson", "excess")["good"]
    assert excess.value == pytest.approx(np.mean(by_hand[:8]) - np.mean(by_hand[8:]), abs=0.05)
    assert excess.low > 0
    assert key.label.startswith("the prediction")


def test_with_many_patients_intervals_of_sets_are_over_patients() -> None:
    study = patients_study()
    scores, key = pair_set_scores(study, GeneSetConfig(draws=100))
    found = scores.of(key, "all", "pearson", "mean")["others"]
    moments, patient_of = study.evaluation.moments, {f"S {i}": f"S {i}" for i in range(12)}
    over_patients = mean_agreement(moments, found_genes := scores.sets["others"].genes, patient_of=patient_of)
    over_blocks = mean_agreement(moments, found_genes)
    assert (found.low, found.high) == pytest.approx((over_patients.low, over_patients.high), abs=1e-9)
    assert found.low != pytest.approx(over_blocks.low, abs=1e-4)

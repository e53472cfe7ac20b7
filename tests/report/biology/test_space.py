"""Sentences on what was found in space: the verdicts, the region, and what is left out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from prestige.biology.space.domains import Domains
from prestige.biology.space.neighbourhoods import Neighbourhoods
from prestige.biology.space.regions import Region
from prestige.report.biology.space import (
    domain_sentences,
    gradient_sentences,
    neighbourhood_sentences,
    region_sentences,
    structure_sentences,
)

from ...small_study import full_study


def test_what_is_undecided_is_said() -> None:
    found = full_study().structure
    assert found is not None
    smoothing = replace(found.smoothing, length_um=9.0, low_um=3.0, high_um=20.0, n_genes=5, n_blocks=8)
    told = structure_sentences(replace(found, smoothing=smoothing, verdict="undecided"))[0]
    assert told.startswith(
        "Whether the prediction is over-smoothed cannot be told: it is as smooth as under a "
    )
    assert "Gaussian kernel of 9 um (90 % interval 3 to 20 um, 5 genes)" in told
    few = replace(smoothing, low_um=math.nan)
    told = structure_sentences(replace(found, smoothing=few, verdict="undecided"))[0]
    assert "9 um (5 genes; no interval: 8 blocks of tissue are too few)" in told


def test_an_index_has_its_interval() -> None:
    found = Domains(
        np.zeros(2, dtype=int), np.arange(2), 0.5, 0.25, 0.75, 0.0, 0.125, 4, intervals={"ari": (0.4, 0.6)}
    )
    (told,) = domain_sentences(found)
    assert told.startswith("Tissue domains (4 clusters of neighbourhoods, each side clustered by itself): ")
    assert "half of the measurement 0.25, of the" in told
    assert "halves of the measurement 0.75, of depth alone 0.12" in told
    assert "shuffled predictions 0.00; at the observed depth 0.50 (0.40 to 0.60)." in told
    flat = replace(found, predicted=np.zeros(2, dtype=int), left_out=("S",))
    assert domain_sentences(flat) == [
        "The prediction has no domains: all observations are alike.",
        "Left out of tissue domains, with fewer than 20 observations: sample S.",
    ]


def test_a_region_says_where_it_comes_from() -> None:
    inside = np.array([True, False, False])
    nowhere = np.zeros(3)
    region = Region(
        inside, np.array([0, -1, -1]), ~inside, nowhere, nowhere, 1, 10.0, ("A", "B"), "high A, B"
    )
    region = replace(region, half_seed=0, left_out=("S",), least=9)
    assert region_sentences(region) == [
        "Region by high A, B: 1 components, 1 observations inside, 2 strays. The genes A, B define it and "
        "are not tested. It is read from one half of the counts.",
        "Left out of the region, with fewer than 9 observations: sample S.",
    ]
    found = full_study().gradients
    assert found is not None
    assert gradient_sentences(replace(found, region=region))[0].endswith(
        "sample S. Genes are tested on the other half."
    )
    nothing = replace(found, table=found.table.assign(p_adjusted_measured=1.0, p_adjusted_noisy=0.01))
    assert gradient_sentences(nothing)[1:] == [
        "No measured gene is found to change within 100 um of the boundary.",
        f"{len(found.table)} genes change in the prediction alone.",
    ]


def test_neighbourhoods_without_an_agreement_have_no_sentence() -> None:
    agreement = pd.DataFrame({"predicted": [0.5, np.nan], "half": [0.75, np.nan], "n_genes": [9, 2]})
    agreement.index = pd.Index(["boundary", "centre"])
    found = Neighbourhoods(pd.DataFrame(), pd.DataFrame(), agreement, 50.0, 150.0)
    assert neighbourhood_sentences(found) == [
        "Which of 9 genes are high towards the boundary (enrichment index): correlation 0.50 of predicted "
        "with measured, half against half of the counts 0.75; no interval is known."
    ]

"""Sentences on what was found of genes: names that are cut short, units that are no patients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from prestige.biology.genes.correlations import GeneCorrelations
from prestige.biology.genes.enrichment import CAVEAT, Enrichment
from prestige.report.biology.genes import (
    activity_sentences,
    condition_sentences,
    correlation_sentences,
    enrichment_sentences,
    type_sentences,
)

from ...small_study import full_study


def test_of_many_sets_five_are_named_and_the_others_counted() -> None:
    names = [f"S{number}" for number in range(8)]
    table = pd.DataFrame(
        {"t": np.arange(8.0, 0.0, -1.0), "p_adjusted": 0.01}, index=pd.Index(names, name="set")
    )
    table.loc["S7", "t"] = -1.0
    found = Enrichment(table, 30, (), (), float("nan"), ())
    assert enrichment_sentences(found) == [
        "Better predicted than the rest of the panel: S0, S1, S2, S3, S4 and 2 more; worse predicted than "
        "the rest of the panel: S7.",
        CAVEAT,
    ]
    none = replace(found, table=table.assign(p_adjusted=0.5))
    assert enrichment_sentences(none)[0] == "None of 8 gene sets is told from the rest of the panel."


def test_covariates_have_their_sentence_and_what_lies_beyond_them() -> None:
    row = {"t": 1.0, "p_adjusted": 0.5, "t_residual": 3.0, "p_adjusted_residual": 0.01}
    table = pd.DataFrame([row], index=pd.Index(["S"], name="set"))
    told = enrichment_sentences(Enrichment(table, 30, (), (), 0.256, ("mean expression", "ceiling")))
    assert told[1] == "Mean expression and ceiling explain 26% of the order of the genes' scores."
    assert told[2].startswith("Beyond what mean expression and ceiling explain, better predicted than ")


def test_correlations_that_are_not_defined_are_said() -> None:
    row = {"set": "all genes", "n_genes": 4, "agreement_half": np.nan, "agreement_halves": 0.5}
    found = GeneCorrelations(np.eye(4), np.eye(4), pd.DataFrame([row]), ("S",))
    assert correlation_sentences(found) == [
        "Correlations between the 4 genes of all genes are not defined: too few vary.",
        "The set 'S' has fewer than 5 of these genes: no correlations within it.",
    ]


@pytest.mark.parametrize(
    ("patients", "unit", "told"),
    [
        (None, "one", "no column names the patients"),
        (
            (3, 3, 2),
            "pairs",
            "2 patients have both, and differences are taken within patients; those of 2 with",
        ),
        ((3, 2, 1), "groups", "3 patients have no and 2 have yes, 1 of them the same."),
        ((1, 1, 1), "one", "one patient has both, so they are differences within this patient"),
        ((1, 1, 0), "one", "1 and 1 patients: they cannot be told from differences between these patients"),
    ],
)
def test_what_the_differences_rest_on(patients: tuple[int, int, int] | None, unit: str, told: str) -> None:
    found = full_study().conditions
    assert found is not None
    assert told in condition_sentences(replace(found, patients=patients, unit=unit))[0]


def test_numbers_are_those_of_the_parts() -> None:
    study = full_study()
    assert study.activity is not None
    assert study.cell_types is not None
    mean = study.activity.means["halves"]
    assert (
        f"reaches {mean.value:.2f} ({mean.low:.2f} to {mean.high:.2f})."
        in activity_sentences(study.activity)[0]
    )
    types = study.cell_types
    assert (
        f"the prediction as it is {types.same['predicted']:.0%} (kappa {types.kappa['predicted']:.2f}, "
        in (type_sentences(types)[1])
    )

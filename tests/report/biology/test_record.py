"""The record for programs: JSON that holds every sentence, and numbers as the parts have them."""

from __future__ import annotations

import json
import math

import pytest

from prestige.report.biology.record import SCHEMA, numbers, record
from prestige.report.biology.words import sentences, verdict_of

from ...small_study import bare_study, blurred_study, flat_study, full_study


@pytest.mark.parametrize("made", [full_study, bare_study, blurred_study, flat_study])
def test_the_record_is_json_and_holds_every_sentence(made) -> None:
    study = made()
    found = record(study, title="t", subtitle="s", notes=["n"], set_facts={})
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again["schema"] == SCHEMA == "prestige.biology/1"
    assert again["verdict"] == verdict_of(study)
    assert {part: told for part, told in again["sentences"].items() if part != "scores"} == sentences(study)
    assert again["n_observations"] == len(study.pair)
    assert again["skipped"] == dict(study.skipped)


def test_numbers_are_those_of_the_parts() -> None:
    study = full_study()
    found = numbers(study)
    assert found["domains"]["ari"] == study.domains.ari
    assert found["structure"]["smoothing_length_um"][0] == study.structure.smoothing.length_um
    assert found["activity"]["halves"][0] == study.activity.means["halves"].value
    assert found["cell_types"]["kappa"]["predicted"] == study.cell_types.kappa["predicted"]
    assert found["conditions"]["noisy"]["top"] == study.conditions.kept["noisy"].top
    assert found["correlations"]["all genes"]["agreement_half"] == pytest.approx(
        study.correlations.table["agreement_half"].iloc[0], abs=1e-9
    )
    assert found["gradients"]["n_tested"] == len(study.gradients.table)
    assert math.isfinite(found["scores"]["mean_pearson"][0])

"""Findings, tiles and the record: the verdict first, every number as it was found."""

from __future__ import annotations

import json
import math

import pytest

from prestige.report.biology_words import (
    SCHEMA,
    findings,
    numbers,
    record,
    scores_sentence,
    tiles,
    verdict_of,
    with_units,
)

from .small_study import GENES, bare_study, blurred_study, flat_study, full_study


def test_micrometres() -> None:
    assert (
        with_units("a kernel of 12 um (3 to 4 um); umami 5 umx")
        == "a kernel of 12 µm (3 to 4 µm); umami 5 umx"
    )


def test_the_structure_comes_first_and_each_part_has_one_sentence() -> None:
    study = full_study()
    told = findings(study, "Beside each set stand random sets. Predicted better: podocyte.")
    assert [what for what, _ in told] == [
        "structure in space", "scores", "gene sets", "correlations between genes", "tissue domains",
        "pathway activity", "well and badly predicted genes", "cell types", "differences between conditions",
        "around a region",
    ]  # fmt: skip
    said = dict(told)
    assert said["structure in space"] == study.structure.sentences()[0]
    assert said["gene sets"] == "Predicted better: podocyte."
    assert said["differences between conditions"] == study.conditions.sentences()[1]
    assert said["around a region"] == study.gradients.sentences()[1]
    assert "gene sets" not in dict(findings(study))


def test_a_part_that_is_skipped_says_why() -> None:
    said = dict(findings(bare_study()))
    assert said["structure in space"].startswith("Nothing is said of structure in space: ")
    assert verdict_of(bare_study()) == "not judged"


def test_scores_have_an_interval_or_a_reason() -> None:
    assert scores_sentence(full_study()).startswith(f"Mean Pearson of {len(GENES)} genes over observations")
    assert "no interval" in scores_sentence(bare_study())


def test_tiles_stand_beside_what_the_halves_reach() -> None:
    study = full_study()
    shown = {tile["name"]: tile for tile in tiles(study)}
    assert shown["structure in space"]["value"] == study.structure.verdict.capitalize()
    domains = shown["domains (ARI) at half the depth"]
    assert domains["value"] == f"{study.domains.ari_half:.2f}"
    assert domains["note"] == (
        f"halves of the measurement reach {study.domains.ari_halves:.2f}, "
        f"depth alone {study.domains.ari_depth:.2f}"
    )
    kept = study.conditions.kept
    changes = shown["largest differences kept"]
    assert changes["value"] == f"{kept['predicted'].kept:.0f} of {kept['predicted'].top}"
    assert changes["note"] == (
        f"as predicted; by chance {kept['predicted'].by_chance:.1f}, depth alone {kept['depth'].kept:.0f}"
    )
    assert shown["structure in space"]["mark"] == ""


def test_over_smoothing_is_marked() -> None:
    study = blurred_study()
    assert verdict_of(study) == "over-smoothed"
    assert tiles(study)[0]["mark"] == "warn"


@pytest.mark.parametrize("made", [full_study, bare_study, blurred_study, flat_study])
def test_the_record_is_json_and_holds_every_sentence(made) -> None:
    study = made()
    found = record(study, title="t", subtitle="s", notes=["n"], set_facts={})
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again["schema"] == SCHEMA == "prestige.biology/1"
    assert again["verdict"] == verdict_of(study)
    assert {part: told for part, told in again["sentences"].items() if part != "scores"} == study.sentences()
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
        study.correlations.table["agreement_half"].iloc[0]
    )
    assert found["gradients"]["n_tested"] == len(study.gradients.table)
    assert math.isfinite(found["scores"]["mean_pearson"][0])

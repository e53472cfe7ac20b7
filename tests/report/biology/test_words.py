"""Findings, tiles and the record: the verdict first, every number as it was found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from prestige.report.biology.words import (
    findings,
    interval_note,
    scores_sentence,
    sentences,
    tiles,
    title_of,
    verdict_of,
)

from ...small_study import GENES, bare_study, blurred_study, flat_study, full_study, patients_study


def test_the_structure_comes_first_and_each_part_has_one_sentence() -> None:
    study = full_study()
    told = findings(study, "Beside each set stand random sets. Predicted better: podocyte.")
    assert [what for what, _ in told] == [
        "structure in space", "scores", "gene sets", "correlations between genes", "tissue domains",
        "pathway activity", "well and badly predicted genes", "cell types", "differences between conditions",
        "around a region",
    ]  # fmt: skip
    said = dict(told)
    assert said["structure in space"] == sentences(study)["structure"][0]
    assert said["gene sets"] == "Predicted better: podocyte."
    assert said["differences between conditions"] == sentences(study)["conditions"][1]
    assert said["around a region"] == sentences(study)["gradients"][1]
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


def test_constant_predictions_are_named_and_the_measurement_is_not_blamed() -> None:
    study = flat_study()
    assert scores_sentence(study) == (
        f"The prediction is constant in every section, for all {len(GENES)} genes that vary in the "
        "measurement: their Pearson is not defined and counts 0."
    )
    tile = next(tile for tile in tiles(study) if tile["name"] == "genes, mean Pearson")
    assert (tile["value"], tile["note"]) == ("0.00", "constant predictions count 0")


def test_genes_that_are_constant_in_one_section_are_counted() -> None:
    full = full_study()
    sums = full.evaluation.moments
    p, pp, pt = sums.sum_p.copy(), sums.sum_pp.copy(), sums.sum_pt.copy()
    here = sums.sample == "S 0"
    p[here, :2] = pp[here, :2] = sums.n[here, None]  # two genes are predicted as 1 in the first section
    pt[here, :2] = sums.sum_t[here, :2]
    some = replace(full.evaluation, moments=replace(sums, sum_p=p, sum_pp=pp, sum_pt=pt))
    told = scores_sentence(replace(full, evaluation=some))
    assert told.startswith(f"Mean Pearson of {len(GENES)} genes")
    assert told.endswith("The prediction of 2 of them is constant in a section or more, and counts 0 there.")
    nothing = np.zeros_like(p)
    none = replace(full.evaluation, moments=replace(sums, sum_t=nothing, sum_tt=nothing, sum_pt=nothing))
    assert "nothing varies in the measurement" in scores_sentence(replace(full, evaluation=none))


def test_with_many_patients_all_intervals_are_over_patients() -> None:
    study = patients_study()
    assert "12 patients resampled" in interval_note(study)
    for part in (study.activity, study.cell_types):
        assert all("12 patients resampled" in mean.note for mean in part.means.values())
    assert "spatial blocks of 2 sections" in interval_note(full_study())


def test_the_region_has_its_name() -> None:
    study = replace(full_study(), region_name="the glomeruli")
    assert dict(findings(study))["around the glomeruli"] == sentences(study)["gradients"][1]
    assert title_of("gradients", study) == "Around the glomeruli"
    assert title_of("gradients", full_study()) == "Around the region"
    told = sentences(study)["gradients"]
    assert told[0].startswith("The glomeruli, by annotation 'glomerulus': 4 components")
    assert "random shifts of the glomeruli" in told[1]
    assert "the region" not in " ".join(told)

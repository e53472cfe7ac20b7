"""Every kind of leak is planted and found; clean data has none."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix

from prestige.data.slides.slide import Slide
from prestige.data.split.audit import Audit, audit_split
from prestige.data.split.findings import FINDINGS
from prestige.data.split.folds import TEST, TRAIN, UNUSED, VALIDATION, Fold, SplitConfig, make_folds
from prestige.errors import ConfigError, SplitError
from prestige.settings import build

BY_PATIENT = SplitConfig(by="patient", folds=3, run_folds=(0,), buffer_um=16)
PATCH_UM = 16.0
GENES = [f"g{i}" for i in range(30)]


def slide(seed: int, height: int = 200, width: int = 300) -> Slide:
    rng = np.random.default_rng([seed, 9])
    smooth = gaussian_filter(rng.normal(size=(height, width, 3)), (9, 9, 0))
    pixels = ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)
    return Slide(pixels, 0.5, False, f"slide {seed}")


def sections(make_sample, n: int = 6, *, per_patient: int = 1, seed: int = 0) -> list:
    """Sections of their own images and counts."""
    samples = []
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        samples.append(
            make_sample(
                f"S{i}",
                rng.uniform(20, [280, 180], (300, 2)),
                patient=f"P{i // per_patient}",
                counts=rng.poisson(rng.uniform(1, 4, 30), (300, 30)),
                genes=GENES,
                slide=slide(100 * seed + i),
            )
        )
    return samples


def audit(samples: Sequence, config: SplitConfig = BY_PATIENT, folds: Sequence[Fold] | None = None) -> Audit:
    folds = folds or make_folds(samples, config, largest_patch_um=PATCH_UM)
    return audit_split(samples, folds, config, largest_patch_um=PATCH_UM)


def names(found: Audit) -> set[str]:
    return {one.name for one in found.findings}


def sides_of(samples: Sequence, sides: Sequence[int], **changes) -> list[Fold]:
    """Return a fold that puts each sample whole on a side."""
    given = {s.id: np.full(s.n_obs, side, np.int8) for s, side in zip(samples, sides, strict=True)}
    return [Fold(0, "made", given | changes, {})]


@settings(max_examples=10)
@given(seed=st.integers(0, 50))
def test_clean_data_has_no_finding(make_sample, seed: int) -> None:
    found = audit(sections(make_sample, seed=seed))
    assert found.findings == ()
    assert found.errors == ()
    found.raise_errors()
    assert found.distances[0]["train and test"] is None  # on different slides
    assert any("15 pairs of images" in line for line in found.checked)


def test_a_patient_on_two_sides(make_sample) -> None:
    samples = sections(make_sample, 4, per_patient=2)
    folds = sides_of(samples, [TRAIN, TEST, TEST, VALIDATION])
    found = audit(samples, folds=folds)
    assert names(found) == {"patient_on_two_sides"}
    assert "P0, P1" in found.errors[0].text
    assert found.errors[0].samples == ("S0", "S1", "S2", "S3")
    with pytest.raises(SplitError, match=r"P0, P1.*allow: \[patient_on_two_sides\]"):
        found.raise_errors()
    by_name = audit(samples, BY_PATIENT.model_copy(update={"within_section": True}), folds)
    assert by_name.errors == ()
    assert by_name.findings[0].accepted == "within_section: true"


def test_blocks_of_training_patients_may_validate(make_sample) -> None:
    """With two patients to train on, blocks of theirs choose and stop: the tested patient is another one."""
    samples = sections(make_sample, 3)
    sides = np.where(samples[0].xy_px[:, 0] < 200, TRAIN, VALIDATION).astype(np.int8)
    sides[np.abs(samples[0].xy_px[:, 0] - 200) < 40] = UNUSED
    assert audit(samples, folds=sides_of(samples, [TRAIN, TRAIN, TEST], S0=sides)).errors == ()


def test_the_same_image_under_two_patients(make_sample) -> None:
    samples = sections(make_sample)
    samples[3] = dataclasses.replace(samples[3], slide=samples[0].slide)
    folds = sides_of(samples, [TRAIN, TRAIN, VALIDATION, TEST, TEST, TRAIN])
    found = audit(samples, folds=folds)
    assert names(found) == {"same_image"}
    assert found.errors[0].samples == ("S0", "S3")


@pytest.mark.parametrize("change", ["mirrored", "turned", "recompressed"])
def test_a_copied_image_that_was_changed(make_sample, change: str) -> None:
    samples = sections(make_sample)
    pixels = samples[0].slide.pixels
    if change == "recompressed":
        noise = np.random.default_rng(0).normal(0, 5, pixels.shape)
        changed = np.clip(pixels * 0.9 + noise, 0, 255).astype(np.uint8)
    else:
        changed = (pixels[:, ::-1] if change == "mirrored" else np.rot90(pixels, 2)).copy()
    samples[3] = dataclasses.replace(samples[3], slide=Slide(changed, 0.5, False, "a copy"))
    found = audit(samples, folds=sides_of(samples, [TRAIN, TRAIN, VALIDATION, TEST, TEST, TRAIN]))
    assert names(found) == {"similar_image"}
    on_one_side = audit(samples, folds=sides_of(samples, [TRAIN, TEST, VALIDATION, TRAIN, TEST, TRAIN]))
    assert names(on_one_side) == set()


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_counts_that_stand_in_two_sections(make_sample, share: float) -> None:
    samples = sections(make_sample)
    counts = samples[3].counts.toarray()
    copied = np.random.default_rng(0).permutation(300)[: int(300 * share)]
    counts[: len(copied)] = samples[0].counts.toarray()[copied]
    samples[3] = dataclasses.replace(samples[3], counts=csr_matrix(counts))
    found = audit(samples, folds=sides_of(samples, [TRAIN, TRAIN, VALIDATION, TEST, TEST, TRAIN]))
    assert names(found) == {"same_counts"}
    assert f"{len(copied)} of 300" in found.errors[0].text


def test_observations_that_stand_twice_in_one_section(make_sample) -> None:
    samples = sections(make_sample, 3)
    counts = samples[0].counts.toarray()
    counts[200:240] = counts[:40]
    samples[0] = dataclasses.replace(samples[0], counts=csr_matrix(counts))
    sides = np.where(np.arange(300) < 150, TRAIN, TEST).astype(np.int8)
    config = BY_PATIENT.model_copy(update={"within_section": True})
    found = audit(samples, config, sides_of(samples, [TRAIN, VALIDATION, TRAIN], S0=sides))
    assert "same_counts" in names(found)
    assert "40 observations of S0" in next(f.text for f in found.findings if f.name == "same_counts")


@pytest.mark.parametrize(
    ("gap_um", "buffer_um", "expected"),
    [
        (4.0, 20.0, "patches_overlap"),
        (15.0, 20.0, "patches_overlap"),
        (17.0, 20.0, "too_near"),
        (21.0, 20.0, None),
    ],
)
def test_sides_that_come_too_near(make_sample, gap_um: float, buffer_um: float, expected: str | None) -> None:
    """Two rows of observations, ``gap_um`` apart: the patches are 16 um wide."""
    x = np.linspace(40, 260, 100)
    places = np.concatenate([np.stack([x, np.full(100, 60.0 + k * gap_um / 0.5)], 1) for k in (0, 1)])
    samples = sections(make_sample, 3)
    samples[0] = make_sample(
        "S0", places, patient="P0", counts=np.random.default_rng(5).poisson(2.0, (200, 30)), slide=slide(0)
    )
    sides = np.repeat([TRAIN, TEST], 100).astype(np.int8)
    config = BY_PATIENT.model_copy(update={"within_section": True, "buffer_um": buffer_um})
    found = audit(samples, config, sides_of(samples, [TRAIN, VALIDATION, TRAIN], S0=sides))
    assert {one.name for one in found.errors} == ({expected} if expected else set())
    assert found.distances[0]["train and test"] == pytest.approx(gap_um)
    if expected:
        assert "100" in found.errors[0].text


def test_folds_of_unlike_composition_are_warned_of(make_sample) -> None:
    samples = sections(make_sample)
    rich = dataclasses.replace(
        samples[3],
        obs=samples[3].obs.assign(total_counts=samples[3].obs["total_counts"] * 5),
        covariates={"condition": "inflamed"},
    )
    samples = [dataclasses.replace(s, covariates={"condition": "healthy"}) for s in samples]
    samples[3] = rich
    folds = sides_of(samples, [TRAIN, TRAIN, VALIDATION, TEST, UNUSED, TRAIN])
    folds[0].sides["S2"][50:] = UNUSED
    found = audit(samples, folds=folds)
    assert names(found) == {"unlike_depth", "unlike_condition", "small_side"}
    assert found.errors == ()
    texts = {one.name: one.text for one in found.findings}
    assert texts["unlike_condition"] == "condition inflamed: 100% of the test side, 0% of the train side"
    assert texts["small_side"] == "50 observations on the validation side"


def test_a_finding_is_allowed_by_its_name_alone(make_sample) -> None:
    samples = sections(make_sample)
    samples[3] = dataclasses.replace(samples[3], slide=samples[0].slide, counts=samples[1].counts)
    folds = sides_of(samples, [TRAIN, TRAIN, VALIDATION, TEST, TEST, TRAIN])
    assert {one.name for one in audit(samples, folds=folds).errors} == {"same_image", "same_counts"}
    allowed = audit(samples, BY_PATIENT.model_copy(update={"allow": ("same_image",)}), folds)
    assert {one.name for one in allowed.errors} == {"same_counts"}
    assert {one.name: one.accepted for one in allowed.findings} == {
        "same_image": "allow",
        "same_counts": None,
    }


def test_what_every_fold_repeats_is_told_once(make_sample) -> None:
    samples = sections(make_sample, 3, per_patient=1)
    fold = sides_of(samples, [TRAIN, VALIDATION, TEST])[0]
    fold.sides["S1"][20:] = UNUSED
    found = audit(samples, folds=[fold, dataclasses.replace(fold, index=1)])
    assert [(one.name, one.fold) for one in found.findings] == [("small_side", None)]


def test_an_unknown_finding_is_refused_with_the_nearest_name() -> None:
    raw = {"by": "patient", "buffer_um": 10, "allow": ["same_imag"]}
    with pytest.raises(ConfigError, match="did you mean 'same_image'"):
        build(SplitConfig, raw, where="bench.yaml")
    for name in FINDINGS:
        assert build(SplitConfig, raw | {"allow": [name]}, where="bench.yaml").allow == (name,)


def test_an_audit_is_ready_for_json(make_sample) -> None:
    import json

    samples = sections(make_sample, 4, per_patient=2)
    found = audit(samples, folds=sides_of(samples, [TRAIN, TEST, TEST, VALIDATION]))
    raw = json.loads(json.dumps(found.to_json()))
    assert raw["findings"][0]["name"] == "patient_on_two_sides"
    assert raw["distances"][0]["fold"] == 0

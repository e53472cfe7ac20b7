"""Properties every split has, checked by brute force on random sections."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from prestige.data.panel import PanelConfig, fit_panel
from prestige.data.split.folds import TEST, TRAIN, UNUSED, VALIDATION, Fold, SplitConfig, make_folds
from prestige.errors import SplitError

BLOCKS = SplitConfig(by="blocks", folds=3, block_um=28, buffer_um=8, within_section=True)
COLUMN = SplitConfig(
    by="column", column="group", train=(0,), test=(1,), block_um=28, buffer_um=8, within_section=True
)
PATIENT = SplitConfig(by="patient", folds=3, buffer_um=8, block_um=28)


def sections(make_sample, seed: int, patients: int = 4, n: int = 160) -> list:
    """Sections of 150 x 100 um with groups in bands, some unmeasured and some nearly empty."""
    rng = np.random.default_rng(seed)
    samples = []
    for i in range(patients):
        xy = rng.uniform(0, [299, 199], (n, 2))
        samples.append(
            make_sample(
                f"s{i}",
                xy,
                patient=f"p{i}",
                measured=rng.random(n) > 0.1,
                counts=rng.poisson(1.0, (n, 4)),
                seed=i,
                group=np.where(xy[:, 0] < 190, 0, np.where(xy[:, 0] < 280, 1, 2)),
            )
        )
    return samples


def check(samples, config: SplitConfig, fold: Fold, patch_um: float) -> None:
    total = 0
    for sample in samples:
        side, xy = fold.sides[sample.id], sample.xy_um
        assert side.dtype == np.int8
        assert set(side.tolist()) <= {TRAIN, VALIDATION, TEST, UNUSED}
        used = side != UNUSED
        assert sample.measured[used].all()
        assert (sample.obs["total_counts"].to_numpy()[used] >= config.min_counts).all()
        half = patch_um / 2 / sample.um_per_px
        place = sample.xy_px[used]
        assert (place >= half - 1).all()
        assert (place <= np.array([sample.slide.width_px, sample.slide.height_px]) - half).all()
        for a, b in ((TRAIN, VALIDATION), (TRAIN, TEST), (VALIDATION, TEST)):
            one, other = xy[side == a], xy[side == b]
            if len(one) and len(other):
                distance = np.abs(one[:, None] - other[None]).max(axis=2).min()
                assert distance >= config.buffer_um
        total += int((~used).sum())
    assert sum(fold.dropped.values()) == total
    assert sum(fold.count(side) for side in (TRAIN, VALIDATION, TEST)) + total == sum(
        s.n_obs for s in samples
    )
    assert min(fold.count(side) for side in (TRAIN, VALIDATION, TEST)) > 0
    if not config.within_section and config.by == "patient":
        tested = {s.patient for s in samples if (fold.sides[s.id] == TEST).any()}
        trained = {s.patient for s in samples if (fold.sides[s.id] == TRAIN).any()}
        assert not tested & trained


@pytest.mark.parametrize("config", [BLOCKS, COLUMN, PATIENT], ids=["blocks", "column", "patient"])
@settings(max_examples=8)
@given(seed=st.integers(0, 30), patients=st.integers(3, 5))
def test_sides_are_disjoint_apart_and_complete(make_sample, config, seed, patients) -> None:
    samples = sections(make_sample, seed, patients)
    config = config.model_copy(update={"seed": seed, "min_counts": 1 + seed % 4})
    folds = make_folds(samples, config, largest_patch_um=8.0)
    assert len(folds) == (1 if config.by == "column" else 3)
    for fold in folds:
        check(samples, config, fold, 8.0)
    again = make_folds(samples, config, largest_patch_um=8.0)
    for fold, other in zip(folds, again, strict=True):
        for sample in samples:
            np.testing.assert_array_equal(fold.sides[sample.id], other.sides[sample.id])
        assert fold.dropped == other.dropped


@settings(max_examples=8)
@given(seed=st.integers(0, 30))
def test_nothing_is_fitted_on_the_test_side(make_sample, seed) -> None:
    """Other counts on the test and validation side leave the sides and the panel as they are."""
    samples = sections(make_sample, seed, 3)
    fold = make_folds(samples, COLUMN, largest_patch_um=8.0)[0]
    panel = fit_panel(samples, fold, PanelConfig(genes="most_variable", n=2))
    rng, changed = np.random.default_rng(seed), []
    for sample in samples:
        table = np.asarray(sample.counts.todense())
        other = np.flatnonzero((fold.sides[sample.id] != TRAIN) & sample.measured)
        table[other] = rng.poisson(5.0, (len(other), 4)) + 1
        obs = sample.obs.copy()
        # totals of the others stay at or above min_counts exactly where they were
        obs.iloc[other, obs.columns.get_loc("total_counts")] *= rng.integers(1, 9, len(other))
        changed.append(dataclasses.replace(sample, counts=csr_matrix(table), obs=obs))
    after = make_folds(changed, COLUMN, largest_patch_um=8.0)[0]
    for sample in samples:
        np.testing.assert_array_equal(fold.sides[sample.id], after.sides[sample.id])
    refit = fit_panel(changed, after, PanelConfig(genes="most_variable", n=2))
    assert refit.genes == panel.genes
    np.testing.assert_array_equal(refit.train_mean, panel.train_mean)
    np.testing.assert_array_equal(refit.train_std, panel.train_std)


def test_unmeasured_test_tissue_is_kept_away_from_too(make_sample) -> None:
    """A row of places 10 um apart; the test one that was not measured still drops its neighbour."""
    xy = np.column_stack([np.arange(20, 281, 20.0), np.full(14, 100.0)])
    group = np.array([0] * 9 + [1] * 5)
    seen = np.ones(14, bool)
    seen[9] = False
    sample = make_sample("s", xy, measured=seen, group=group)
    config = COLUMN.model_copy(update={"buffer_um": 15.0, "block_um": 20.0})
    fold = make_folds([sample], config, largest_patch_um=8.0)[0]
    assert fold.sides["s"][8] == UNUSED
    assert fold.sides["s"][9] == UNUSED
    assert fold.dropped["unmeasured"] == 1
    assert (fold.sides["s"][10:] == TEST).all()


def test_dropped_is_counted_by_reason(make_sample) -> None:
    xy = np.array(
        [[3.0, 100.0], [50, 100], [52, 100], [250, 100], [200, 100], [240, 100], [100, 100], [120, 100]]
    )
    sample = make_sample(
        "s",
        xy,
        counts=np.ones((8, 4)) * np.array([5, 5, 5, 5, 1, 5, 5, 5])[:, None],
        measured=[1, 1, 0, 1, 1, 1, 1, 1],
        part=["a", "a", "a", "c", "b", "b", "v", "b"],
    )
    config = SplitConfig(
        by="column",
        column="part",
        train=("a",),
        validation=("v",),
        test=("b",),
        buffer_um=12,
        min_counts=5,
        within_section=True,
    )
    with pytest.raises(SplitError, match="the validation side is empty"):
        make_folds([sample], config, largest_patch_um=8.0)
    fold = make_folds([sample], config.model_copy(update={"buffer_um": 10.0}), largest_patch_um=8.0)[0]
    assert fold.dropped == {"not_in_split": 1, "unmeasured": 1, "few_counts": 1, "edge": 1, "buffer": 0}
    np.testing.assert_array_equal(
        fold.sides["s"], [UNUSED, TRAIN, UNUSED, UNUSED, UNUSED, TEST, VALIDATION, TEST]
    )


def test_an_empty_side_says_which_and_why(make_sample) -> None:
    sample = make_sample(n=60, group=np.arange(60) % 2)
    with pytest.raises(SplitError, match=r"fold 0 \(group 0 \| 1\).*train.*empty .*buffer.*; expected"):
        make_folds([sample], COLUMN.model_copy(update={"buffer_um": 90.0}), largest_patch_um=8.0)


def test_buffer_smaller_than_patch_says_what_would_do(make_sample) -> None:
    sample = make_sample(n=60)
    with pytest.raises(SplitError, match="write buffer_um: 31"):
        make_folds([sample], BLOCKS, largest_patch_um=30.3)  # 61 px of 0.5 um
    with pytest.raises(SplitError, match="write buffer_um: 9"):
        make_folds([sample], BLOCKS, largest_patch_um=8.3)  # 17 px


def test_patch_larger_than_image_names_the_sample(make_sample) -> None:
    with pytest.raises(SplitError, match=r"sample s: the largest patch \(120 um, 240 px\).*300 x 200 px"):
        make_folds([make_sample()], BLOCKS.model_copy(update={"buffer_um": 120.0}), largest_patch_um=120.0)


@pytest.mark.parametrize("config", [BLOCKS, COLUMN])
def test_a_patient_on_two_sides_is_named(make_sample, config) -> None:
    samples = sections(make_sample, 0, 2)
    with pytest.raises(SplitError, match=r"patients on two sides: p0, p1; .*within_section: true"):
        make_folds(samples, config.model_copy(update={"within_section": False}), largest_patch_um=8.0)


def test_two_sections_of_one_patient_by_column(make_sample) -> None:
    """The column puts sections of one patient on two sides: refused, though each section is on one."""
    samples = [
        make_sample("a", patient="p", group=0),
        make_sample("b", patient="p", group=1),
        make_sample("c", patient="q", group=0),
    ]
    with pytest.raises(SplitError, match="patients on two sides: p;"):
        make_folds(samples, COLUMN.model_copy(update={"within_section": False}), largest_patch_um=8.0)


def test_run_folds(make_sample) -> None:
    samples = sections(make_sample, 1, 3)
    chosen = make_folds(samples, BLOCKS.model_copy(update={"run_folds": (2, 0)}), largest_patch_um=8.0)
    assert [fold.index for fold in chosen] == [2, 0]
    every = make_folds(samples, BLOCKS, largest_patch_um=8.0)
    np.testing.assert_array_equal(chosen[0].sides["s1"], every[2].sides["s1"])
    with pytest.raises(SplitError, match="run_folds names fold 3; expected folds from 0 to 2"):
        make_folds(samples, BLOCKS.model_copy(update={"run_folds": (3,)}), largest_patch_um=8.0)


def test_two_samples_of_one_image_are_the_same_tissue(make_sample) -> None:
    """Cells and bins of one section, say: dealt apart, they would put one place on two sides."""
    cells, bins = sections(make_sample, 2, 2, n=400)
    bins = dataclasses.replace(bins, slide=cells.slide, patient=cells.patient)
    for fold in make_folds([cells, bins], BLOCKS, largest_patch_um=8.0):
        side = np.concatenate([fold.sides["s0"], fold.sides["s1"]])
        xy = np.concatenate([cells.xy_um, bins.xy_um])
        for a, b in ((TRAIN, VALIDATION), (TRAIN, TEST), (VALIDATION, TEST)):
            assert np.abs(xy[side == a][:, None] - xy[side == b][None]).max(axis=2).min() >= BLOCKS.buffer_um


def test_patches_of_two_sides_never_share_a_pixel(make_sample) -> None:
    """The buffer equal to the patch: windows of training and test do not overlap."""
    from prestige.data.patches.reader import window_start

    sample = sections(make_sample, 5, 1, n=600)[0]
    for fold in make_folds([sample], BLOCKS, largest_patch_um=8.0):
        seen = {}
        for side in (TRAIN, VALIDATION, TEST):
            mask = np.zeros((200, 300), bool)
            for x, y in window_start(sample.xy_px[fold.sides["s0"] == side], 16):
                mask[y : y + 16, x : x + 16] = True
            seen[side] = mask
        assert not (seen[TRAIN] & (seen[TEST] | seen[VALIDATION])).any()
        assert not (seen[VALIDATION] & seen[TEST]).any()
